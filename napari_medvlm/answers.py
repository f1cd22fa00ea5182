"""Questions about an image, and answers whose sentences show where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from napari_medvlm.grounding import NamedLabels, Region, Scope, SliceRef
from napari_medvlm.prompts import Box
from napari_medvlm.results import Mask


@dataclass(frozen=True, eq=False)
class NamedMask:
    """An object that a question may be about."""

    name: str
    mask: Mask


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
        What it rests on: ``"measured"``, ``"header"``, ``"atlas"``, or who said it.
    problems
        What was wrong with the places that came with it, a sentence each.
    """

    text: str
    regions: tuple[Region, ...] = ()
    source: str = ""
    problems: tuple[str, ...] = ()


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
    images
        The slices that were looked at.
    thinking
        What the model wrote before its answer.
    """

    text: str
    claims: tuple[Claim, ...] = ()
    answered: bool = True
    reason: str = ""
    images: tuple[SliceRef, ...] = ()
    thinking: str = ""


@dataclass(frozen=True)
class Turn:
    """A question of a conversation, and what was answered to it."""

    question: str
    answer: str


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
    scope, region
        What the model is to see.
    context
        What is known of the patient: indication, history, prior report.
    """

    text: str
    earlier: Sequence[Turn] = ()
    objects: tuple[NamedMask, ...] = ()
    labels: tuple[NamedLabels, ...] = ()
    scope: Scope = field(default_factory=Scope)
    region: Box | None = None
    context: str = ""


@dataclass(frozen=True, eq=False)
class AnswerDelta:
    """A piece of an answer as it comes: more text, or at the end the answer as a whole."""

    text: str = ""
    answer: Answer | None = None
