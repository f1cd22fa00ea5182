"""Tables of findings with what is seen where they are present, for zero-shot classification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from napari_medvlm.data.classification import DESCRIBED
from napari_medvlm.language.yaml_tables import HERE, YamlTable, read
from napari_medvlm.settings.paths import home

FILE = "descriptors.yaml"
BLANKS = 2
"""Places in a sentence: the descriptor and its finding."""


def _with_blanks(sentence: str) -> str:
    rest = sentence.replace("{}", "")
    if sentence.count("{}") != BLANKS or "{" in rest or "}" in rest:
        raise ValueError("must have {} twice: for the descriptor, then for the finding")
    return sentence


Sentence = Annotated[str, AfterValidator(_with_blanks)]


class _Sheet(YamlTable):
    descriptors: dict[str, Annotated[list[str], Field(min_length=1)]] = {}
    present: Sentence = DESCRIBED[0]
    absent: Sentence = DESCRIBED[1]


@dataclass(frozen=True)
class DescriptorSheet:
    """Findings and their descriptors.

    Parameters
    ----------
    descriptors
        For each finding, in lower case as it is looked up, its descriptors.
    sentences
        As of `napari_medvlm.data.classification.LabelQuery`.
    """

    descriptors: Mapping[str, tuple[str, ...]]
    sentences: tuple[str, str]


def own_file() -> Path:
    """Where a table of the user is looked for, in the settings folder."""
    return home() / FILE


def load_sheet(path: Path | None = None) -> DescriptorSheet:
    """The table of descriptors.

    Parameters
    ----------
    path
        A file; `None`: that of `own_file` if there is one, else the table of the package.

    Raises
    ------
    SettingsError
        The file cannot be read; the line is named.
    """
    own = own_file()
    sheet = read(path or (own if own.is_file() else HERE / FILE), _Sheet)
    texts_of = {finding.lower(): tuple(texts) for finding, texts in sheet.descriptors.items()}
    return DescriptorSheet(texts_of, (sheet.present, sheet.absent))


def copy_for_user() -> Path:
    """The user's file, written as a copy of the package's table if it is not there yet.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    own = own_file()
    if not own.is_file():
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text((HERE / FILE).read_text("utf-8"), "utf-8")
    return own
