"""Weights of the converted model as functions of the weights of a checkpoint."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_medvlm.data.errors import BackendUnavailable

if TYPE_CHECKING:
    import torch

    Compute = Callable[[Sequence[torch.Tensor]], torch.Tensor]
Rules = Sequence[tuple[str, str]]
"""Regular expressions and their replacements, applied in order to a weight's name."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """How a weight is made.

    Parameters
    ----------
    sources
        Names of the weights that it is made of.
    compute
        From their tensors to its tensor; `None`: the only source as it is.
    """

    sources: tuple[str, ...]
    compute: Compute | None = None

    def apply(self, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        """The weight from the tensors of its sources."""
        return tensors[0] if self.compute is None else self.compute(tensors)


def renamed(name: str, rules: Rules) -> str:
    """A name after all rules."""
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def rename_all(names: Iterable[str], rules: Rules) -> dict[str, Recipe]:
    """A recipe for each name by its new name.

    Raises
    ------
    BackendUnavailable
        If two weights get the same name.
    """
    recipes: dict[str, Recipe] = {}
    for name in names:
        new = renamed(name, rules)
        if new in recipes:
            raise BackendUnavailable(
                f"The weights {recipes[new].sources[0]} and {name} would both be named {new}.",
                "The checkpoint mixes two layouts; download it again.",
            )
        recipes[new] = Recipe((name,))
    return recipes


def rows(start: int, stop: int) -> Compute:
    """Take rows of a tensor."""
    return lambda tensors: tensors[0][start:stop]


def padded_rows(count: int) -> Compute:
    """Append rows of zeros to a tensor ``(n, d)`` until it has a number of rows."""

    def pad(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        (tensor,) = tensors
        return stacked_rows([tensor, tensor.new_zeros((count - len(tensor), *tensor.shape[1:]))])

    return pad


def stacked_rows(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Concatenate tensors along their first axis."""
    import torch

    return torch.cat(tuple(tensors), dim=0)


def shapes_of(
    recipes: Mapping[str, Recipe], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """The shapes that recipes give, computed without reading a weight."""
    import torch

    def empty(name: str) -> torch.Tensor:
        return torch.empty(shapes[name], device="meta")

    return {
        name: tuple(recipe.apply([empty(source) for source in recipe.sources]).shape)
        for name, recipe in recipes.items()
    }
