"""A question as a model of transformers reads it: by its own chat template, within its context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from napari_medvlm.backends.box_formats import GRAMMARS
from napari_medvlm.backends.detection.letterbox import framed
from napari_medvlm.backends.models.catalog import Row
from napari_medvlm.backends.models.transformers_loader import Loaded
from napari_medvlm.backends.vlm.chat_messages import Message, fewer_pictures, messages, pictures_of
from napari_medvlm.backends.vlm.parse_claims import CitedImages, crop_note
from napari_medvlm.backends.vlm.written_places import PlacesText
from napari_medvlm.data.answer import Question
from napari_medvlm.data.errors import InvalidPrompt

ADDED = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")
"""Inputs that have a value for each token."""
ANSWER_IS_1 = {"paligemma"}
"""Kinds of models that read tokens of type 0 all at once; those of the answer are of type 1."""


@dataclass(frozen=True, eq=False)
class ModelInputs:
    """A question put to a model.

    Parameters
    ----------
    question
        With the images that are left.
    tensors
        The model's inputs.
    shown
        The images that are sent, in the order of their numbers.
    dropped
        How many of the first images were left out.
    inside
        Whether the template opens a thought.
    room
        How many tokens there are for the answer.
    notes
        What the user must know of it.
    text
        The chat as the model's template has it, with its signs for images.
    """

    question: Question
    tensors: Any
    shown: tuple[CitedImages, ...]
    dropped: int = 0
    inside: bool = False
    room: int = 0
    notes: tuple[str, ...] = ()
    text: str = ""

    @property
    def length(self) -> int:
        """Number of tokens of the question."""
        return int(self.tensors["input_ids"].shape[1])


def build_inputs(loaded: Loaded, row: Row, question: Question, room: int) -> ModelInputs:
    """A question as inputs of a model; too many images are left out, oldest first.

    Parameters
    ----------
    room
        How many tokens the model is to have for its answer; a quarter of its context will do.

    Raises
    ------
    InvalidPrompt
        If the text alone is too long, or has a word that is a sign for the model.
    """
    _refuse_control(loaded, question)
    full_question = question if row.tools else replace(question, tools=())
    count = len(pictures_of(full_question))
    dropped = max(count - row.max_images, 0) if row.max_images else 0
    context = context_of(loaded)
    while True:
        shortened, note = fewer_pictures(full_question, dropped) if dropped else (full_question, "")
        inputs = _put(loaded, row, shortened)
        excess = inputs.length + min(room, context // 4) - context
        if excess <= 0:
            left = min(room, context - inputs.length)
            notes = tuple(filter(None, (note, crop_note(inputs.shown))))
            return replace(inputs, dropped=dropped, room=left, notes=notes)
        if dropped == count:
            raise InvalidPrompt(
                f"The question and the conversation before it are {excess} tokens too long: the "
                f"model reads {context}, its answer included.",
                "Start a new conversation, or shorten the clinical context.",
            )
        tokens_per_image = inputs.length / (count - dropped)  # or less: the text counts too
        dropped = min(dropped + max(int(excess / tokens_per_image), 1), count)


def context_of(loaded: Loaded) -> int:
    """Context length of a model in tokens."""
    text = loaded.model.config.get_text_config()
    return int(getattr(text, "max_position_embeddings", 0) or 10**9)


def is_cropped(loaded: Loaded, row: Row) -> bool:
    """Whether a model is shown the middle square of an image only."""
    processor = getattr(loaded.processor, "image_processor", None)
    return row.center_crop or bool(getattr(processor, "do_center_crop", False))


def with_tokens(loaded: Loaded, inputs: Any, tokens: Sequence[int]) -> Any:
    """Inputs of a question with what was written to it."""
    import torch

    kind = int(loaded.kind in ANSWER_IS_1)
    more = {name: value for name, value in inputs.items() if name != "labels"}
    for name in ADDED:
        if name in inputs:
            fill = {"input_ids": tokens, "attention_mask": [1] * len(tokens)}
            values = torch.tensor([fill.get(name, [kind] * len(tokens))]).to(inputs[name])
            more[name] = torch.cat([inputs[name], values], dim=1)
    return more


def _put(loaded: Loaded, row: Row, question: Question) -> ModelInputs:
    shown = tuple(
        CitedImages(
            picture,
            framed(picture.pixels, row.square, is_cropped(loaded, row), row.full_range),
            caption,
        )
        for picture, caption in pictures_of(question)
    )
    if row.pixel_size or (question.places and _writes_pixels(row)):
        plain = messages(replace(question, places=()), row, functions=False)
        shown = _seen(loaded, shown, _inputs(loaded, plain, shown)[0])
    chat = messages(question, row, functions=False, frames=[s.framed for s in shown])
    inputs, text = _inputs(loaded, chat, shown)
    inside = any(text.rstrip().endswith(opening) for opening, _ in row.markers)
    seen = _seen(loaded, shown, inputs)
    return ModelInputs(question, loaded.inputs(inputs), seen, inside=inside, text=text)


def _writes_pixels(row: Row) -> bool:
    """Whether a model writes pixels of the image that its processor made."""
    grammar = GRAMMARS.get(row.grammar)
    return grammar is not None and grammar.scale is None


def _seen(loaded: Loaded, shown: Sequence[CitedImages], inputs: Any) -> tuple[CitedImages, ...]:
    """Images with the sizes that the processor made of them."""
    return tuple(
        replace(s, framed=replace(s.framed, seen=seen_size(loaded, inputs, k)))
        for k, s in enumerate(shown)
    )


def _inputs(
    loaded: Loaded, chat: Sequence[Message], shown: Sequence[CitedImages]
) -> tuple[Any, str]:
    """The inputs that the processor makes of a chat, and its text as the template has it."""
    processor = loaded.processor
    images = _images(shown)
    if not getattr(processor, "chat_template", None):
        signs = str(getattr(processor, "image_token", "")) * len(images)
        text = signs + "\n".join(m.text for m in chat if m.text)
        return processor(images=images or None, text=[text], return_tensors="pt"), text
    messages = [_message(loaded, message, images) for message in chat]
    messages, text = _rendered(processor, messages)
    inputs = processor.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    return inputs, text


def _images(shown: Sequence[CitedImages]) -> list[Any]:
    from PIL import Image

    return [Image.fromarray(s.framed.pixels) for s in shown]


def _message(loaded: Loaded, message: Message, images: list[Any]) -> dict[str, Any]:
    """A message as templates take it; its images are taken from the front of the images."""
    content: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, str):
            own = message.role == "system" or isinstance(part, PlacesText)
            text = part if own else loaded.without_control(part)
            content.append({"type": "text", "text": text})
        else:
            content.append({"type": "image", "image": images.pop(0)})
    return {"role": message.role, "content": content}


def _rendered(processor: Any, messages: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    """Messages that the template renders in full, and what it makes of them.

    Some templates refuse a system message or pass over it: then it begins the first of the user's.
    """
    from jinja2 import TemplateError

    def text(chat: list[dict[str, Any]]) -> str:
        return str(processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False))

    system, first, *others = messages
    system_text = system["content"][0]["text"]
    if not system_text:
        return messages[1:], text(messages[1:])
    try:
        rendered = text(messages)
        if system_text.strip() in rendered:
            return messages, rendered
    except TemplateError:
        pass
    merged = [{**first, "content": [*system["content"], *first["content"]]}, *others]
    return merged, text(merged)


def seen_size(loaded: Loaded, inputs: Any, number: int) -> tuple[int, int] | None:
    """Height and width that the processor resized an image to, if known.

    Qwen's says it as a grid of patches: frames, rows and columns.
    """
    if "image_grid_thw" not in inputs:
        return None
    _, rows, columns = inputs["image_grid_thw"][number].tolist()
    patch = loaded.processor.image_processor.patch_size
    return rows * patch, columns * patch


def _refuse_control(loaded: Loaded, question: Question) -> None:
    """Reject user text with control tokens of the model."""
    names = (named.name for named in question.places)
    texts = (question.text, question.context, *question.options, *question.captions, *names)
    for words in (*texts, *(turn.question for turn in question.earlier)):
        loaded.refuse_control(words)
