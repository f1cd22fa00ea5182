"""Labelled cases: an image, its labels, and which structures are in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from napari_medvlm.data.errors import InvalidImage, InvalidReference
from napari_medvlm.data.geometry.grid import Index
from napari_medvlm.data.mask import BoolArray, Mask
from napari_medvlm.data.text import did_you_mean
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.runs.cases import EvaluationCase

MAX_LABELS = 1000
"""More values than this are no labels; the largest atlases have some hundreds."""


class Layout(StrEnum):
    """How a data set lies on disk."""

    PAIRS = "pairs"
    """A folder of images and one of labels, paired by their names."""
    NNUNET = "nnunet"
    """nnU-Net's raw data: ``dataset.json``, ``imagesTr``, ``labelsTr``."""
    MSD = "msd"
    """The Medical Segmentation Decathlon: a ``dataset.json`` that lists images and labels."""
    CVPR25 = "cvpr25"
    """The CVPR 2025 challenge: ``.npz`` with ``imgs``, ``gts`` and ``spacing``."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Structure(_Value):
    """What is to be segmented: a name, and the label values that it is made of.

    Attributes
    ----------
    box
        Half-open index box that comes with the data, for users who begin with a box.
    """

    name: str
    values: tuple[int, ...]
    box: tuple[Index, Index] | None = None


class Case(EvaluationCase):
    """An image and its labels.

    Attributes
    ----------
    channel
        Which volume of a 4D image, from 0.
    structures
        What is in the labels, as far as the data set states it; if nothing, each value is one.
    """

    image: Path
    labels: Path
    layout: Layout
    channel: int | None = None
    structures: tuple[Structure, ...] = ()


@dataclass(frozen=True, eq=False)
class Loaded:
    """A case in memory.

    Parameters
    ----------
    labels
        ``(z, y, x)`` of whole numbers on the volume's grid.
    covered
        By the value of an object that overlaps others, its voxels that have another's value in
        ``labels``.
    """

    volume: Volume
    labels: NDArray[np.integer]
    structures: tuple[Structure, ...]
    covered: Mapping[int, Mask] = field(default_factory=dict)

    def truth(self, structure: Structure) -> BoolArray:
        """``(z, y, x)`` bool: where a structure is."""
        inside = np.isin(self.labels, structure.values)
        for value in self.covered.keys() & set(structure.values):
            mask = self.covered[value]
            inside[mask.slices] |= mask.crop
        return inside


def chosen(structures: Sequence[Structure], wanted: Sequence[str]) -> tuple[Structure, ...]:
    """The structures of those names or values; all if none is wanted."""
    keys = {text.strip().casefold() for text in wanted}
    return tuple(s for s in structures if not keys or keys & _keys(s))


def unknown(structures: Sequence[Structure], wanted: Sequence[str]) -> tuple[str, ...]:
    """Of the names or values that are wanted, those that no structure has."""
    return tuple(text for text in wanted if not chosen(structures, [text]))


def require_known(cases: Sequence[Case], wanted: Sequence[str]) -> None:
    """Raise `InvalidReference` if the data set names its structures, and one is not among them."""
    known = {s.name: s for case in cases for s in case.structures}
    for text in unknown(tuple(known.values()), wanted) if known else ():
        raise InvalidReference(
            f"There is no structure {text!r} in the data set.",
            f"{did_you_mean(text, known)}It has: {', '.join(known)}.",
        )


def present(case: Case, loaded: Loaded, wanted: Sequence[str]) -> tuple[Structure, ...]:
    """The structures of those names or values that a case has; all if none is wanted.

    Raises
    ------
    InvalidReference
        If it has none of them.
    """
    structures = chosen(loaded.structures, wanted)
    if structures:
        return structures
    names = ", ".join(structure.name for structure in loaded.structures)
    raise InvalidReference(
        f"{case.labels.name} has none of the structures {', '.join(wanted)}, only {names}."
        if names
        else f"{case.labels.name} has no label: all of it is background.",
        "Choose structures that the labels have with --structure, or other labels.",
    )


def integer_labels(data: NDArray[np.generic], path: Path) -> NDArray[np.integer]:
    """Labels as whole numbers; `InvalidImage` if they are fractions."""
    if data.dtype.kind in "iu":
        return data  # type: ignore[return-value]
    rounded = np.round(data.astype(np.float64))
    if not np.array_equal(rounded, data):
        raise InvalidImage(
            f"{path.name} holds fractions, not labels.", "Choose the folder of the labels."
        )
    return rounded.astype(np.int32)


def named(names: Mapping[int, str]) -> tuple[Structure, ...]:
    """A structure for each value but the background."""
    return tuple(Structure(name=name, values=(value,)) for value, name in names.items() if value)


def _keys(structure: Structure) -> set[str]:
    value = {str(structure.values[0])} if len(structure.values) == 1 else set()
    return {structure.name.strip().casefold(), *value}
