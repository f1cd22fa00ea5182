"""Requests of a session and the replies to them.

Every request is whole: it names all that is needed, and the worker loads what it lacks. There is no
set-up that could get out of step, so after a crash the next request just works.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from napari_medvlm.backends.base import ObjectPrompts, Prepared
from napari_medvlm.data.answer import Answer, Question
from napari_medvlm.data.classification import ClassificationResult, LabelQuery
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.grounding import Grounding, GroundQuery
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.region import Heatmap
from napari_medvlm.data.volume import Volume

ReplyT_co = TypeVar("ReplyT_co", covariant=True)


@dataclass(frozen=True, eq=False)
class Request:
    """Load a backend and set its volume.

    Parameters
    ----------
    backend
        Name in the registry.
    volume
        The image.
    model
        The weights' file or folder; `None` for the backend's default.
    device
        As torch names it.
    """

    backend: str
    volume: Volume
    model: str | None = None
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class ReplyRequest(Request, Generic[ReplyT_co]):
    """A request with a reply; the type parameter is the type of the reply."""


@dataclass(frozen=True, eq=False)
class SegmentReply:
    """A mask on the volume's grid, and the backend's run time in seconds."""

    mask: Mask
    seconds: float


@dataclass(frozen=True, eq=False)
class SegmentRequest(ReplyRequest[SegmentReply]):
    """Make the mask of an object from all its prompts."""

    prompts: ObjectPrompts = field(default_factory=lambda: ObjectPrompts(()))


@dataclass(frozen=True, eq=False)
class GroundReply:
    """The regions of phrases, and the backend's run time in seconds."""

    grounding: Grounding
    seconds: float


@dataclass(frozen=True, eq=False)
class GroundRequest(ReplyRequest[GroundReply]):
    """Locate phrases."""

    query: GroundQuery = field(default_factory=lambda: GroundQuery(()))


@dataclass(frozen=True, eq=False)
class LabelReply:
    """The probabilities of labels, and the backend's run time in seconds."""

    labelling: ClassificationResult
    seconds: float


@dataclass(frozen=True, eq=False)
class LabelRequest(ReplyRequest[LabelReply]):
    """Classify labels."""

    query: LabelQuery = field(default_factory=lambda: LabelQuery(()))


@dataclass(frozen=True, eq=False)
class AnswerReply:
    """The complete answer, and the backend's run time in seconds."""

    answer: Answer
    seconds: float


@dataclass(frozen=True, eq=False)
class AskRequest(ReplyRequest[AnswerReply]):
    """Answer a question."""

    question: Question = field(default_factory=lambda: Question(""))


@dataclass(frozen=True, eq=False)
class ExplainReply:
    """The evidence map, and the backend's run time in seconds."""

    heatmap: Heatmap
    seconds: float


@dataclass(frozen=True, eq=False)
class ExplainRequest(ReplyRequest[ExplainReply]):
    """Compute the evidence map of an image of a question."""

    question: Question = field(default_factory=lambda: Question(""))
    written: str = ""
    picture: int = 0


@dataclass(frozen=True, eq=False)
class PrepareReply:
    """The result of precomputing, and the backend's run time in seconds."""

    prepared: Prepared
    seconds: float


@dataclass(frozen=True, eq=False)
class PrepareRequest(ReplyRequest[PrepareReply]):
    """Precompute slices ``start <= index < stop`` along an axis of the array."""

    axis: int = 0
    start: int = 0
    stop: int = 0


@dataclass(frozen=True, eq=False)
class RegisterReply:
    """The transform between the two volumes, and the run time in seconds."""

    pairing: Pairing
    seconds: float


@dataclass(frozen=True, eq=False)
class RegisterRequest(ReplyRequest[RegisterReply]):
    """Register a prior to the volume. No backend is loaded: ``backend`` only names the request.

    Parameters
    ----------
    prior
        The volume that is registered; required.
    kind
        Rigid, affine or deformable; identity computes the quality only.
    """

    prior: Volume | None = None
    kind: PairingKind = PairingKind.RIGID


Reply = (
    SegmentReply | PrepareReply | GroundReply | LabelReply | AnswerReply | ExplainReply
    | RegisterReply
)  # fmt: skip
