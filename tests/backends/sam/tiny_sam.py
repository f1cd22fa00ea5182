"""Small Segment Anything checkpoints with random weights, as the library itself saves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from napari_medvlm.backends.sam.checkpoint import Layout

LAYOUT = Layout(
    width=32, depth=2, heads=2, side=128, patch=16, window=4, everywhere=(1,), channels=32,
    mask_channels=16, masks=3, decoder_depth=2, decoder_width=64, score_depth=3, score_width=32,
)  # fmt: skip


def network(layout: Layout = LAYOUT, seed: int = 0, lift: float = 0.0):
    """A network whose masks depend on picture and prompts.

    Parameters
    ----------
    lift
        Added to all logits of masks: with much of it a mask fills most of a picture.
    """
    torch.manual_seed(seed)
    sam = layout.build()
    with torch.no_grad():
        for name, weight in sam.named_parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.9 * weight[0].numel() ** -0.5)
            elif name.endswith("bias"):
                weight.normal_(0, 0.1)
        sam.prompt_encoder.no_mask_embed.weight.normal_()
        for mlp in sam.mask_decoder.output_hypernetworks_mlps:
            mlp.layers[-1].weight.mul_(4)
            mlp.layers[-1].weight[0], mlp.layers[-1].bias[0] = 0, 1
        sam.mask_decoder.output_upscaling[3].weight[:, 0] = 0
        sam.mask_decoder.output_upscaling[3].bias[0] = lift
        sam.mask_decoder.iou_prediction_head.layers[-1].bias.add_(0.8)
    return sam


def checkpoint(folder: Path, name: str = "sam_tiny.pth", **how: object) -> Path:
    """The file of such a network."""
    path = folder / name
    torch.save(network(**how).state_dict(), path)
    return path


def picture(seed: int = 0, size: tuple[int, int] = (60, 72)) -> np.ndarray:
    """A random picture."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
