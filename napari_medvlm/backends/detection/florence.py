"""Florence-2 and what was tuned from it: phrases grounded by writing location tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from napari_medvlm.backends.base import BackendInfo, Task
from napari_medvlm.backends.detection.base import Look
from napari_medvlm.backends.detection.catalogued import CataloguedBackend
from napari_medvlm.backends.detection.generated_boxes import joined, look_of
from napari_medvlm.backends.detection.letterbox import Framed, framed
from napari_medvlm.data.grounding import GroundQuery
from napari_medvlm.data.slice_image import SliceImage


class FlorenceBackend(CataloguedBackend):
    """Boxes by Florence-2, a phrase at a time.

    The score is that of the whole text: the geometric mean of the probabilities of its tokens, as
    AG-KD takes it.
    """

    info = BackendInfo(
        name="florence",
        title="Florence-2",
        code_licence="BSD-3-Clause",
        tasks=frozenset({Task.GROUND}),
        weights_licence="see the model's card",
        modules=("torch", "torchvision", "transformers"),
        memory_mib=2500,
    )
    auto = "Florence2ForConditionalGeneration"
    example = "florence-community/Florence-2-base"
    batch = 1
    settings: ClassVar[dict[str, Any]] = {
        "do_sample": False, "num_beams": 3, "max_new_tokens": 256,
    }  # fmt: skip
    """How the model writes; with three beams, as its authors and those of AG-KD use it."""

    def look(self, slice_images: Sequence[SliceImage], query: GroundQuery) -> list[Look]:
        """Boxes from the text that the model writes for each phrase and image."""
        return [
            joined([self._of(p, phrase, query) for phrase in query.phrases]) for p in slice_images
        ]

    def _of(self, slice_image: SliceImage, phrase: str, query: GroundQuery) -> Look:
        prompt = self.text_for(phrase, query)
        shown = framed(slice_image.pixels, self._row.square)
        text, score = self._write(shown, prompt)
        return look_of(
            text, phrase, slice_image, shown=shown, grammar=self._row.grammar, score=score
        )

    def _write(self, shown: Framed, prompt: str) -> tuple[str, float]:
        """The generated text, and the geometric mean of its token probabilities."""
        import torch

        model = self._loaded.model
        inputs = self._loaded.processor(text=[prompt], images=[shown.pixels], return_tensors="pt")
        with torch.inference_mode():
            out = model.generate(
                **self._loaded.inputs(inputs),
                **self.settings,
                stopping_criteria=[self.tick],
                output_scores=True,
                return_dict_in_generate=True,
            )
        steps = model.compute_transition_scores(out.sequences, out.scores, out.beam_indices)[0]
        written = steps[steps < 0]  # 0 marks tokens that were forced, or fill up
        score = float(written.float().mean().exp()) if len(written) else 0.0
        return self._loaded.text(out.sequences[0].tolist()), score
