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
from napari_medvlm.backends.models.download import ID, fetch, is_hub_id
from napari_medvlm.backends.models.local import Added
from napari_medvlm.backends.models.published import Known, in_words, known
from napari_medvlm.backends.models.weights import parameters_mib, require_weights
from napari_medvlm.data.errors import BackendUnavailable, CannotDownload
from napari_medvlm.data.text import did_you_mean
from napari_medvlm.settings.paths import exists
from napari_medvlm.settings.shell import quoted

FORBIDDEN = frozenset('/\\#:*?"<>|')
"""What is not in a name, so that it is never taken for a path, a hub id, an address or options."""
OPTIONS = "#"
LONGEST_NAME = 4096
"""Characters of the longest path."""
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
    return (*own, *(_of_known(about) for about in known()))


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
            return _of_known(about)
    if is_hub_id(name) and hub_cache.folder_of(name) is not None:
        return _of_known(_unknown(name))
    raise BackendUnavailable(
        f"There is no model called {name!r}.",
        f"{did_you_mean(name, (model.name for model in models()))}"
        "See 'napari-medvlm models list', or add its file or folder: 'napari-medvlm models add'.",
    )


def resolve(model: str | None) -> str | None:
    """Resolve the name of an added model to its path.

    All else, a path, a hub id or an address, is given as it is; so are options behind a ``#``. A
    name goes before a file of that name in the current folder: write ``./name`` for the file.

    Raises
    ------
    BackendUnavailable
        If the model is no longer where it was.
    """
    if not model:
        return model
    name, mark, options = model.partition(OPTIONS)
    entry = local.added().get(name)
    if entry is None:
        return _resolve_published(name, model)
    if not exists(entry.path):
        raise BackendUnavailable(
            f"The model {name} no longer exists at {entry.path}.",
            f"Restore it, or add it again: napari-medvlm models add PATH --name {quoted(name)}",
        )
    return f"{entry.path}{mark}{options}"


def _resolve_published(name: str, model: str) -> str:
    """Resolve the title of a published model to its folder; all else stays as it is.

    Raises
    ------
    BackendUnavailable
        If the model of that title is not on this computer, or no model can have the name.
    """
    if exists(name) or "://" in name:
        return model
    if not name.isprintable() or len(name) > LONGEST_NAME:
        raise BackendUnavailable(
            f"{name[:60]!r} cannot be the name or path of a model.",
            "Choose a model from 'napari-medvlm models list', or give a file or folder.",
        )
    titles = {about.title.casefold(): about for about in known()}
    about = titles.get(name.casefold())
    if about is None:
        suggested = "/" not in name and did_you_mean(name, local.added())
        if suggested:
            raise BackendUnavailable(f"There is no model called {name!r}.", suggested.strip())
        return model
    published = _of_known(about)
    if published.path is not None:
        return f"{published.path}{model.removeprefix(name)}"
    how = (
        f"Download it with: napari-medvlm models download {about.source}"
        if about.on_hub
        else f"Download it from {published.page}, then give its file or folder as the model."
    )
    raise BackendUnavailable(f"{about.title} is not on this computer.", how)


def local_path(model: str) -> Path:
    """The file or folder of a model by its path, name, title or hub id.

    Raises
    ------
    BackendUnavailable
        If it is not on this computer.
    """
    path = Path(model).expanduser()
    if model not in local.added() and exists(path):
        return path
    known_model = find(model)
    if known_model.path is None:
        raise BackendUnavailable(
            f"{model} is not on this computer.",
            f"Download it first: napari-medvlm models download {quoted(model)}",
        )
    return known_model.path


def add(path: str | Path, backend: str, progress: Progress, name: str = "") -> Model:
    """Register the path of a model and the hashes of its files; nothing is copied.

    Parameters
    ----------
    path
        A file of weights or a folder.
    backend
        The backend that loads it.
    progress
        Told while its files are read; may raise `Cancelled`.
    name
        Name; by default that of the file or folder. The same name and path once more: its
        hashes are taken anew.

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
        If a file is not what the hub said that it is; it is deleted.
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


def _of_known(about: Known) -> Model:
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
