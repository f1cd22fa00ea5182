"""The backends that are installed, found by entry points; one that is broken hides no other."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from napari_medvlm.backends.base import Backend, BackendInfo
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.text import did_you_mean

logger = logging.getLogger(__name__)

GROUP, PACKAGE = "napari_medvlm.backends", "napari-medvlm"
EXTRAS = {
    "bundle": "monai",
    "click-network": "click-network",
    "detector": "vlm",
    "florence": "vlm",
    "network": "onnx",
    "nninteractive": "nninteractive",
    "nninteractive-server": "nninteractive-client",
    "nnunet": "nnunet",
    "sam": "sam",
    "sam2": "vlm",
    "sam3": "vlm",
    "sammed3d": "sammed3d",
    "server": "server",
    "similarity": "clip",
    "vista3d": "monai",
    "vlm": "vlm",
    "voxtell": "voxtell",
}
"""The extra of this package that installs what a backend needs."""


def names() -> tuple[str, ...]:
    """Names of the backends that can be offered, the embedded one first."""
    available = [name for name in _entry_points() if _reason(name) is None]
    return tuple(sorted(available, key=lambda name: (name != "embedded", name)))


def list_backends() -> dict[str, BackendInfo]:
    """The info of each backend by name, the embedded one first; broken ones are left out."""
    return {name: info(name) for name in names()}


def problems() -> Mapping[str, str]:
    """Backends that cannot be offered, and why, each in a sentence."""
    reasons = {name: _reason(name) for name in _entry_points()}
    return {name: reason for name, reason in sorted(reasons.items()) if reason is not None}


def info(name: str) -> BackendInfo:
    """The info of a backend, without loading a model.

    Raises
    ------
    BackendUnavailable
        If there is none of that name, or it cannot be imported.
    """
    return _class(name).info


def tools_unsupported_reason(name: str, model: str | None) -> str:
    """Reason why a model cannot call tools, without loading it; empty if it can.

    Reads files: not for the window's thread.

    Raises
    ------
    BackendUnavailable
        As of `info`, or if there is no such model.
    """
    return _class(name).tools_unsupported_reason(model)


def distribution(name: str) -> str | None:
    """The installed package that brings a backend; `None` if it is not stated."""
    point = _entry_points().get(name)
    return None if point is None or point.dist is None else point.dist.name


def create(name: str) -> Backend:
    """A new backend, not yet loaded.

    Raises
    ------
    BackendUnavailable
        If there is none of that name, it cannot be imported, or it lacks something.
    """
    backend_class = _class(name)
    lacking = missing(name)
    if lacking:
        packages = f'"napari-medvlm[{EXTRAS[name]}]"' if name in EXTRAS else " ".join(lacking)
        raise BackendUnavailable(
            f"{backend_class.info.title} {needs_words(lacking)}",
            f"Install it with: {sys.executable} -m pip install {packages}",
        )
    return backend_class()


def backend_type(name: str) -> type[Backend]:
    """The class of a backend; errors as of `create`, but for what it lacks."""
    return _class(name)


def vocabulary(name: str, model: str | None) -> tuple[str, ...]:
    """The names that a backend's model knows; errors as of `Backend.vocabulary` and `info`."""
    return _class(name).vocabulary(model)


def channels(name: str, model: str | None) -> tuple[str, ...]:
    """The images that a backend's model takes together; errors as of `Backend.channels`."""
    return _class(name).channels(model)


def takes_report(name: str, model: str | None) -> bool:
    """Whether a backend's model sees the text of a report, too; raises as `info` does."""
    return _class(name).takes_report(model)


def supports_all_structures(name: str) -> bool:
    """Return whether a backend can segment all structures at once; raises as `info` does."""
    return _class(name).supports_all_structures


def missing(name: str) -> tuple[str, ...]:
    """The modules that a backend needs and that this Python lacks; errors as of `info`.

    A backend may run in another Python: `worker.environments.obstacle` looks there too.
    """
    return tuple(m for m in _class(name).info.modules if not _is_installed(m))


def needs_words(modules: Sequence[str]) -> str:
    """``"needs torch and zarr, which are not installed."`` for the names of modules."""
    *first, last = modules
    names = f"{', '.join(first)} and {last}" if first else last
    return f"needs {names}, which {'are' if first else 'is'} not installed."


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # of a module within a package that is missing
        return False


@cache
def _entry_points() -> Mapping[str, EntryPoint]:
    """The entry points by name; of two of a name, that of this package."""
    points = sorted(entry_points(group=GROUP), key=lambda point: _package(point) == PACKAGE)
    return {point.name: point for point in points}


def _packages(name: str) -> tuple[str, ...]:
    """The packages that bring a backend of a name."""
    packages = {_package(point) for point in entry_points(group=GROUP, name=name)}
    return tuple(sorted(packages))


def _package(point: EntryPoint) -> str:
    return "" if point.dist is None else point.dist.name


@cache
def _load(name: str) -> type[Backend] | str:
    """The class, or why there is none."""
    packages = _packages(name)
    if len(packages) > 1:
        both = " and ".join(packages)
        logger.warning("Several packages bring a backend called %s: %s", name, both)
        if PACKAGE not in packages:
            return f"{name} is brought by {both}: rename the backend of one, or remove one."
    try:
        backend_class = _entry_points()[name].load()
    except Exception as error:  # a foreign backend may raise anything
        logger.warning("The backend %s cannot be imported", name, exc_info=True)
        return f"{name} cannot be imported: {type(error).__name__}: {error}"
    if not (isinstance(backend_class, type) and issubclass(backend_class, Backend)):
        return f"{name} is not a Backend: its entry point leads to {backend_class!r}."
    backend_info = getattr(backend_class, "info", None)
    if not isinstance(backend_info, BackendInfo):
        return f"{name} cannot be used: {backend_class.__name__}.info is not a BackendInfo."
    if backend_info.name != name:
        return f"{name} is named {backend_info.name}; entry point and info must agree."
    return backend_class


def _reason(name: str) -> str | None:
    loaded = _load(name)
    return loaded if isinstance(loaded, str) else None


def _class(name: str) -> type[Backend]:
    if name not in _entry_points():
        raise BackendUnavailable(
            f"There is no backend called {name}.",
            f"{did_you_mean(name, names())}Choose one of: {', '.join(names())}.",
        )
    loaded = _load(name)
    if isinstance(loaded, str):
        raise BackendUnavailable(loaded, "Update or remove the package that provides it.")
    return loaded
