"""Questions of an evaluation, with the answers that are right."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.evaluation.runs.cases import EvaluationCase


class Layout(StrEnum):
    """How the questions lie on disk."""

    PLAIN = "plain"
    """Questions of one's own: JSON, or a JSON object a line."""
    VQARAD = "vqa-rad"
    SLAKE = "slake"
    PATHVQA = "path-vqa"
    KVASIR = "kvasir-vqa-x1"
    GMAI = "gmai-mmbench"
    MEDFRAMEQA = "medframeqa"
    REXVQA = "rexvqa"
    GEMEX = "gemex"
    PROBMED = "probmed"
    MEDICONFUSION = "mediconfusion"
    MMXU = "mmxu"
    TEMMED = "temmed-bench"
    DEEPTUMOR = "deeptumorvqa"


class Item(EvaluationCase):
    """A question about one or several images.

    Attributes
    ----------
    captions
        What to say of each image; none, or one for each.
    options
        Of a choice, in order, without their letters.
    right
        Places of the right options, from 0; several where all of them must be named.
    answer
        The right answer in words.
    type
        What kind of question it is, by which figures are grouped.
    pair
        Questions of the same pair count as right only together.
    boxes
        Places of the evidence on the first image, ``x0, y0, x1, y1`` in its pixels, or in those of
        ``canvas``.
    canvas
        Side of the square that the image was fitted into, at its aspect, centred, when the boxes
        were written; `None`: the image itself.
    values
        Sizes, angles or distances that are right.
    context
        What is known of the patient.
    """

    images: tuple[Path, ...]
    captions: tuple[str, ...] = ()
    question: str
    kind: AnswerKind = AnswerKind.OPEN
    options: tuple[str, ...] = ()
    right: tuple[int, ...] = ()
    answer: str
    type: str = ""
    pair: str = ""
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    canvas: int | None = None
    values: tuple[float, ...] = ()
    context: str = ""

    @property
    def prompt_text(self) -> str:
        """The question in words; options that several may be right of stand in it."""
        if len(self.right) <= 1 and self.kind is AnswerKind.CHOICE:
            return self.question
        listed = "".join(f"\n{chr(65 + n)}. {option}" for n, option in enumerate(self.options))
        several = "\nSeveral may be right: answer with the letters of all of them."
        return self.question + (listed + several if self.options else "")


def kind_of(answer: str) -> AnswerKind:
    """Yes or no, or open, by the right answer."""
    plain = answer.strip().strip(".").casefold()
    return AnswerKind.YES_NO if plain in {"yes", "no"} else AnswerKind.OPEN
