"""Negation and doubt on sentences with right values by family; see `benchmarks.report_findings`."""

from __future__ import annotations

import pytest

from benchmarks.report_findings import (
    FIRST_READ_RIGHT,
    accuracy,
    later_sentences,
    read_by_negex,
    read_by_package,
    sentences,
)
from napari_medvlm.language.report_findings import findings_of

LEAST_SENTENCES, LEAST_ACCURACY = 400, 0.97


def share(figures: dict[str, tuple[int, int]]) -> float:
    return sum(right for right, _ in figures.values()) / sum(n for _, n in figures.values())


def test_there_are_400_sentences_and_no_sentence_twice() -> None:
    texts = [sentence.text for sentence in sentences()]
    assert len(set(texts)) == len(texts) >= LEAST_SENTENCES


@pytest.mark.parametrize("held_out", [True, False])
def test_97_percent_of_the_sentences_of_each_half_are_read_right(held_out: bool) -> None:
    assert share(accuracy(read_by_package, held_out)) >= LEAST_ACCURACY


@pytest.mark.parametrize("name", FIRST_READ_RIGHT)
def test_sentences_that_were_written_after_the_rules_are_read_right(name: str) -> None:
    later = later_sentences(name)
    assert len({sentence.text for sentence in (*later, *sentences())}) >= len(sentences()) + 60
    assert [s.text for s in later if read_by_package(s.text) != s.status] == []


def test_the_rules_read_more_sentences_right_than_the_list_of_negex() -> None:
    assert share(accuracy(read_by_package, True)) > share(accuracy(read_by_negex, True)) + 0.2


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Hemorrhage no, mass yes.", "-+"),
        ("Mass, effusion: none", "--"),
        ("Lungs: small effusion, pneumothorax: none", "+-"),
        ("EFFUSION: There is no effusion.", "-"),
        ("MASS: There is a 3 cm mass.", "+"),
        ("Nodule: no calcification.", "+-"),
        ("No evidence in the brain of hemorrhage.", "-"),
        ("No calcification in the mass, hemorrhage, or edema.", "-+--"),
    ],
)
def test_a_value_or_a_preposition_reaches_its_own_topic_only(text: str, status: str) -> None:
    assert read_by_package(text) == status


def test_the_line_of_a_topic_in_capitals_is_part_of_its_sentence() -> None:
    (finding,) = findings_of("FINDINGS:\nMASS: 3 cm, left lung.")
    assert (finding.phrase, finding.sentence) == ("MASS", "MASS: 3 cm, left lung.")
