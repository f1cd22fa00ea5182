"""Ask questions of medical images, by click and by word. Not a medical device.

The names in ``__all__`` are public and are loaded on first use; importing the package loads nothing
heavy. Also public: the names of `napari_medvlm.checks`, `napari_medvlm.evaluation` and
`napari_medvlm.backends`, for checks of answers, for evaluation and for backends of other packages.
All other modules may change without notice.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_medvlm.backends.registry import list_backends
    from napari_medvlm.data.answer import Answer, AnswerKind, Claim
    from napari_medvlm.data.conversation import Conversation, Turn, Verdict
    from napari_medvlm.data.errors import MedVLMError
    from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
    from napari_medvlm.data.grounding import Grounding, Scope
    from napari_medvlm.data.label_image import NamedLabels
    from napari_medvlm.data.mask import Mask
    from napari_medvlm.data.measurements.measure import Measurement, measure
    from napari_medvlm.data.prompts import Box, InitialMask, Lasso, Line, Point, Scribble
    from napari_medvlm.data.region import Heatmap, Region
    from napari_medvlm.data.volume import Modality, Volume, Window
    from napari_medvlm.io import Gaps, Segment, read_volume, write_mask
    from napari_medvlm.io.label_images import read_labels
    from napari_medvlm.ledger.ledger import Ledger
    from napari_medvlm.ledger.records import Overlap
    from napari_medvlm.sessions.ask.ask import ask
    from napari_medvlm.sessions.ask.image_selection import ImageSelection
    from napari_medvlm.sessions.ask.session import AskSession
    from napari_medvlm.sessions.ask.visual_prompts import VisualPrompting
    from napari_medvlm.sessions.followup.follow import follow
    from napari_medvlm.sessions.followup.followed import FollowUp
    from napari_medvlm.sessions.ground.ground import ground
    from napari_medvlm.sessions.ground.session import GroundingSession
    from napari_medvlm.sessions.register import register
    from napari_medvlm.sessions.segment.replay import replay
    from napari_medvlm.sessions.segment.session import SegmentationSession

__version__ = "0.1.0"

_HOMES = {
    "Answer": "data.answer",
    "AnswerKind": "data.answer",
    "AskSession": "sessions.ask.session",
    "Box": "data.prompts",
    "Claim": "data.answer",
    "Conversation": "data.conversation",
    "Gaps": "io",
    "FollowUp": "sessions.followup.followed",
    "Grounding": "data.grounding",
    "GroundingSession": "sessions.ground.session",
    "Heatmap": "data.region",
    "ImageSelection": "sessions.ask.image_selection",
    "InitialMask": "data.prompts",
    "Lasso": "data.prompts",
    "Line": "data.prompts",
    "Ledger": "ledger.ledger",
    "Mask": "data.mask",
    "Measurement": "data.measurements.measure",
    "MedVLMError": "data.errors",
    "Modality": "data.volume",
    "NamedLabels": "data.label_image",
    "Overlap": "ledger.records",
    "Pairing": "data.geometry.pairing",
    "PairingKind": "data.geometry.pairing",
    "Point": "data.prompts",
    "Region": "data.region",
    "Scope": "data.grounding",
    "Scribble": "data.prompts",
    "Segment": "io",
    "SegmentationSession": "sessions.segment.session",
    "Turn": "data.conversation",
    "Verdict": "data.conversation",
    "VisualPrompting": "sessions.ask.visual_prompts",
    "Volume": "data.volume",
    "Window": "data.volume",
    "ask": "sessions.ask.ask",
    "follow": "sessions.followup.follow",
    "ground": "sessions.ground.ground",
    "list_backends": "backends.registry",
    "measure": "data.measurements.measure",
    "read_labels": "io.label_images",
    "read_volume": "io",
    "register": "sessions.register",
    "replay": "sessions.segment.replay",
    "write_mask": "io",
}

__all__ = [
    "Answer",
    "AnswerKind",
    "AskSession",
    "Box",
    "Claim",
    "Conversation",
    "FollowUp",
    "Gaps",
    "Grounding",
    "GroundingSession",
    "Heatmap",
    "ImageSelection",
    "InitialMask",
    "Lasso",
    "Ledger",
    "Line",
    "Mask",
    "Measurement",
    "MedVLMError",
    "Modality",
    "NamedLabels",
    "Overlap",
    "Pairing",
    "PairingKind",
    "Point",
    "Region",
    "Scope",
    "Scribble",
    "Segment",
    "SegmentationSession",
    "Turn",
    "Verdict",
    "VisualPrompting",
    "Volume",
    "Window",
    "ask",
    "follow",
    "ground",
    "list_backends",
    "measure",
    "read_labels",
    "read_volume",
    "register",
    "replay",
    "write_mask",
]


if not TYPE_CHECKING:  # a checker would take any name for one of this module

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
