"""From what was found for words to objects that can be refined by clicks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from napari_medvlm.backends.automatic.base import EVERYTHING
from napari_medvlm.data.grounding import Grounding
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box, InitialMask
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume


@dataclass(frozen=True, eq=False)
class NamedMatches:
    """An object to be made: its name, and the prompt that it begins with."""

    name: str
    prompt: InitialMask | Box


@dataclass(frozen=True, eq=False)
class Findings:
    """What came of words: the objects to be made, and in a sentence each what cannot be made."""

    objects: tuple[NamedMatches, ...]
    missing: tuple[str, ...]


def findings(grounding: Grounding, volume: Volume, kinds: Collection[type[Any]]) -> Findings:
    """The objects that follow from an answer, one a phrase; of *everything* one a name.

    Parameters
    ----------
    grounding
        Where the phrases are, and which are nowhere. All masks of a phrase together are its object;
        where there are only boxes, each box is one.
    volume
        The image.
    kinds
        The prompts that the segmenting backend takes: boxes need one that does.
    """
    objects: list[NamedMatches] = []
    missing = [
        f"{nowhere.phrase} was not found: {nowhere.reason}" for nowhere in grounding.not_found
    ]
    for name, regions in regions_by_name(grounding).items():
        masks = [region.mask for region in regions if region.mask is not None]
        if masks:
            union = reduce(Mask.union, masks)
            objects.append(NamedMatches(name, InitialMask.of(volume, union)))
        elif Box in kinds:
            objects += _boxes(name, regions)
        else:
            missing.append(
                f"{name} has only a box, and the segmentation backend does not support box prompts."
            )
    return Findings(tuple(objects), tuple(missing))


def regions_by_name(grounding: Grounding) -> dict[str, list[Region]]:
    """The regions of each phrase; of *everything* of each name."""
    named: dict[str, list[Region]] = {}
    for region in grounding.regions:
        everything = region.phrase.strip().lower() == EVERYTHING
        named.setdefault(region.name if everything else region.phrase, []).append(region)
    return named


def _boxes(name: str, regions: Sequence[Region]) -> list[NamedMatches]:
    if len(regions) == 1:
        return [NamedMatches(name, regions[0].box)]
    return [NamedMatches(f"{name} {number}", r.box) for number, r in enumerate(regions, start=1)]
