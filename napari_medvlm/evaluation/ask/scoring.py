"""How good an answer is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_medvlm.backends.vlm.reasoning import split_reasoning
from napari_medvlm.data.answer import Answer, AnswerKind
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.outcomes import Corners, Outcome
from napari_medvlm.evaluation.metrics import text
from napari_medvlm.evaluation.metrics.region_agreement import agreement
from napari_medvlm.evaluation.metrics.values import unit_of, values_in
from napari_medvlm.evaluation.references.boxes import slice_region
from napari_medvlm.language.closed_answers import option_in, yes_or_no
from napari_medvlm.language.stated_answer import stated_part, without_confidence
from napari_medvlm.language.stated_confidence import confidence_in
from napari_medvlm.language.token_overlap import token_f1

_LETTERS = re.compile(r"(?<![\w'])([A-H])(?![\w'])")
EVIDENCE = "evidence"


def score_answer(item: Item, answer: Answer, volume: Volume, seconds: float) -> Outcome:
    """An answer with its figures."""
    thinking, text_answer = split_reasoning(answer.text)
    written = split_reasoning(answer.written or answer.text).answer
    final = without_confidence(stated_part(written) or text_answer)
    choice = _choice(item, answer, text_answer)
    refused = not answer.answered or (not choice and text.is_refusal(text_answer))
    wanted = evidence(item, volume)
    regions = [region for claim in answer.claims for region in claim.regions]
    return Outcome(
        case=item.name,
        text=text_answer,
        written=answer.written or answer.text,
        thought=bool(thinking or answer.thinking),
        choice=choice,
        refused=refused,
        iou=_overlap(regions, wanted, volume.grid) if wanted else None,
        confidence=_confidence(item, answer, choice, written),
        boxes=tuple(_corners(region, volume.grid) for region in regions),
        wanted=tuple(_corners(region, volume.grid) for region in wanted),
        seconds=seconds,
        notes=answer.notes if answer.answered else (answer.reason, *answer.notes),
        reason="" if answer.answered else answer.reason,
        prompt=answer.prompt,
        settings=dict(answer.settings),
        **_figures(item, final, choice, refused),
    )


def evidence(item: Item, volume: Volume) -> tuple[Region, ...]:
    """The places that are right, on the first image."""
    return tuple(
        slice_region(EVIDENCE, volume, 0, _in_pixels(box, item.canvas, volume), item.name)
        for box in item.boxes
    )


def _figures(item: Item, text_answer: str, choice: str, refused: bool) -> dict[str, Any]:
    if item.values:
        return _of_values(
            item.values, () if refused else values_in(text_answer, unit_of(item.question))
        )
    if item.options:
        letters = "".join(chr(65 + index) for index in item.right)
        several = len(item.right) > 1 or item.kind is AnswerKind.OPEN
        right = letters if several else item.options[item.right[0]]
        return {"correct": choice == right}
    if item.kind is AnswerKind.YES_NO:
        return {"correct": choice == item.answer.strip(" .").casefold()}
    rouge1, rouge_l = text.rouge(text_answer, item.answer)
    same = text.exact(text_answer, item.answer)
    return {
        "correct": same,
        "exact": same,
        "f1": token_f1(text_answer, item.answer),
        "recall": text.token_recall(text_answer, item.answer),
        "rouge1": rouge1,
        "rouge_l": rouge_l,
    }


def _of_values(right: Sequence[float], numbers: Sequence[float]) -> dict[str, Any]:
    """The last numbers of the answer count, as many as are wanted."""
    if len(numbers) < len(right):
        return {"parsed": False}
    expected, predicted = np.array(right), np.array(numbers[-len(right) :])
    return {
        "parsed": True,
        "error": float(np.mean(np.abs(predicted - expected) / np.abs(expected))),
    }


def _choice(item: Item, answer: Answer, text_answer: str) -> str:
    if item.kind is AnswerKind.YES_NO:
        return (answer.choice or yes_or_no(text_answer).choice).casefold()
    if not item.options:
        return ""
    if item.kind is AnswerKind.CHOICE:
        return answer.choice or option_in(text_answer, item.options, item.question).choice
    known = {chr(65 + index) for index in range(len(item.options))}
    return "".join(sorted(set(_LETTERS.findall(stated_part(text_answer) or text_answer)) & known))


def _confidence(item: Item, answer: Answer, choice: str, written: str) -> float | None:
    if not choice:
        return None
    if not answer.probabilities:
        return confidence_in(written)
    options = item.options or ("yes", "no")
    indices = [n for n, option in enumerate(options) if option.casefold() == choice.casefold()]
    known = indices and indices[0] < len(answer.probabilities)
    return answer.probabilities[indices[0]] if known else None


def _overlap(regions: Sequence[Region], wanted: Sequence[Region], grid: Grid) -> float:
    named = [Region(EVIDENCE, r.box, r.score, mask=r.mask, slice=r.slice) for r in regions]
    return agreement(named, wanted, grid).mean_iou


def _in_pixels(
    box: tuple[float, float, float, float], canvas: int | None, volume: Volume
) -> tuple[float, float, float, float]:
    """A box of a square canvas in the pixels of the image that lies centred in it."""
    if canvas is None:
        return box
    height, width = volume.shape[1:]
    side = max(height, width)
    scale = side / canvas
    left, upper = (side - width) / 2, (side - height) / 2
    x0, y0, x1, y1 = (value * scale for value in box)
    return (
        max(x0 - left, 0), max(y0 - upper, 0), min(x1 - left, width), min(y1 - upper, height)
    )  # fmt: skip


def _corners(region: Region, grid: Grid) -> Corners:
    corners = grid.to_index(region.box.corners()) + 0.5
    low, high = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])
