"""Working on questions: the backend is asked, and its answer is scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from napari_medvlm.data.answer import Question
from napari_medvlm.data.errors import BackendUnavailable, MedVLMError, SettingsError
from napari_medvlm.data.geometry.display import patient_axes
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import SliceImage, picture_of
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.outcomes import Outcome
from napari_medvlm.evaluation.ask.plan import Plan
from napari_medvlm.evaluation.ask.scoring import score_answer
from napari_medvlm.sessions.ask.model_input import caption_of
from napari_medvlm.worker.environment_runner import RoutedRunner
from napari_medvlm.worker.messages import AnswerReply, AskRequest


class ItemWorker:
    """Asks one question after the other; the backend stays loaded, in a process of its own.

    Parameters
    ----------
    plan
        As of `Plan.model_dump`.
    """

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self._plan = Plan.model_validate(plan)
        self._runner = RoutedRunner()

    def __call__(self, case: Mapping[str, Any]) -> dict[str, Any]:
        """Ask, as of `Item.model_dump`; what came of it, as of `Outcome.model_dump`."""
        return self.outcome(Item.model_validate(case)).model_dump(mode="json")

    def outcome(self, item: Item) -> Outcome:
        """Ask a question. What is wrong with it is told in the outcome, and not raised."""
        plan = self._plan
        try:
            volumes = [read(path) for path in item.images]
            question = question_of(item, volumes, plan)
            request = AskRequest(plan.backend, volumes[0], plan.model, plan.device, question)
            reply = self._runner.submit(request).result()
            assert isinstance(reply, AnswerReply)
            return score_answer(item, reply.answer, volumes[0], reply.seconds)
        except MedVLMError as error:
            fatal = isinstance(error, BackendUnavailable | SettingsError)
            return Outcome(case=item.name, problem=error.message, hint=error.hint, fatal=fatal)

    def stop(self) -> None:
        """End the backend's process."""
        self._runner.stop()


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
