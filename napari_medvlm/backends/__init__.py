"""Backends: the contract, the registry, and the backends of this package.

The names in ``__all__`` are for backends of other packages and are loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_medvlm.backends.base import Backend, BackendInfo, ObjectPrompts, Progress, Task
    from napari_medvlm.backends.conformance.segment import check_backend
    from napari_medvlm.backends.detection.base import Look, Seen, SlicewiseBackend
    from napari_medvlm.data.answer import AnswerDelta, Question

_HOMES = {
    "AnswerDelta": "base",
    "Backend": "base",
    "BackendInfo": "base",
    "Look": "detection.base",
    "ObjectPrompts": "base",
    "Progress": "base",
    "Question": "base",
    "Seen": "detection.base",
    "SlicewiseBackend": "detection.base",
    "Task": "base",
    "check_backend": "conformance.segment",
}

__all__ = [
    "AnswerDelta",
    "Backend",
    "BackendInfo",
    "Look",
    "ObjectPrompts",
    "Progress",
    "Question",
    "Seen",
    "SlicewiseBackend",
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
