"""Published and local models by name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files as package_files
from pathlib import Path

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.models import files, hub_cache, local
from napari_medvlm.backends.models.adapters import description_of
from napari_medvlm.backends.models.download import is_hub_id
from napari_medvlm.backends.models.local import Added
from napari_medvlm.backends.models.published import Known, in_words, known
from napari_medvlm.backends.models.weights import parameters_mib, require_weights
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.text import did_you_mean
from napari_medvlm.settings.paths import exists

FORBIDDEN = frozenset('/\\#:*?"<>|')
"""What is not in a name, so that it is never taken for a path, a hub id, an address or options."""
OPTIONS = "#"
OF_MANY_SIZES = frozenset({"vlm", "detector", "florence", "sam3", "similarity"})
"""Backends whose models differ so much that their parameters decide on the memory."""


class State(StrEnum):
    """Whether a model is on this computer."""

    ADDED = "added"
    DOWNLOADED = "downloaded"
    NOT_DOWNLOADED = "not downloaded"
    GONE = "no longer there"


@dataclass(frozen=True)
class Model:
    """A model, and whether it is here.

    Parameters
    ----------
    name
        The name given when added, the hub id, or the title.
    about
        The backend that loads it, its licences and what it needs.
    state
        Whether it is local.
    path
        Path, if it is local.
    bytes
        Size on disk.
    adapter
        Of an adapter, such as LoRA: its method and base model, in a sentence; else empty.
    """

    name: str
    about: Known
    state: State
    path: Path | None = None
    bytes: int = 0
    adapter: str = ""

    @property
    def licence_in_words(self) -> str:
        """What the weights may be used for."""
        return in_words(self.about.weights_licence)

    @property
    def page(self) -> str | None:
        """The address of its page."""
        if self.state in (State.ADDED, State.GONE):
            return None
        source = self.about.source
        return f"https://huggingface.co/{source}" if self.about.on_hub else source


def models() -> tuple[Model, ...]:
    """All models: those that were added, then those that are known. It looks at the disk."""
    own = [_of_added(entry) for entry in local.added().values()]
    return (*own, *(published_model(about) for about in known()))


def find(name: str) -> Model:
    """The model of a name, title or hub id.

    Raises
    ------
    BackendUnavailable
        If none is known by it.
    """
    entry = local.added().get(name)
    if entry is not None:
        return _of_added(entry)
    for about in known():
        if name.casefold() in (about.title.casefold(), about.source.casefold()):
            return published_model(about)
    if is_hub_id(name) and hub_cache.folder_of(name) is not None:
        return published_model(_unknown(name))
    raise BackendUnavailable(
        f"There is no model called {name!r}.",
        f"{did_you_mean(name, (model.name for model in models()))}"
        "See 'napari-medvlm models list', or add its file or folder: 'napari-medvlm models add'.",
    )


def add(path: str | Path, backend: str, progress: Progress, name: str = "") -> Model:
    """Register the path of a model and the hashes of its files; nothing is copied.

    Parameters
    ----------
    path
        A file of weights or a folder.
    backend
        The backend that loads it.
    progress
        Called while its files are read; may raise `Cancelled`.
    name
        Name; by default that of the file or folder. The same name and path once more: its
        hashes are taken again.

    Raises
    ------
    BackendUnavailable
        If there is nothing or a text, there is no such backend, or the name is taken or cannot be
        one.
    """
    path = Path(path).expanduser().absolute()
    name = name.strip() or path.name
    if not path.exists():
        raise BackendUnavailable(f"There is no {path}.", "Choose the file or folder of a model.")
    require_weights(path)
    _check_backend(backend)
    _check_name(name, path)
    hashes = files.hashes(path, progress)
    if not hashes:
        raise BackendUnavailable(
            f"There is no file in {path}.", "Choose the file or folder of a model."
        )
    with local.changing() as entries:
        _check_name(name, path)
        entries[name] = Added(name=name, backend=backend, path=path, sha256=hashes)
    return find(name)


def _check_backend(backend: str) -> None:
    info = registry.info(backend)
    if info.weights_licence == "none":
        raise BackendUnavailable(
            f"{info.title} has no models to choose from.", "Choose another backend."
        )


def _check_name(name: str, path: Path) -> None:
    if FORBIDDEN & set(name) or not name.isprintable():
        raise BackendUnavailable(
            f"{name!r} is not a valid model name.",
            f"Avoid {' '.join(sorted(FORBIDDEN))}.",
        )
    entry = local.added().get(name)
    if entry is not None and entry.path != path:
        raise BackendUnavailable(
            f"{entry.path} is already listed as {name}.", "Give this one another name."
        )
    if name.casefold() in {about.title.casefold() for about in known()}:
        raise BackendUnavailable(
            f"{name} is the name of a published model.", "Give this one another name."
        )


def published_model(about: Known) -> Model:
    """A published model with its state on this computer."""
    folder = hub_cache.folder_of(about.source) if about.on_hub else None
    if about.bundled:
        folder = Path(str(package_files("napari_medvlm") / about.bundled))
    if folder is None:
        return Model(about.name, about, State.NOT_DOWNLOADED)
    about, size = _with_memory(about, folder), files.size_of(folder)
    return Model(about.name, about, State.DOWNLOADED, folder, size, description_of(folder))


def _unknown(hub_id: str) -> Known:
    """A model of the hub that was downloaded and is in no list."""
    page = f"see https://huggingface.co/{hub_id}"
    return Known(title=hub_id, backend="", source=hub_id, code_licence=page, weights_licence=page)


def _of_added(entry: Added) -> Model:
    about = Known(
        title=entry.name,
        backend=entry.backend,
        source=str(entry.path),
        code_licence=_stated(entry.backend, "code_licence"),
        weights_licence=_stated(entry.backend, "weights_licence"),
        memory_mib=int(_stated(entry.backend, "memory_mib") or 0),
    )
    if not exists(entry.path):
        return Model(entry.name, about, State.GONE)
    about, size = _with_memory(about, entry.path), files.size_of(entry.path)
    return Model(entry.name, about, State.ADDED, entry.path, size, description_of(entry.path))


def _with_memory(about: Known, path: Path) -> Known:
    """The same with the memory of the model's own parameters, for backends of many sizes."""
    sizes = parameters_mib(path) if about.backend in OF_MANY_SIZES else 0
    return about.model_copy(update={"memory_mib": sizes}) if sizes else about


def _stated(backend: str, field: str) -> str:
    """A field of a backend's info; empty if the backend cannot be imported."""
    try:
        return str(getattr(registry.info(backend), field))
    except BackendUnavailable:
        return ""
