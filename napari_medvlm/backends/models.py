"""The models that are known, and those that are on this computer."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from napari_medvlm.backends import catalog, hub_cache, registry
from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.downloads import is_hub_id
from napari_medvlm.errors import BackendUnavailable
from napari_medvlm.home import home

CHUNK_BYTES = 1 << 22
FREE = ("Apache-2.0", "MIT", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0")
NOT_COMMERCIAL = ("-NC", "research only", "noncommercial", "non-commercial")


class State(StrEnum):
    """Whether a model is on this computer."""

    HERE = "on this computer"
    NOT_HERE = "not downloaded"
    GONE = "no longer where it was"


@dataclass(frozen=True)
class Model:
    """A model, and whether it is here.

    Parameters
    ----------
    name
        What to name as the model: a hub id, or what it was added as.
    backend
        Who runs it.
    source
        Its id on the hub, or the page where its weights are.
    code_licence, weights_licence
        As their authors state them.
    memory_mib
        What it needs beside the image; 0: not known.
    path
        Where it lies, if it does.
    bytes
        How large it is there.
    """

    name: str
    title: str
    backend: str
    source: str
    code_licence: str
    weights_licence: str
    memory_mib: int
    notes: str
    state: State
    path: Path | None = None
    bytes: int = 0

    @property
    def licence_in_words(self) -> str:
        """What the weights may be used for."""
        return in_words(self.weights_licence)


class _Known(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    title: str
    backend: str
    source: str
    code_licence: str
    weights_licence: str
    memory_mib: int = 0
    notes: str = ""


class _Added(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    backend: str
    path: Path
    sha256: Mapping[str, str]


def in_words(licence: str) -> str:
    """What a licence of weights allows, in plain words."""
    if any(part.lower() in licence.lower() for part in NOT_COMMERCIAL):
        return "not for commercial use"
    if licence.split(" ")[0] in FREE:
        return "free for any use"
    return "under terms of its own: read its page"


def models() -> tuple[Model, ...]:
    """All models that are known, those that were added first."""
    own = [_model_of(entry) for entry in _entries().values()]
    return (*own, *(_offered(known) for known in _known()))


def find(name: str) -> Model:
    """The model of a name, title or hub id.

    Raises
    ------
    BackendUnavailable
        If none is known by it.
    """
    for model in models():
        if name in (model.name, model.title, model.source):
            return model
    if is_hub_id(name) and (folder := hub_cache.folder_of(name)) is not None:
        page = f"its page, https://huggingface.co/{name}"
        return Model(
            name, name, "", name, page, page, 0, "", State.HERE, folder, _size(folder)
        )  # fmt: skip
    raise BackendUnavailable(
        f"No model is known as {name!r}.", "See 'napari-medvlm models list', or add its folder."
    )


def add(path: str | Path, backend: str, name: str = "", progress: Progress | None = None) -> Model:
    """Keep where a model lies, and the hashes of its files.

    Parameters
    ----------
    path
        A file of weights or a folder.
    backend
        Who runs it.
    name
        To know it by; by default the file's or folder's.

    Raises
    ------
    BackendUnavailable
        If there is nothing, no such backend, or the name is taken by another.
    """
    path = Path(path).expanduser().resolve()
    info = registry.info(backend)
    if not path.exists():
        raise BackendUnavailable(f"There is no {path}.", "Name the file or folder of a model.")
    if info.weights_licence == "none":
        raise BackendUnavailable(
            f"{info.title} has no models to choose from.", "Choose another backend."
        )
    name = name or path.name
    entries = _entries()
    if name in entries and entries[name].path != path:
        raise BackendUnavailable(
            f"{entries[name].path} is already known as {name}.", "Give this one another name."
        )
    hashes = _hashes(path, progress or (lambda fraction, message="": None))
    if not hashes:
        raise BackendUnavailable(f"{path} is empty.", "Name the file or folder of a model.")
    entry = _Added(name=name, backend=backend, path=path, sha256=hashes)
    _write({**entries, name: entry})
    return _model_of(entry)


def verify(name: str, progress: Progress) -> tuple[str, ...]:
    """What is wrong with the files of a model that is here, a sentence each; nothing: all is well.

    Raises
    ------
    BackendUnavailable
        If it is not here.
    """
    entry = _entries().get(name)
    if entry is None:
        model = find(name)
        if model.path is None:
            raise BackendUnavailable(f"{model.title} is not here.", "Download it first.")
        return hub_cache.damaged(model.source, progress)
    if not entry.path.exists():
        return (f"{entry.path} is no longer there.",)
    now = _hashes(entry.path, progress)
    gone = [f"{file} is gone." for file in entry.sha256 if file not in now]
    changed = [
        f"{file} is not what it was." for file, sha in entry.sha256.items() if now.get(file) != sha
    ]
    return (*gone, *(told for told in changed if told.split(" is ")[0] in now))


def remove(name: str) -> str:
    """Forget a model that was added, or delete one that was downloaded; what was done, in words.

    Raises
    ------
    BackendUnavailable
        If it is not here.
    """
    entries = _entries()
    if name in entries:
        entry = entries.pop(name)
        _write(entries)
        return f"{name} is forgotten. Its files stay: {entry.path}"
    model = find(name)
    if model.path is None:
        raise BackendUnavailable(f"{model.title} is not here.", "There is nothing to remove.")
    freed = hub_cache.delete(model.source)
    return f"{model.title} is deleted; {freed} are free again."


@cache
def _known() -> tuple[_Known, ...]:
    text = files("napari_medvlm.backends").joinpath("models.toml").read_text("utf-8")
    own = [_Known.model_validate(row) for row in tomllib.loads(text)["model"]]
    asked = [
        _Known(
            title=row.title, backend=row.backend, source=row.example,
            code_licence=row.code_licence, weights_licence=row.weights_licence,
            memory_mib=row.memory_mib, notes=row.notes,
        )
        for row in catalog.rows() if is_hub_id(row.example)
    ]  # fmt: skip
    return (*own, *asked)


def _offered(known: _Known) -> Model:
    folder = hub_cache.folder_of(known.source) if is_hub_id(known.source) else None
    state = State.NOT_HERE if folder is None else State.HERE
    size = 0 if folder is None else _size(folder)
    name = known.source if is_hub_id(known.source) else known.title
    return Model(name=name, state=state, path=folder, bytes=size, **known.model_dump())


def _model_of(entry: _Added) -> Model:
    try:
        info: Any = registry.info(entry.backend)
    except BackendUnavailable:
        info = None
    here = entry.path.exists()
    return Model(
        entry.name,
        entry.name,
        entry.backend,
        str(entry.path),
        info.code_licence if info else "not known",
        info.weights_licence if info else "not known",
        info.memory_mib if info else 0,
        "Added from this computer.",
        State.HERE if here else State.GONE,
        entry.path if here else None,
        _size(entry.path) if here else 0,
    )


def _entries() -> dict[str, _Added]:
    try:
        rows = json.loads(_file().read_text("utf-8"))
        return {row["name"]: _Added.model_validate(row) for row in rows}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}


def _write(entries: Mapping[str, _Added]) -> None:
    rows = [entry.model_dump(mode="json") for entry in entries.values()]
    _file().parent.mkdir(parents=True, exist_ok=True)
    temporary = _file().with_suffix(".new")
    temporary.write_text(json.dumps(rows, indent=1), "utf-8")
    temporary.replace(_file())


def _hashes(path: Path, progress: Progress) -> dict[str, str]:
    """The SHA-256 of each file, by its path in the folder."""
    listed = dict(_files(path))
    total, done = max(sum(f.stat().st_size for f in listed.values()), 1), 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        progress(done / total, "Reading the files")

    return {name: _sha256(file, tell) for name, file in listed.items()}


def _sha256(file: Path, tell: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            digest.update(chunk)
            tell(len(chunk))
    return digest.hexdigest()


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield path.name, path
        return
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        yield file.relative_to(path).as_posix(), file


def _size(path: Path) -> int:
    return sum(file.stat().st_size for _, file in _files(path))


def _file() -> Path:
    return home() / "models.json"
