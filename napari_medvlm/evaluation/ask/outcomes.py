"""What came of a question."""

from __future__ import annotations

from napari_medvlm.evaluation.runs.cases import CaseResult

Corners = tuple[tuple[float, float, float], tuple[float, float, float]]


class Outcome(CaseResult):
    """What came of a question. Figures are `None` where the question has nothing to compare with.

    Attributes
    ----------
    text
        The answer, without thoughts.
    written
        All that the model wrote, unchanged.
    thought
        Whether the model wrote thoughts before it.
    choice
        The option, or yes or no, that it chose; several letters where several were asked for.
    refused
        Whether it did not answer.
    correct
        Whether the right option, yes or no, was chosen; of open questions an exact match.
    exact, f1, recall, rouge1, rouge_l
        See `texts`.
    iou
        Of the places that the answer shows with those that are right, see `agreement`.
    error
        Mean relative error of the values; `None` also if there were not as many as wanted.
    parsed
        Of questions for values: whether there were as many as wanted.
    confidence
        The probability that the backend gave to what it chose; else the percentage that it stated.
    boxes
        The places that the answer shows, as index boxes ``(z, y, x)`` of the first image.
    prompt, settings
        The text that the model was sent, and how it writes, see `data.answer.Answer`.
    reason
        Why the backend did not answer, in a sentence; empty if it did.
    seconds
        From the question to the whole answer.
    """

    text: str = ""
    written: str = ""
    thought: bool = False
    choice: str = ""
    refused: bool = False
    correct: bool | None = None
    exact: bool | None = None
    f1: float | None = None
    recall: float | None = None
    rouge1: float | None = None
    rouge_l: float | None = None
    iou: float | None = None
    error: float | None = None
    parsed: bool | None = None
    confidence: float | None = None
    boxes: tuple[Corners, ...] = ()
    wanted: tuple[Corners, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    reason: str = ""
    prompt: str = ""
    settings: dict[str, str | float | bool | None] = {}
