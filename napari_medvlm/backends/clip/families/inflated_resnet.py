"""A ResNet with bottlenecks in 3D, inflated from 2D as in Merlin.

Carreira and Zisserman 2017, https://arxiv.org/abs/1705.07750. The steps are those of
https://github.com/StanfordMIMI/Merlin, ``merlin/models/i3res.py`` and ``inflate.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_medvlm.backends.clip.families.towers import count_of, filled

if TYPE_CHECKING:
    import torch

    from napari_medvlm.backends.clip.families.towers import State

EXPANSION = 4
"""Channels that a bottleneck gives for each that it computes with."""
PARTS = ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4.")


def inflated_resnet(state: State) -> Any:
    """The network from volumes ``(B, 3, z, y, x)`` to features ``(B, C)``.

    Parameters
    ----------
    state
        Under the names of the authors; weights of other parts are left out.
    """
    from torch import nn

    stem = state["conv1.weight"].shape[0]
    layers: dict[str, Any] = {
        "conv1": nn.Conv3d(3, stem, (3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3), bias=False),
        "bn1": nn.BatchNorm3d(stem),
        "relu": nn.ReLU(),
        "maxpool": nn.MaxPool3d(3, stride=2, padding=1),
    }
    wide = stem
    for number in (1, 2, 3, 4):
        inner = state[f"layer{number}.0.conv1.weight"].shape[0]
        count = count_of(state, rf"layer{number}\.(\d+)\.")
        blocks = []
        for k in range(count):
            blocks.append(_bottleneck(wide, inner, 2 if number > 1 and k == 0 else 1))
            wide = EXPANSION * inner
        layers[f"layer{number}"] = nn.Sequential(*blocks)
    layers |= {"avgpool": nn.AdaptiveAvgPool3d(1), "flatten": nn.Flatten()}
    network = nn.Sequential()
    for name, layer in layers.items():
        network.add_module(name, layer)
    own = {name: weight for name, weight in state.items() if name.startswith(PARTS)}
    return filled(network, own, "image encoder")


def _bottleneck(wide: int, inner: int, step: int) -> Any:
    """A block from ``wide`` channels to ``EXPANSION * inner``, with a step in all directions."""
    from torch import nn

    class Bottleneck(nn.Module):  # type: ignore[misc]  # torch is not typed here
        def __init__(self) -> None:
            super().__init__()
            out = EXPANSION * inner
            self.conv1 = nn.Conv3d(wide, inner, 1, bias=False)
            self.bn1 = nn.BatchNorm3d(inner)
            self.conv2 = nn.Conv3d(inner, inner, 3, stride=step, padding=1, bias=False)
            self.bn2 = nn.BatchNorm3d(inner)
            self.conv3 = nn.Conv3d(inner, out, 1, bias=False)
            self.bn3 = nn.BatchNorm3d(out)
            self.downsample = nn.Sequential()
            if wide != out or step > 1:
                self.downsample.append(nn.Conv3d(wide, out, 1, stride=step, bias=False))
                self.downsample.append(nn.BatchNorm3d(out))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = self.bn1(self.conv1(x)).relu()
            out = self.bn2(self.conv2(out)).relu()
            result: torch.Tensor = (self.bn3(self.conv3(out)) + self.downsample(x)).relu()
            return result

    return Bottleneck()
