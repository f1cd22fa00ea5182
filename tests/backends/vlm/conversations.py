"""Asking an answering backend, and the same by the library alone."""

from __future__ import annotations

import torch
import transformers as hf
from PIL import Image

from napari_medvlm.backends.detection.letterbox import framed
from napari_medvlm.backends.vlm.backend import VLMBackend
from napari_medvlm.backends.vlm.chat_messages import messages
from napari_medvlm.data.answer import Question
from tests.backends import tiny_models as tiny
from tests.backends.detection.queries import picture, volume_of
from tests.backends.vlm import tiny_chat

FAMILIES = {
    "qwen2": tiny.qwen2, "qwen2.5": tiny.qwen25, "qwen3": tiny.qwen3, "internvl": tiny.internvl,
    "paligemma": tiny.paligemma, "llava-next": tiny_chat.llava_next,
    "idefics3": tiny_chat.idefics3, "gemma3": tiny_chat.gemma3,
}  # fmt: skip


def loaded(folder, longest=24):
    """A backend with a model, and a volume to speak of."""
    backend = VLMBackend()
    backend.load(str(folder), "cpu")
    backend.longest_answer = longest
    backend.set_volume(volume_of("portrait")[0])
    return backend


def question_of(*names, **more):
    """A question to pictures of volumes."""
    pictures = tuple(picture(*volume_of(name)) for name in names)
    captions = tuple(f"slice {k + 1} of 9" for k in range(len(pictures)))
    return Question("Is the lung dark?", pictures=pictures, captions=captions, **more)


def ask(backend, question, progress=lambda *_: None):
    """The pieces of text that came, and the answer."""
    deltas = list(backend.answer(question, progress))
    return [delta.text for delta in deltas if delta.text], deltas[-1].answer


class ByHand:
    """The same model by the library alone: its processor, its template, its generate."""

    def __init__(self, folder, row, *, system=True):
        self.model = hf.AutoModelForImageTextToText.from_pretrained(folder).eval()
        self.processor = hf.AutoProcessor.from_pretrained(folder)
        self.row, self.system = row, system

    def inputs(self, question):
        chat = messages(question, self.row, functions=False)
        pictures = [framed(p.pixels, self.row.square).pixels for p in question.pictures]
        images = [Image.fromarray(pixels) for pixels in pictures]
        if not self.processor.chat_template:
            text = "<image>" * len(images) + "\n".join(m.text for m in chat)
            return self.processor(images=images, text=[text], return_tensors="pt")
        dialogue = [
            {
                "role": m.role,
                "content": [
                    {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
                    for part in m.parts
                ],
            }
            for m in chat
        ]
        if not self.system:
            system, first = dialogue
            dialogue = [{**first, "content": system["content"] + first["content"]}]
        text = self.processor.apply_chat_template(
            dialogue, add_generation_prompt=True, tokenize=False
        )
        return self.processor(images=images or None, text=[text], return_tensors="pt")

    def tokens(self, question, longest=24, **settings):
        model_inputs = self.inputs(question)
        with torch.inference_mode():
            out = self.model.generate(
                **model_inputs, do_sample=False, num_beams=1, max_new_tokens=longest, **settings
            )
        return out[0, model_inputs["input_ids"].shape[1] :].tolist()
