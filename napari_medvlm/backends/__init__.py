"""Backends: the contract, the registry, and the backends of this package.

The names in ``__all__`` are for backends of other packages and are loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_medvlm.backends.base import Backend, BackendInfo, ObjectPrompts, Progress, Task
    from napari_medvlm.backends.conformance.segment import check_backend
    from napari_medvlm.backends.detection.base import Look, Seen, SlicewiseBackend
    from napari_medvlm.data.answer import AnswerDelta, ChatTurn, Question
    from napari_medvlm.data.classification import ClassificationResult, LabelQuery
    from napari_medvlm.data.errors import BackendUnavailable, Cancelled, InvalidPrompt
    from napari_medvlm.data.grounding import GroundQuery, NotFound
    from napari_medvlm.data.region import SliceRef
    from napari_medvlm.data.slice_image import SliceImage

_HOMES = {
    "AnswerDelta": "backends.base",
    "Backend": "backends.base",
    "BackendInfo": "backends.base",
    "BackendUnavailable": "data.errors",
    "Cancelled": "data.errors",
    "ChatTurn": "data.answer",
    "ClassificationResult": "data.classification",
    "GroundQuery": "data.grounding",
    "InvalidPrompt": "data.errors",
    "LabelQuery": "data.classification",
    "Look": "backends.detection.base",
    "NotFound": "data.grounding",
    "ObjectPrompts": "backends.base",
    "Progress": "backends.base",
    "Question": "data.answer",
    "Seen": "backends.detection.base",
    "SliceImage": "data.slice_image",
    "SliceRef": "data.region",
    "SlicewiseBackend": "backends.detection.base",
    "Task": "backends.base",
    "check_backend": "backends.conformance.segment",
}

__all__ = [
    "AnswerDelta",
    "Backend",
    "BackendInfo",
    "BackendUnavailable",
    "Cancelled",
    "ChatTurn",
    "ClassificationResult",
    "GroundQuery",
    "InvalidPrompt",
    "LabelQuery",
    "Look",
    "NotFound",
    "ObjectPrompts",
    "Progress",
    "Question",
    "Seen",
    "SliceImage",
    "SliceRef",
    "SlicewiseBackend",
    "Task",
    "check_backend",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"napari_medvlm.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
