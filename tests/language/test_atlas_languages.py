"""Each structure of the atlas is known by a Latin, a German and a French name."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import pytest

from napari_medvlm.backends.embedded.atlas.structures import structures
from napari_medvlm.language.structure_names import Names, Synonyms
from tests.backends.embedded import other_words

TABLE = Path(other_words.__file__).with_name("languages.tsv")
ROWS = list(csv.DictReader(TABLE.read_text("utf-8").splitlines(), delimiter="\t"))
LEFT = {"latin": "sinister", "german": "links", "french": "gauche"}
RIGHT = {"latin": "dexter", "german": "rechts", "french": "droit"}


@cache
def names() -> Names:
    return Names(tuple(structures()), Synonyms.load())


def found(phrase: str) -> set[str]:
    return {match.name for match in names().find(phrase)}


def test_the_table_has_all_102_structures() -> None:
    sided = {side + row["name"] for row in ROWS for side in ("", "left ", "right ")}
    assert set(structures()) <= sided
    assert len(structures()) == 102


@pytest.mark.parametrize("language", ["latin", "german", "french"])
def test_a_name_in_another_language_finds_its_structure_on_its_side(language: str) -> None:
    wrong = []
    for row in ROWS:
        name, other = row["name"], row[language]
        if name in structures():
            cases = {other: {name}}
        else:
            cases = {
                f"{other} {LEFT[language]}": {f"left {name}"},
                f"{other} {RIGHT[language]}": {f"right {name}"},
                other: {f"left {name}", f"right {name}"},
            }
        wrong += [
            (phrase, found(phrase)) for phrase, right in cases.items() if found(phrase) != right
        ]
    assert wrong == []
