"""The network: a residual 3D U-Net that works at half the resolution of the crop and below."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.prompts import CHANNELS

GROUPS = 8


class Block(nn.Module):  # type: ignore[misc]  # torch is not analysed
    """Two normalised convolutions and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, channels)
        self.conv1 = nn.Conv3d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(GROUPS, channels)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as the input."""
        y = self.conv1(functional.leaky_relu(self.norm1(x), 0.1))
        return x + self.conv2(functional.leaky_relu(self.norm2(y), 0.1))


class PromptUNet(nn.Module):  # type: ignore[misc]  # torch is not analysed
    """Segments what the prompts mark and predicts the Dice of its own mask.

    The first convolution takes 2 x 2 x 2 voxels at once and the last one returns 2 x 2 x 2 logits:
    no layer is computed at full resolution, where a CPU is slow with few channels.

    Parameters
    ----------
    widths
        Channels at 1/2, 1/4, 1/8, ... of the resolution, multiples of 8; the sides of the crop are
        multiples of 2 to the power of their number.
    """

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128)) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.down = nn.ModuleList()
        self.encode = nn.ModuleList()
        for before, width in zip((len(CHANNELS), *widths[:-1]), widths, strict=True):
            self.down.append(nn.Conv3d(before, width, 2, stride=2))
            self.encode.append(Block(width))
        self.up = nn.ModuleList(nn.Conv3d(deep, width, 1) for width, deep in pairwise(widths))
        self.decode = nn.ModuleList(Block(width) for width in widths[:-1])
        self.norm = nn.GroupNorm(GROUPS, widths[0])
        self.logits = nn.Conv3d(widths[0], 8, 3, padding=1)
        self.score = nn.Sequential(
            nn.Linear(widths[-1] + widths[0] + 2, 64), nn.LeakyReLU(0.1), nn.Linear(64, 1)
        )

    def forward(self, channels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(B, N, N, N)`` and the logit of the predicted Dice ``(B,)``.

        Parameters
        ----------
        channels
            ``(B, len(CHANNELS), N, N, N)``, see `training.prompts`.
        """
        x, skips = channels, []
        for down, encode in zip(self.down, self.encode, strict=True):
            x = encode(down(x))
            skips.append(x)
        deepest = x
        for k in reversed(range(len(self.up))):
            wide = functional.interpolate(self.up[k](x), scale_factor=2.0, mode="nearest")
            x = self.decode[k](skips[k] + wide)
        features = functional.leaky_relu(self.norm(x), 0.1)
        eight = self.logits(features)
        return _interleaved(eight), self._score(deepest, features, eight)

    def _score(self, deepest: Tensor, features: Tensor, eight: Tensor) -> Tensor:
        """From means over the crop and over the mask; the mask's gradient is not followed."""
        voxels = torch.sigmoid(eight.detach())
        part = voxels.mean(1, keepdim=True)
        mass = part.mean((2, 3, 4))
        inside = (features.detach() * part).mean((2, 3, 4)) / (mass + 1e-4)
        unsure = (voxels * (1 - voxels)).mean((1, 2, 3, 4))[:, None] / (mass + 1e-4)
        overall = deepest.detach().mean((2, 3, 4))
        joined = torch.cat((overall, inside, mass, unsure), 1)
        return self.score(joined)[:, 0]


def _interleaved(eight: Tensor) -> Tensor:
    """``(B, 8, n, n, n)`` at half the resolution as ``(B, 2n, 2n, 2n)``."""
    b, _, d, h, w = eight.shape
    blocks = eight.reshape(b, 2, 2, 2, d, h, w).permute(0, 4, 1, 5, 2, 6, 3)
    return blocks.reshape(b, 2 * d, 2 * h, 2 * w)


def parameter_count(network: nn.Module) -> int:
    """Number of trained values."""
    return sum(p.numel() for p in network.parameters())
