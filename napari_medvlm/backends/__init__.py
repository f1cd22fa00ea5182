"""Backends: the contract, the registry, and the backends of this package.

The names in ``__all__`` are for backends of other packages and are loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_medvlm.backends.base import Backend, BackendInfo, ObjectPrompts, Progress, Task
    from napari_medvlm.backends.conformance.segment import check_backend

_HOMES = {
    "Backend": "base",
    "BackendInfo": "base",
    "ObjectPrompts": "base",
    "Progress": "base",
    "Task": "base",
    "check_backend": "conformance.segment",
}

__all__ = [
    "Backend",
    "BackendInfo",
    "ObjectPrompts",
    "Progress",
    "Task",
    "check_backend",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
