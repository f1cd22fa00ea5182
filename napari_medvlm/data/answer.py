"""Questions about an image, and answers whose sentences show where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from numbers import Real

import numpy as np

from napari_medvlm.data.field_checks import require_items, require_kinds, require_texts
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.slice_image import PixelBounds, SliceImage
from napari_medvlm.data.tool_call import ToolCall, ToolRound, ToolSpec


class AnswerKind(StrEnum):
    """What kind of answer is wanted."""

    OPEN = "open"
    CHOICE = "choice"
    """One of the question's options."""
    YES_NO = "yes/no"
    COUNT = "count"
    REPORT = "report"
    """Findings and an impression, each finding a claim."""


@dataclass(frozen=True, eq=False)
class NamedMask:
    """An object that a question may be about."""

    name: str
    mask: Mask


@dataclass(frozen=True, eq=False)
class NamedPlaces:
    """An object of a question, as boxes in the pictures; a backend writes their coordinates.

    Parameters
    ----------
    boxes
        The index of a picture, from 0, and edges in its pixels; none: it is in none of them.
    """

    name: str
    boxes: tuple[tuple[int, PixelBounds], ...] = ()


@dataclass(frozen=True, eq=False)
class Claim:
    """One sentence of an answer.

    Parameters
    ----------
    text
        The sentence.
    regions
        Where it comes from; none: it is not linked to any place.
    source
        What it rests on: ``"measured"``, ``"header"``, ``"atlas"``, or the model that wrote it.
    problems
        What was wrong with the places that came with it, a sentence each.
    section
        Of a report: ``"findings"`` or ``"impression"``.
    """

    text: str
    regions: tuple[Region, ...] = ()
    source: str = ""
    problems: tuple[str, ...] = ()
    section: str = ""

    def __post_init__(self) -> None:
        """Raise `TypeError` for fields of another type."""
        require_texts(self, "text", "source", "section")
        require_items(self, Region, "regions")
        require_items(self, str, "problems")


@dataclass(frozen=True, eq=False)
class Answer:
    """What a backend has to say.

    Parameters
    ----------
    text
        The answer in short.
    claims
        Its sentences.
    answered
        Whether the question was answered; if not, ``reason`` says why and what would help.
    images, image_names
        The slices that were looked at, and for each the name of the other image that it belongs to,
        such as a prior; no names if all are of the image asked about.
    thinking
        What the model wrote before its answer.
    calls
        Tools that the model wants called before it answers; then there is no answer yet.
    choice
        The option that was chosen, of a closed question; empty: none, or it could not be read.
    probabilities
        Of each option, where the model reports them; they sum to 1.
    notes
        What the user must know to judge the answer, a sentence each: pictures that were left out,
        an answer that was cut off, a number in the text that is not the number of regions.
    written
        All that the model wrote, unchanged.
    tokens
        How many tokens the model wrote; 0 if it does not report it.
    prompt
        The text that the model was sent, without images; empty if the backend does not state it.
    settings
        How the model writes, such as ``temperature``, by the names of its library or protocol.
    """

    text: str
    claims: tuple[Claim, ...] = ()
    answered: bool = True
    reason: str = ""
    images: tuple[SliceRef, ...] = ()
    thinking: str = ""
    calls: tuple[ToolCall, ...] = ()
    choice: str = ""
    probabilities: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    written: str = ""
    tokens: int = 0
    prompt: str = ""
    settings: Mapping[str, str | float | bool | None] = field(default_factory=dict)
    image_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise `TypeError` for fields of another type."""
        require_texts(self, "text", "reason", "thinking", "choice", "written", "prompt")
        require_items(self, Claim, "claims")
        require_items(self, SliceRef, "images")
        require_items(self, str, "notes", "image_names")
        require_items(self, (Real, np.number), "probabilities")
        require_kinds(self, (bool, np.bool_), "answered", optional=False)


@dataclass(frozen=True, eq=False)
class ChatTurn:
    """A question of a conversation, and what was answered to it.

    Parameters
    ----------
    pictures, captions
        The images that were sent with the question and are sent again, as of `Question`.
    """

    question: str
    answer: str
    pictures: tuple[SliceImage, ...] = ()
    captions: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked of an answering backend.

    Parameters
    ----------
    text
        The question.
    earlier
        The conversation before it, oldest first.
    objects
        What was segmented; may be named in the question.
    labels
        Label images of this patient.
    context
        What is known of the patient: indication, history, prior report.
    kind
        What kind of answer is wanted.
    options
        Of a closed question.
    pictures
        What a model is to see, in order; a backend that looks at volumes does not need them.
    captions
        What to say of each picture, as ``slice 89 of 181``; none, or one for each.
    tools
        What the model may call.
    steps
        Rounds of this answer so far, oldest first.
    places
        Objects whose coordinates the model is to be given, in its own grammar.
    boxes
        Whether a model that can is asked to write the boxes of what it describes.
    """

    text: str
    earlier: Sequence[ChatTurn] = ()
    objects: tuple[NamedMask, ...] = ()
    labels: tuple[NamedLabels, ...] = ()
    context: str = ""
    kind: AnswerKind = AnswerKind.OPEN
    options: tuple[str, ...] = ()
    pictures: tuple[SliceImage, ...] = ()
    captions: tuple[str, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    steps: tuple[ToolRound, ...] = ()
    places: tuple[NamedPlaces, ...] = ()
    boxes: bool = True

    def __post_init__(self) -> None:
        """Raise `TypeError` for fields of another type."""
        require_texts(self, "text", "context")
        require_items(self, SliceImage, "pictures")
        require_items(self, str, "options", "captions")


@dataclass(frozen=True, eq=False)
class AnswerDelta:
    """A piece of an answer as it comes: more text, or at the end the answer as a whole."""

    text: str = ""
    answer: Answer | None = None

    def __post_init__(self) -> None:
        """Raise `TypeError` for fields of another type."""
        require_texts(self, "text")
        require_kinds(self, Answer, "answer")


def plain_settings(settings: Mapping[str, object]) -> dict[str, str | float | bool | None]:
    """The settings whose values are texts, numbers or `None`: those that can be written down."""
    return {
        name: value
        for name, value in settings.items()
        if value is None or isinstance(value, str | int | float)
    }
