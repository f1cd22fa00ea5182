"""Models of the Hugging Face hub that were downloaded: found, checked, deleted."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.downloads import WANTED, megabytes

CHUNK_BYTES = 1 << 22
SHA256_LETTERS = 64


def folder_of(model: str) -> Path | None:
    """The folder of a model that was downloaded whole; `None`: it is not here."""
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
    except ImportError:
        return None
    try:
        folder = Path(snapshot_download(model, local_files_only=True, **WANTED))
    except (LocalEntryNotFoundError, HFValidationError, OSError):
        return None
    return folder if any(folder.rglob("*.safetensors")) else None


def damaged(model: str, progress: Progress) -> tuple[str, ...]:
    """The files of a downloaded model whose content is not what the hub named, a sentence each.

    The library keeps each file under the hash that the hub gave it: SHA-256 for weights, git's for
    texts.
    """
    folder = folder_of(model)
    listed = [] if folder is None else sorted(p for p in folder.rglob("*") if p.is_file())
    found = []
    for number, file in enumerate(listed):
        progress(number / len(listed), f"Reading {file.name}")
        named = file.resolve().name
        if _hash(file, named) != named:
            found.append(f"{file.name} is damaged: remove the model and download it again.")
    return tuple(found)


def delete(model: str) -> str:
    """Delete all versions of a model; how much space it took, in words."""
    from huggingface_hub import scan_cache_dir

    versions = [
        revision.commit_hash
        for repo in scan_cache_dir().repos
        if repo.repo_id == model
        for revision in repo.revisions
    ]
    plan: Any = scan_cache_dir().delete_revisions(*versions)
    plan.execute()
    return megabytes(plan.expected_freed_size)


def _hash(file: Path, like: str) -> str:
    """The file's hash of the kind that ``like`` is."""
    if len(like) == SHA256_LETTERS:
        digest = hashlib.sha256()
    else:
        digest = hashlib.sha1(f"blob {file.stat().st_size}\0".encode(), usedforsecurity=False)
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
