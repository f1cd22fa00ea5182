"""The base class of what is checked, an answer or a region, with changed requests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from napari_medvlm.checks.answer_similarity import CheckedAnswer
from napari_medvlm.checks.image_swap import Swap, far_shift
from napari_medvlm.checks.occlusion import elsewhere
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.volume import Volume
from napari_medvlm.worker.messages import AskRequest, GroundRequest, Reply

Sent = AskRequest | GroundRequest
"""The requests of checks."""
AGREED = 0.75
"""Share of the repeated answers that must agree."""


@dataclass(frozen=True, eq=False)
class PairedRequest:
    """A paired question with a known relation to the original.

    Parameters
    ----------
    request
        The request to send.
    asked
        Its question in words.
    expected
        The answer that is consistent with the original.
    message
        The message if it is not.
    """

    request: Sent
    asked: str
    expected: str
    message: str


class Subject(ABC):
    """An answer or a region, and changed versions of the request behind it.

    Parameters
    ----------
    request
        The request behind it.
    original
        Its answer.
    """

    trivial_answers: frozenset[str]
    """Answers that are correct for an empty image too."""

    def __init__(self, request: Sent, original: CheckedAnswer) -> None:
        self.request = request
        self.original = original

    @property
    def volume(self) -> Volume:
        """The image."""
        return self.request.volume

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Boxes of the regions of the answer."""
        return tuple(region.box for region in self.original.regions)

    @property
    def control_boxes(self) -> tuple[Box, ...]:
        """Random boxes of the same sizes elsewhere; empty if there is no room."""
        return elsewhere(self.boxes, self.volume.grid, self.asked) if self.boxes else ()

    @property
    def is_computed(self) -> bool:
        """Whether it was computed without a model, and the image only measured."""
        return False

    @property
    @abstractmethod
    def asked(self) -> str:
        """The question or phrase."""

    @abstractmethod
    def read(self, reply: Reply) -> CheckedAnswer:
        """Parse a reply."""

    @abstractmethod
    def flaws(self) -> tuple[str, ...]:
        """Problems with the form of the answer, in sentences."""

    @abstractmethod
    def paired_requests(self) -> tuple[PairedRequest, ...]:
        """Requests whose answers must be consistent with the original; may be empty."""

    @abstractmethod
    def again(self, count: int) -> tuple[tuple[str, Sent], ...]:
        """The question unchanged and paraphrased, with the texts."""

    def views(self) -> tuple[tuple[str, Sent], ...]:
        """The request with mirrored and cropped pictures, with what was done; none by default."""
        return ()

    @abstractmethod
    def hidden(self, boxes: Sequence[Box]) -> Sent:
        """The request with boxes hidden in the image."""

    @abstractmethod
    def blank(self) -> Sent:
        """The request with an empty image."""

    @property
    @abstractmethod
    def slices(self) -> tuple[SliceRef, ...]:
        """The slices of the image that were sent or searched."""

    @property
    def has_far_slices(self) -> bool:
        """Whether the image has slices far from all of `slices`."""
        axes = {ref.axis for ref in self.slices}
        indices = sorted({ref.index for ref in self.slices})
        lengths = [self.volume.shape[axis] for axis in axes]
        return len(axes) == 1 and far_shift(indices, lengths[0]) is not None

    @abstractmethod
    def swapped(self, swap: Swap) -> Sent:
        """The request with another image."""

    @abstractmethod
    def sentence(self) -> str:
        """The sentence or phrase for a second model."""

    @abstractmethod
    def named_masks(self) -> tuple[Region, ...]:
        """Segmented objects that the sentence names."""

    @abstractmethod
    def second_request(self, backend: str, model: str | None) -> GroundRequest:
        """The request for a second model."""
