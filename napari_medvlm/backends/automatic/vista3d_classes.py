"""The classes of VISTA3D by name.

They are those of the bundle ``vista3d`` 0.6.0 of MONAI's model zoo (configs/metadata.json and
docs/inference.md, https://github.com/Project-MONAI/model-zoo, Apache-2.0), without the five that
its documentation says are not supported.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

ZERO_SHOT = 133
"""The class of what is none of them: all above 132 are."""


@dataclass(frozen=True)
class VistaClass:
    """A class of VISTA3D.

    Parameters
    ----------
    number
        What the network knows it by.
    use
        ``all``: among those that are asked for all at once. ``alone``: it overlaps others, and must
        be asked for by name. ``whole``: put together from its parts.
    parts
        The classes that a whole consists of; else the class itself.
    """

    number: int
    name: str
    use: Literal["all", "alone", "whole"]
    parts: tuple[int, ...]


@cache
def classes() -> dict[str, VistaClass]:
    """All classes by name, as ``vista3d_classes.tsv`` has them."""
    text = (
        files("napari_medvlm.backends.automatic").joinpath("vista3d_classes.tsv").read_text("utf-8")
    )
    rows = [_row(row) for row in csv.DictReader(text.splitlines(), delimiter="\t")]
    return {row.name: row for row in rows}


def _row(row: dict[str, str]) -> VistaClass:
    number = int(row["class"])
    parts = tuple(map(int, row["parts"].split())) or (number,)
    use: Literal["all", "alone", "whole"] = row["use"]  # type: ignore[assignment]  # ours, tested
    return VistaClass(number, row["name"], use, parts)
