"""Questions and phrases in other words than those of the rules: none is answered wrongly."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.backends.embedded.other_words.scoring import (
    RULED,
    WIDE,
    Outcome,
    answered,
    grounded,
    outcome_of_answer,
    outcome_of_phrase,
    phrases,
    questions,
)

LEAST_RIGHT = 0.9
LEAST_RIGHT_OF_WIDE = 0.5
"""Of questions in words that few rules were written for."""


def test_each_set_has_37_questions_and_29_phrases_and_none_twice() -> None:
    for name in (*RULED, *WIDE):
        for rows, least in ((questions(name), 37), (phrases(name), 29)):
            texts = {row.text for row in rows if not row.beyond}
            assert len({row.text for row in rows}) == len(rows)
            assert len(texts) >= least


@pytest.mark.parametrize(("sets", "least"), [(RULED, LEAST_RIGHT), (WIDE, LEAST_RIGHT_OF_WIDE)])
@pytest.mark.parametrize("scene", ["brain", "abdomen"])
def test_no_question_is_answered_wrongly_and_most_are_answered(
    scene: str, sets: tuple[str, ...], least: float
) -> None:
    rows = [row for row in questions(*sets) if row.fields["scene"] == scene]
    outcomes = {row: outcome_of_answer(row, answered(row)) for row in rows}
    assert [row.text for row, o in outcomes.items() if o is Outcome.WRONG] == []
    assert Counter(outcomes.values())[Outcome.RIGHT] >= least * len(rows)


def test_no_phrase_is_placed_wrongly_and_most_are_known() -> None:
    outcomes = {row: outcome_of_phrase(row, grounded(row)) for row in phrases(*RULED, *WIDE)}
    assert [row.text for row, o in outcomes.items() if o is Outcome.WRONG] == []
    assert Counter(outcomes.values())[Outcome.RIGHT] >= LEAST_RIGHT * len(outcomes)
