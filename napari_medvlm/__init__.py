"""Ask questions of medical images, by click and by word. Not a medical device.

Everything public is here and is loaded on first use; importing the package loads nothing heavy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_medvlm.answers import Answer, AnswerKind, Claim
    from napari_medvlm.errors import MedVLMError
    from napari_medvlm.grounding import Grounding, NamedLabels, Region, Scope
    from napari_medvlm.io import read_volume, write_mask
    from napari_medvlm.ledger import Ledger
    from napari_medvlm.measuring import Measurement, measure
    from napari_medvlm.prompts import Box, InitialMask, Lasso, Point, Scribble
    from napari_medvlm.records import Overlap
    from napari_medvlm.results import Mask
    from napari_medvlm.sessions.ask import ask
    from napari_medvlm.sessions.conversing import AskSession
    from napari_medvlm.sessions.ground import GroundingSession, ground
    from napari_medvlm.sessions.replay import replay
    from napari_medvlm.sessions.segment import SegmentationSession
    from napari_medvlm.sessions.viewing import View
    from napari_medvlm.volume import Modality, Volume, Window

__version__ = "0.1.0"

_HOMES = {
    "Answer": "answers",
    "AnswerKind": "answers",
    "AskSession": "sessions.conversing",
    "Box": "prompts",
    "Claim": "answers",
    "Grounding": "grounding",
    "GroundingSession": "sessions.ground",
    "InitialMask": "prompts",
    "Lasso": "prompts",
    "Ledger": "ledger",
    "Mask": "results",
    "Measurement": "measuring",
    "MedVLMError": "errors",
    "Modality": "volume",
    "NamedLabels": "grounding",
    "Overlap": "records",
    "Point": "prompts",
    "Region": "grounding",
    "Scope": "grounding",
    "Scribble": "prompts",
    "SegmentationSession": "sessions.segment",
    "View": "sessions.viewing",
    "Volume": "volume",
    "Window": "volume",
    "ask": "sessions.ask",
    "ground": "sessions.ground",
    "measure": "measuring",
    "read_volume": "io",
    "replay": "sessions.replay",
    "write_mask": "io",
}

__all__ = [
    "Answer",
    "AnswerKind",
    "AskSession",
    "Box",
    "Claim",
    "Grounding",
    "GroundingSession",
    "InitialMask",
    "Lasso",
    "Ledger",
    "Mask",
    "Measurement",
    "MedVLMError",
    "Modality",
    "NamedLabels",
    "Overlap",
    "Point",
    "Region",
    "Scope",
    "Scribble",
    "SegmentationSession",
    "View",
    "Volume",
    "Window",
    "ask",
    "ground",
    "measure",
    "read_volume",
    "replay",
    "write_mask",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
