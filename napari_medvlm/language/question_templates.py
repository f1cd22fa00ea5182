"""Questions to begin with, by how the image was made."""

from __future__ import annotations

import re
from functools import cache

from napari_medvlm.data.volume import Modality
from napari_medvlm.language.yaml_tables import HERE, YamlTable, read

RADIOGRAPHS = frozenset({Modality.CR, Modality.DX, Modality.MG, Modality.XA})
ANY, RADIOGRAPH = "any", "radiograph"
GAP = re.compile(r"\{[A-Z ]+\}")
"""What is to be filled in."""


class _Sheet(YamlTable):
    questions: dict[str, list[str]]
    measured: list[str]


def questions(modality: Modality) -> dict[str, list[str]]:
    """Questions for models that look at pictures, by title: for the modality, then for any."""
    every = _read().questions
    own = RADIOGRAPH if modality in RADIOGRAPHS else modality.value
    titles = {ANY: "Any image", RADIOGRAPH: "Radiograph"}
    kinds = [own, ANY] if own in every else [ANY]
    return {titles.get(kind, kind): every[kind] for kind in kinds}


def measured() -> list[str]:
    """One question of each form that can be answered by measuring and reading."""
    return _read().measured


@cache
def _read() -> _Sheet:
    return read(HERE / "templates.yaml", _Sheet)
