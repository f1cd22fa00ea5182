"""What is checked: an answer or a region, and how to have it asked for in another way."""

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
"""What checks send."""


@dataclass(frozen=True, eq=False)
class PairedRequest:
    """A twin of what was asked.

    Parameters
    ----------
    request
        What to send.
    asked
        The same in words.
    expected
        What the answer must be to agree with the first one.
    told
        What it means if it is not, a sentence.
    """

    request: Sent
    asked: str
    expected: str
    told: str


class Subject(ABC):
    """An answer or a region, with requests that ask for it in another way.

    Parameters
    ----------
    request
        What led to it.
    said
        What came of that.
    """

    nothing: frozenset[str]
    """Answers that an empty picture deserves as well."""

    def __init__(self, request: Sent, said: CheckedAnswer) -> None:
        self.request = request
        self.said = said

    @property
    def volume(self) -> Volume:
        """The image."""
        return self.request.volume

    @property
    def places(self) -> tuple[Box, ...]:
        """Where it says it comes from."""
        return tuple(region.box for region in self.said.regions)

    @property
    def other_places(self) -> tuple[Box, ...]:
        """As many places of the same size at random; nothing if there is no room."""
        return elsewhere(self.places, self.volume.grid, self.asked) if self.places else ()

    @property
    @abstractmethod
    def asked(self) -> str:
        """What was asked, in words."""

    @abstractmethod
    def read(self, reply: Reply) -> CheckedAnswer:
        """What a reply says."""

    @abstractmethod
    def flaws(self) -> tuple[str, ...]:
        """What is wrong with the form of the answer, a sentence each."""

    @abstractmethod
    def twins(self) -> tuple[PairedRequest, ...]:
        """Requests whose answers must agree with this one; none: it has no twin."""

    @abstractmethod
    def again(self, count: int) -> tuple[tuple[str, Sent], ...]:
        """The same question, once as it was and then in other words, with those words."""

    @abstractmethod
    def hidden(self, boxes: Sequence[Box]) -> Sent:
        """The same question about an image in which places are hidden."""

    @abstractmethod
    def blank(self) -> Sent:
        """The same question about an image in which nothing is to be seen."""

    @property
    @abstractmethod
    def slices(self) -> tuple[SliceRef, ...]:
        """The slices of the image that it was to look at."""

    @property
    def has_far_slices(self) -> bool:
        """Whether the image has slices far away from all that it was to look at."""
        axes = {where.axis for where in self.slices}
        indices = sorted({where.index for where in self.slices})
        lengths = [self.volume.shape[axis] for axis in axes]
        return len(axes) == 1 and far_shift(indices, lengths[0]) is not None

    @abstractmethod
    def swapped(self, swap: Swap) -> Sent:
        """The same question about something else in the image's place."""

    @abstractmethod
    def sentence(self) -> str:
        """What a witness is to look for."""

    @abstractmethod
    def named_masks(self) -> tuple[Region, ...]:
        """Objects that were segmented, and whose name it says."""

    @abstractmethod
    def witness(self, backend: str, model: str | None) -> GroundRequest:
        """Have another backend look for the same."""
