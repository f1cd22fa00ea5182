"""Image-text models of the transformers library that write where things are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from napari_medvlm.backends.answers import joined, look_of
from napari_medvlm.backends.base import BackendInfo, Task
from napari_medvlm.backends.catalogued import CataloguedBackend
from napari_medvlm.backends.framing import Framed, framed
from napari_medvlm.backends.slicewise import Look
from napari_medvlm.grounding import GroundQuery
from napari_medvlm.slicing import Picture


class VLMBackend(CataloguedBackend):
    """Boxes by any image-text model whose way of writing them the catalog knows.

    Each phrase is asked for by itself. There are no scores: these models give none.
    """

    info = BackendInfo(
        name="vlm",
        title="Vision-language model",
        code_licence="BSD-3-Clause",
        tasks=frozenset({Task.GROUND}),
        weights_licence="see the model's card",
        modules=("torch", "torchvision", "transformers"),
        memory_mib=18000,
    )
    auto = "AutoModelForImageTextToText"
    example = "Qwen/Qwen2.5-VL-3B-Instruct"
    batch = 1
    settings: ClassVar[dict[str, Any]] = {
        "do_sample": False, "num_beams": 1, "max_new_tokens": 256,
    }  # fmt: skip
    """How the model writes: always the likeliest token, so the same question has one answer."""

    def look(self, pictures: Sequence[Picture], query: GroundQuery) -> list[Look]:
        """What the model writes of each phrase in each picture, as boxes and points."""
        return [
            joined([self._of(p, phrase, query.prompt_of(phrase)) for phrase in query.phrases])
            for p in pictures
        ]

    def _of(self, picture: Picture, phrase: str, prompt: str) -> Look:
        self._loaded.refuse_control(prompt)
        shown = framed(picture.pixels, self._row.square)
        made = self._inputs(shown, self.text_for(prompt))
        tokens = self._write(made)
        look = look_of(
            self._loaded.text(tokens),
            phrase,
            picture,
            shown=replace(shown, seen=self._seen_size(made)),
            grammar=self._row.grammar,
            asked=(phrase, prompt),
        )
        longest = self.settings["max_new_tokens"]
        if len(tokens) < longest or tokens[-1] in self._loaded.ends:
            return look
        note = f"{phrase!r}: the model was stopped after {longest} tokens, before it had ended."
        return replace(look, notes=(*look.notes, note))

    def _inputs(self, shown: Framed, prompt: str) -> Any:
        from PIL import Image

        processor, image = self._loaded.processor, Image.fromarray(shown.pixels)
        if not getattr(processor, "chat_template", None):
            prompt = f"{getattr(processor, 'image_token', '')}{prompt}"
            made = processor(images=[image], text=[prompt], return_tensors="pt")
        else:
            parts = [{"type": "image", "image": image}, {"type": "text", "text": prompt}]
            made = processor.apply_chat_template(
                [{"role": "user", "content": parts}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        return self._loaded.inputs(made)

    def _seen_size(self, made: Any) -> tuple[int, int] | None:
        """Height and width that the processor resized the image to, where it says so.

        Qwen's says it as a grid of patches: frames, rows and columns.
        """
        if "image_grid_thw" not in made:
            return None
        _, rows, columns = made["image_grid_thw"][0].tolist()
        patch = self._loaded.processor.image_processor.patch_size
        return rows * patch, columns * patch

    def _write(self, made: Any) -> list[int]:
        """The tokens that the model writes."""
        import torch

        model = self._loaded.model
        with torch.inference_mode():
            (tokens,) = model.generate(**made, **self.settings, stopping_criteria=[self.tick])
        start = 0 if model.config.is_encoder_decoder else made["input_ids"].shape[1]
        written: list[int] = tokens[start:].tolist()
        return written
