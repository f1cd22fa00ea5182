"""Models of the Hugging Face hub that were downloaded: found, checked, deleted."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.models.download import WANTED, megabytes
from napari_medvlm.backends.models.files import Tally, digest, files_of
from napari_medvlm.data.errors import DAMAGED, BackendUnavailable
from napari_medvlm.settings.paths import exists

HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SHA256_LETTERS = 64


def folder_of(model: str) -> Path | None:
    """The folder of a model that was downloaded whole; `None`: it is not on this computer.

    Raises
    ------
    OSError
        If the folder of downloads cannot be read.
    """
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
    except ImportError:
        return None
    try:
        folder = Path(snapshot_download(model, local_files_only=True, **WANTED))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    return folder if _is_complete(folder) else None


def damaged(model: str, progress: Progress) -> tuple[str, ...]:
    """The names of a downloaded model's files whose content is not what the hub named.

    The library stores each file under the hash that the hub gave it: SHA-256 for weights, git's for
    texts.

    Raises
    ------
    BackendUnavailable
        If the library kept no hashes, as where the disk knows no links.
    """
    listed = {name: (file, file.resolve()) for name, file in _files(model).items()}
    hashed = {
        name: file_and_blob
        for name, file_and_blob in listed.items()
        if HASH.fullmatch(file_and_blob[1].name)
    }
    if listed and not hashed:
        raise BackendUnavailable(
            f"No hashes are stored for {model}, so it cannot be verified.",
            "If in doubt, remove it and download it again.",
        )
    tally = Tally(sum(blob.stat().st_size for _, blob in hashed.values()), progress)
    return tuple(name for name, (_, blob) in hashed.items() if _hash(blob, tally) != blob.name)


def discard(model: str, names: tuple[str, ...]) -> None:
    """Delete single files of a model so that they are downloaded again."""
    listed = _files(model)
    for name in names:
        listed[name].resolve().unlink()
        listed[name].unlink(missing_ok=True)


def delete(model: str) -> str:
    """Delete all versions of a model; how much space it took, in words."""
    from huggingface_hub import constants, scan_cache_dir

    cache = scan_cache_dir(constants.HF_HUB_CACHE)
    ours = [r for r in cache.repos if r.repo_id == model and r.repo_type == "model"]
    # Versions are named by hashes, which a copy of the model under another id can share.
    only: Any = replace(cache, repos=frozenset(ours))
    plan = only.delete_revisions(*(v.commit_hash for repo in ours for v in repo.revisions))
    plan.execute()
    return megabytes(plan.expected_freed_size)


def _files(model: str) -> dict[str, Path]:
    folder = folder_of(model)
    return {} if folder is None else files_of(folder)


def _is_complete(folder: Path) -> bool:
    """Return whether the weights and all shards of an index exist."""
    if not any(file.is_file() for file in folder.rglob("*.safetensors")):
        return False
    return all(exists(index.parent / part) for index, part in _parts(folder))


def _parts(folder: Path) -> Iterator[tuple[Path, str]]:
    for index in folder.rglob("*.safetensors.index.json"):
        try:
            parts = set(map(str, json.loads(index.read_text("utf-8"))["weight_map"].values()))
        except DAMAGED:
            continue  # loading the model reports it
        for part in sorted(parts):
            yield index, part


def _hash(file: Path, tally: Tally) -> str:
    """The file's hash of the kind that its name is."""
    if len(file.name) == SHA256_LETTERS:
        return digest(file, hashlib.sha256(), tally)
    head = f"blob {file.stat().st_size}\0".encode()
    return digest(file, hashlib.sha1(head, usedforsecurity=False), tally)
