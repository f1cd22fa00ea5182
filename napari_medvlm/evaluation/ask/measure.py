"""Measuring a question: the backend is asked, and its answer is scored."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from napari_medvlm.data.answer import Question
from napari_medvlm.data.geometry.display import patient_axes
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import SliceImage, picture_of
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.outcomes import Outcome
from napari_medvlm.evaluation.ask.plan import Plan
from napari_medvlm.evaluation.ask.scoring import score_answer
from napari_medvlm.sessions.ask.image_selection import caption_of
from napari_medvlm.worker.environment_runner import RoutedRunner
from napari_medvlm.worker.messages import AskRequest


def measure(item: Item, plan: Plan, runner: RoutedRunner) -> Outcome:
    """Ask a question and score the answer; errors as of `read_volume` and a backend."""
    volumes = [read(path) for path in item.images]
    question = question_of(item, volumes, plan)
    request = AskRequest(plan.backend, volumes[0], plan.model, plan.device, question)
    reply = runner.reply_to(request)
    return score_answer(item, reply.answer, volumes[0], reply.seconds)


def question_of(item: Item, volumes: Sequence[Volume], plan: Plan) -> Question:
    """The question with its pictures: all images, each with as many slices as its share is."""
    images_sent: list[tuple[SliceImage, str]] = []
    for number, volume in enumerate(volumes if plan.images else ()):
        name = item.captions[number] if item.captions else ""
        name = name or (f"image {number + 1}" if len(volumes) > 1 else "")
        for slice_ref in _slices(volume, max(plan.slices // len(volumes), 1)):
            image = picture_of(volume, slice_ref)
            caption = "" if volume.shape[0] == 1 else caption_of(volume, slice_ref, image.windows)
            images_sent.append(
                (image, ", ".join(part for part in (name, caption) if part) or "the image")
            )
    return Question(
        item.prompt_text,
        context=item.context,
        kind=item.kind,
        options=item.options if item.prompt_text == item.question else (),
        pictures=tuple(image for image, _ in images_sent),
        captions=tuple(caption for _, caption in images_sent),
        boxes=plan.boxes or bool(item.boxes),
    )


@lru_cache(maxsize=2)
def read(path: Path) -> Volume:
    """An image; the last two stay in memory, as questions about one stand together."""
    from napari_medvlm.io import read_volume

    return read_volume(path)


def _slices(volume: Volume, number: int) -> list[SliceRef]:
    axis = 0 if volume.shape[0] == 1 else patient_axes(volume.affine)[0]
    length = volume.shape[axis]
    count = min(number, length)
    middles = (np.arange(count) + 0.5) * length / count
    return [SliceRef(axis, int(at)) for at in middles]
