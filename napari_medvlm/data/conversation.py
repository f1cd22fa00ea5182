"""Conversations about an image: questions, answers and the marks of a reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.answer import Answer, AnswerKind
from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.data.region import Heatmap, SliceRef
from napari_medvlm.data.slice_image import SliceImage
from napari_medvlm.data.tool_call import ToolRound


class Verdict(StrEnum):
    """What a reader thinks of a claim."""

    RIGHT = "right"
    WRONG = "wrong"
    UNSURE = "unsure"


@dataclass(frozen=True)
class Mark:
    """A reader's judgement of a claim, with a note."""

    verdict: Verdict
    note: str = ""


@dataclass(frozen=True, eq=False)
class SentImage:
    """A picture that was sent to a model.

    Parameters
    ----------
    pixels
        ``(rows, columns, 3)`` uint8, as sent.
    slice
        Which slice of the image it shows; of a montage the first one.
    caption
        The caption that was sent with it.
    of
        The name of the image that it shows, if that is another one than the session's.
    picture
        The picture itself, which later questions send again; `None` if it cannot be had: it shows
        another image, and was read from a session file.
    """

    pixels: NDArray[np.uint8]
    slice: SliceRef
    caption: str = ""
    of: str = ""
    picture: SliceImage | None = None


@dataclass(frozen=True, eq=False)
class Evidence:
    """Which parts of a picture made a model write its answer.

    Parameters
    ----------
    heatmap
        How much less likely the answer is without each part, as a share of the most.
    image
        Which of the pictures that were sent, from 0.
    seconds
        How long the model took.
    """

    heatmap: Heatmap
    image: int
    seconds: float


class State(StrEnum):
    """How far an exchange is."""

    WAITING = "waiting"
    RUNNING = "running"
    ANSWERED = "answered"
    STOPPED = "stopped"
    """A person stopped it; what had come is kept."""
    FAILED = "failed"


@dataclass(frozen=True, eq=False)
class Turn:
    """A question and what came of it.

    Parameters
    ----------
    id
        Of the exchange in its session; never used twice.
    question, kind, options, context
        As asked.
    backend, model
        Who was asked.
    sent
        The pictures that were sent.
    covered
        The share of the image's slices that were sent, 0 to 1; `None` without pictures.
    steps
        Rounds with tools, oldest first.
    partial
        What the model has written, while it runs and if it was stopped or failed.
    answer
        The answer, when there is one.
    problem
        Why there is none, and what to do.
    seconds, first_token_s
        Until the answer was there, and until its first text.
    marks
        What the reader thinks of the claims, by their number from 0.
    evidence
        What the answer comes from, if that was asked for.
    check_results
        What checks of the answer came to, the latest of each.
    """

    id: int
    question: str
    backend: str
    model: str | None = None
    kind: AnswerKind = AnswerKind.OPEN
    options: tuple[str, ...] = ()
    context: str = ""
    state: State = State.WAITING
    sent: tuple[SentImage, ...] = ()
    covered: float | None = None
    steps: tuple[ToolRound, ...] = ()
    partial: str = ""
    answer: Answer | None = None
    problem: str = ""
    seconds: float = 0.0
    first_token_s: float | None = None
    marks: Mapping[int, Mark] = field(default_factory=dict)
    evidence: Evidence | None = None
    check_results: tuple[CheckResult, ...] = ()


@dataclass(frozen=True, eq=False)
class Conversation:
    """Exchanges that build on each other. Each conversation of an image has its own ``id``."""

    id: int
    title: str
    turns: tuple[Turn, ...] = ()
