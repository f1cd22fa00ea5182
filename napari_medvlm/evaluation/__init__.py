"""Evaluation of a backend on labelled cases.

The names in ``__all__`` are public and are loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_medvlm.evaluation.runs.workers import Processes
    from napari_medvlm.evaluation.segment.cases import Layout
    from napari_medvlm.evaluation.segment.evaluate import DataSet, evaluate
    from napari_medvlm.evaluation.segment.plan import Plan

_HOMES = {
    "DataSet": "segment.evaluate",
    "Layout": "segment.cases",
    "Plan": "segment.plan",
    "Processes": "runs.workers",
    "evaluate": "segment.evaluate",
}

__all__ = [
    "DataSet",
    "Layout",
    "Plan",
    "Processes",
    "evaluate",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
