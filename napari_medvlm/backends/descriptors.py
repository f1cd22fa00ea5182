"""The table of what would be seen if a finding were there, for labels judged by descriptors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from napari_medvlm.language.yaml_tables import HERE, Sheet, read


class _Sheet(Sheet):
    descriptors: dict[str, Annotated[list[str], Field(min_length=1)]] = {}


def load_descriptors(path: Path | None = None) -> Mapping[str, tuple[str, ...]]:
    """The descriptors of each finding, as `napari_medvlm.data.classification.LabelQuery` takes them.

    Parameters
    ----------
    path
        A file of one's own; `None`: the table that comes with the package.

    Raises
    ------
    SettingsError
        The file cannot be read; the line is named.
    """
    sheet = read(path or HERE / "descriptors.yaml", _Sheet)
    return {finding: tuple(texts) for finding, texts in sheet.descriptors.items()}
