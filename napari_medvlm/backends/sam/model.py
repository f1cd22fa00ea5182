"""The network at work: images to embeddings, embeddings and prompts to masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.models import transformers_loader
from napari_medvlm.backends.sam.checkpoint import digest_of, load_sam
from napari_medvlm.backends.sam.propagation import SliceMask, StopRule
from napari_medvlm.backends.sam.slice_prompts import SlicePrompts

if TYPE_CHECKING:
    import torch

SURE = float(np.log(0.999 / 0.001))
"""The logit that a given mask has inside; outside it has the negative."""


class SamModel:
    """A network of Segment Anything's shape; it gives what the library's `SamPredictor` gives."""

    recipe = "sam"
    """How images are prepared; part of the identity of an embedding."""
    stop = StopRule()
    takes_words = False
    """Whether the words of `with_words` count."""

    def __init__(self, path: Path, device: str) -> None:
        from segment_anything import SamPredictor

        self.device = transformers_loader.torch_device(device)
        self._predictor = SamPredictor(self._network(path).to(self.device))
        self.sam: Any = self._predictor.model
        self.half = False
        self.digest = digest_of(path)

    def with_words(self, words: str) -> SamModel:
        """The same network for an object of a name; itself if it takes no words."""
        return self

    def move_to(self, device: str | torch.device, half: bool = False) -> None:
        """Move the network to a device, and set half precision for the encoder on GPUs."""
        import torch

        self.sam.to(device)
        self.device, self.half = torch.device(device), half

    @property
    def side(self) -> int:
        """Pixels along the edge of the image that the network takes."""
        return int(self.sam.image_encoder.img_size)

    def prepared(self, pixels: NDArray[np.uint8]) -> torch.Tensor:
        """An image ``(h, w, 3)`` uint8 RGB in the size that the network takes, ``(3, h, w)``."""
        import torch

        resized = self._predictor.transform.apply_image(pixels)
        return torch.as_tensor(resized).permute(2, 0, 1).contiguous()

    def embed(self, images: list[torch.Tensor]) -> torch.Tensor:
        """The embeddings ``(n, c, h, w)`` float32 of prepared images of one size."""
        import torch

        half = torch.autocast(self.device.type, torch.float16, enabled=self.half)
        with torch.no_grad(), half:
            batch = torch.stack(images).to(self.device)
            embeddings: torch.Tensor = self.sam.image_encoder(self._normal(batch))
        return embeddings.float()

    def masks(
        self, embedding: torch.Tensor, size: tuple[int, int], prompts: SlicePrompts, several: bool
    ) -> list[SliceMask]:
        """The masks that the network offers for prompts on an image.

        Parameters
        ----------
        embedding
            ``(c, h, w)`` of the image.
        size
            Height and width of the image.
        several
            Whether to offer all masks, from a part to the whole, or the one for clear prompts.
        """
        predictor = self._predictor
        predictor.features = embedding[None].to(self.device)
        predictor.original_size, predictor.input_size = size, self._input_size(size)
        predictor.is_image_set = True
        masks, scores, _ = predictor.predict(
            point_coords=np.array(prompts.points) if prompts.points else None,
            point_labels=np.array(prompts.labels) if prompts.points else None,
            box=None if prompts.box is None else np.array(prompts.box),
            mask_input=None if prompts.area is None else self._logits(prompts.area),
            multimask_output=several,
        )
        return [SliceMask(m, float(s)) for m, s in zip(masks, scores, strict=True)]

    def _network(self, path: Path) -> Any:
        return load_sam(path)

    def _normal(self, batch: torch.Tensor) -> torch.Tensor:
        normal: torch.Tensor = self.sam.preprocess(batch)
        return normal

    def _input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width that an image of a size has in the network's square."""
        height, width = self._predictor.transform.get_preprocess_shape(*size, self.side)
        return int(height), int(width)

    def _logits(self, area: NDArray[np.bool_]) -> NDArray[np.float32]:
        """A mask over the image as the network takes it, ``(1, h, w)``."""
        import torch

        size = self.sam.prompt_encoder.mask_input_size[0]
        scale = size / self.side
        height, width = (max(round(n * scale), 1) for n in self._input_size(area.shape[:2]))
        small = torch.nn.functional.interpolate(
            torch.as_tensor(area, dtype=torch.float32)[None, None],
            (height, width),
            mode="bilinear",
            antialias=True,
        )
        logits = np.full((1, size, size), -SURE, np.float32)
        logits[0, :height, :width] = np.where(small[0, 0].numpy() > 0.5, SURE, -SURE)
        return logits


class StretchedSamModel(SamModel):
    """A network of the same shape that was trained on images stretched to a square."""

    def _prompts(self, size: tuple[int, int], prompts: SlicePrompts) -> tuple[Any, Any]:
        """Prompts embedded."""
        import torch

        stretch = torch.tensor([self.side / size[1], self.side / size[0]])
        points = box = mask = None
        if prompts.points:
            scaled = torch.tensor(prompts.points).float() * stretch
            labels = torch.tensor([prompts.labels], device=self.device)
            points = (scaled[None].to(self.device), labels)
        if prompts.box is not None:
            box = (torch.tensor(prompts.box).float() * stretch.repeat(2))[None].to(self.device)
        if prompts.area is not None:
            mask = torch.as_tensor(self._logits(prompts.area), device=self.device)[None]
        sparse, dense = self.sam.prompt_encoder(points=points, boxes=box, masks=mask)
        return sparse, dense

    def _input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return self.side, self.side


class MedSamModel(StretchedSamModel):
    """MedSAM, which was trained on images stretched to a square, their values from 0 to 1.

    It predicts one mask, and no score that it was trained for, so only the overlap shows where an
    object ends.
    """

    recipe = "medsam"
    stop = StopRule(score=-np.inf)

    def prepared(self, pixels: NDArray[np.uint8]) -> torch.Tensor:
        """An image ``(h, w, 3)`` uint8 RGB stretched to the network's square."""
        import torch
        from skimage.transform import resize

        square = resize(
            pixels, (self.side, self.side), order=3, preserve_range=True, anti_aliasing=True
        ).astype(np.uint8)
        low, high = int(square.min()), int(square.max())
        unit = (square - low) / max(high - low, 1e-8)
        return torch.tensor(unit).float().permute(2, 0, 1).contiguous()

    def masks(
        self, embedding: torch.Tensor, size: tuple[int, int], prompts: SlicePrompts, several: bool
    ) -> list[SliceMask]:
        """The mask of the prompts on an image."""
        import torch

        with torch.no_grad():
            sparse, dense = self._prompts(size, prompts)
            logits, scores = self.sam.mask_decoder(
                image_embeddings=embedding[None].to(self.device),
                image_pe=self.sam.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=False,
            )
            shown = torch.nn.functional.interpolate(torch.sigmoid(logits), size, mode="bilinear")
        return [SliceMask((shown[0, 0] > 0.5).cpu().numpy(), float(scores[0, 0]))]

    def _normal(self, batch: torch.Tensor) -> torch.Tensor:
        return batch
