"""The path of a model by its name, title or hub id."""

from __future__ import annotations

from pathlib import Path

from napari_medvlm.backends.models import local
from napari_medvlm.backends.models.published import known
from napari_medvlm.backends.models.registry import OPTIONS, find, published_model
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.text import did_you_mean
from napari_medvlm.settings.paths import exists
from napari_medvlm.settings.shell import quoted

LONGEST_NAME = 4096
"""Characters of the longest path."""


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
    published = published_model(about)
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
