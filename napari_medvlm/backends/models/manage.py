"""Downloading, verifying and removing models."""

from __future__ import annotations

from pathlib import Path

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.models import files, hub_cache, local
from napari_medvlm.backends.models.download import ID, fetch
from napari_medvlm.backends.models.local import Added
from napari_medvlm.backends.models.published import known
from napari_medvlm.backends.models.registry import find
from napari_medvlm.data.errors import BackendUnavailable, CannotDownload


def require_on_hub(name: str) -> None:
    """Refuse to ask the hub for what cannot be there.

    Raises
    ------
    CannotDownload
        If a model's authors publish it elsewhere, or the name is no id of the hub.
    """
    about = next((about for about in known() if about.name == name), None)
    if about is not None and not about.on_hub:
        raise CannotDownload(
            f"The authors of {name} publish it on their page: {about.source}",
            f"Download it there, then run: napari-medvlm models add PATH --backend {about.backend}",
        )
    if about is None and ID.fullmatch(name) is None:
        raise CannotDownload(
            f"{name} is not the id of a model on the Hugging Face hub.",
            "Name it as owner/name, as 'napari-medvlm models list' does.",
        )


def download(model: str, progress: Progress) -> Path:
    """Download a model of the hub and check what arrived; its folder. Errors as of `fetch`.

    Raises
    ------
    CannotDownload
        If the hash or size of a file is not the hub's; it is deleted.
    """
    folder = fetch(model, progress)
    broken = hub_cache.damaged(model, progress)
    if broken:
        hub_cache.discard(model, broken)
        raise CannotDownload(
            f"Of {model} {', '.join(broken)} arrived incomplete.",
            "Download it again; complete files are not downloaded again.",
        )
    return folder


def verify(name: str, progress: Progress) -> tuple[str, ...]:
    """Verify the files of a local model; one sentence per problem, empty if all match.

    Raises
    ------
    BackendUnavailable
        If it is not here, or cannot be read.
    """
    entry = local.added().get(name)
    if entry is not None:
        return _changes(entry, progress)
    model = find(name)
    if model.path is None:
        raise BackendUnavailable(
            f"{model.about.title} is not on this computer.", "Download or add it first."
        )
    broken = hub_cache.damaged(model.about.source, progress)
    return tuple(f"{file} is damaged: remove the model and download it again." for file in broken)


def remove(name: str) -> str:
    """Forget a model that was added, or delete one that was downloaded; what was done, in words.

    Raises
    ------
    BackendUnavailable
        If it is not on this computer.
    """
    with local.changing() as entries:
        entry = entries.pop(name, None)
    if entry is not None:
        return f"{name} was removed from the list. Its files stay at {entry.path}"
    model = find(name)
    if model.path is None:
        raise BackendUnavailable(
            f"{model.about.title} is not on this computer.",
            "Only downloaded or added models can be removed.",
        )
    freed = hub_cache.delete(model.about.source)
    return f"{model.about.title} was deleted; {freed} freed."


def _changes(entry: Added, progress: Progress) -> tuple[str, ...]:
    """Differences between the files of an added model and their stored hashes."""
    if not entry.path.exists():
        return (f"{entry.path} no longer exists.",)
    current = files.hashes(entry.path, progress)
    recorded = entry.sha256
    gone = [f"{file} no longer exists." for file in recorded if file not in current]
    changed = [
        f"{file} has changed since it was added."
        for file, sha in recorded.items()
        if file in current and current[file] != sha
    ]
    new = [f"{file} is new since it was added." for file in current if file not in recorded]
    return (*gone, *changed, *new)
