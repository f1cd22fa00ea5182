"""Answers and regions from what methods of models with their own code return."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from napari_medvlm.backends.detection.base import Look, Seen, regions_of
from napari_medvlm.backends.detection.generated_boxes import look_of
from napari_medvlm.backends.detection.letterbox import framed
from napari_medvlm.backends.model_code.methods import CodeReply, call
from napari_medvlm.backends.models.catalog import Row
from napari_medvlm.backends.models.transformers_loader import Loaded
from napari_medvlm.backends.vlm.chat_messages import messages, pictures_of
from napari_medvlm.backends.vlm.parse_answer import ModelOutput, answer_of
from napari_medvlm.backends.vlm.parse_claims import CitedImages
from napari_medvlm.data.answer import Answer, Claim, Question
from napari_medvlm.data.region import Region
from napari_medvlm.data.slice_image import SliceImage

SEGMENT_PROMPT = "Please segment {phrase}."
"""What UniBiomed is asked, demo/demo_seg3D.py of its repository."""
SEG = "[SEG]"
_LABELLED = re.compile(r"(?:<p>([^<>]*)</p>)?\s*\[SEG\]")
_MARKUP = re.compile(r"</?p>|\s*\[SEG\]")


@dataclass(frozen=True, eq=False)
class CodeAsker:
    """Asks one model by one of its methods.

    Parameters
    ----------
    loaded, row
        The model, and what is known of its kind.
    method
        The method, see `methods.method_of`.
    longest
        Number of tokens that an answer may have.
    name
        Of the model, for people.
    """

    loaded: Loaded
    row: Row
    method: str
    longest: int
    name: str = ""

    def answer(self, question: Question) -> Answer:
        """The answer to a question, its claims with the regions of their masks or boxes."""
        from PIL import Image

        question = replace(question, tools=())
        shown = tuple(
            CitedImages(picture, framed(picture.pixels, self.row.square), caption)
            for picture, caption in pictures_of(question)
        )
        chat = messages(question, self.row, functions=False, frames=[s.framed for s in shown])
        images = [Image.fromarray(s.framed.pixels) for s in shown]
        text = "\n".join(message.text for message in chat if message.text)
        reply = call(self.loaded, self.method, text, images, self.longest)
        answer = answer_of(ModelOutput(reply.text), question, self.row, shown, self.name)
        return _with_masks(answer, reply, [s.picture for s in shown]) if reply.masks else answer

    def look(self, slice_image: SliceImage, phrase: str, text: str) -> Look:
        """The regions of a phrase in an image.

        Parameters
        ----------
        text
            What is sent for the phrase.
        """
        from PIL import Image

        shown = framed(slice_image.pixels, self.row.square)
        images = [Image.fromarray(shown.pixels)]
        reply = call(self.loaded, self.method, text, images, self.longest)
        if self.method != "predict_forward":
            return look_of(
                reply.text, phrase, slice_image, shown=shown, grammar=self.row.grammar,
                asked=(phrase,),
            )  # fmt: skip
        labels = _labels(reply.text)
        seen = [
            Seen(phrase, mask=frames[0], name=labels[k] if k < len(labels) else "")
            for k, frames in enumerate(reply.masks)
            if frames[0].any()
        ]
        return Look(tuple(seen), texts=(reply.text,))


def _labels(text: str) -> list[str]:
    """For each ``[SEG]`` of a text, the words in ``<p>`` before it; empty if there are none."""
    return [(match.group(1) or "").strip() for match in _LABELLED.finditer(text)]


def _with_masks(answer: Answer, reply: CodeReply, pictures: Sequence[SliceImage]) -> Answer:
    """An answer whose claims have the masks of their ``[SEG]``, without the markup.

    Masks without a claim belong to the last one.
    """
    regions = list(_regions(reply, pictures))
    claims, start = [], 0
    for claim in answer.claims or (Claim(answer.text),):
        stop = start + claim.text.count(SEG)
        own = tuple(region for number, region in regions if start <= number < stop)
        claims.append(replace(claim, text=_plain(claim.text), regions=(*claim.regions, *own)))
        start = stop
    rest = tuple(region for number, region in regions if number >= start)
    claims[-1] = replace(claims[-1], regions=(*claims[-1].regions, *rest))
    return replace(answer, text=_plain(answer.text), claims=tuple(claims))


def _regions(reply: CodeReply, pictures: Sequence[SliceImage]) -> Iterator[tuple[int, Region]]:
    """The region of each mask in each image, with the number of its ``[SEG]`` from 0."""
    labels = _labels(reply.text)
    for number, frames in enumerate(reply.masks):
        label = labels[number] if number < len(labels) else ""
        for picture, mask in zip(pictures, frames, strict=False):
            if mask.any():
                seen = Seen(label or f"region {number + 1}", mask=mask, name=label)
                for region in regions_of(picture, Look((seen,))):
                    yield number, region


def _plain(text: str) -> str:
    return " ".join(_MARKUP.sub("", text).split()).replace(" .", ".")
