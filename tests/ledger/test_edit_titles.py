"""The titles of edits that the tooltips of undo and redo show."""

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.sessions.segment import edits

VOLUME = nmv.Volume(np.arange(6 * 7 * 8, dtype=np.int16).reshape(6, 7, 8), np.eye(4))
POINT = nmv.Point.at_index(VOLUME, (2, 3, 4))


@pytest.fixture
def ledger():
    ledger = nmv.Ledger.of(VOLUME)
    ledger.append(*edits.add(ledger.now, None, 1, POINT))
    return ledger


def test_without_an_entry_there_is_no_title():
    ledger = nmv.Ledger.of(VOLUME)
    assert ledger.undo_title is None
    assert ledger.redo_title is None


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        (POINT, "add point"),
        (POINT.model_copy(update={"positive": False}), "add negative point"),
        (nmv.Box.at_index(VOLUME, (0, 0, 0), (1, 3, 3)), "add box"),
        (nmv.Line.at_index(VOLUME, (1, 1, 1), (1, 5, 5), positive=False), "add negative line"),
    ],
)
def test_a_prompt_is_named_by_its_kind_and_polarity(ledger, prompt, title):
    ledger.append(*edits.add(ledger.now, 1, 2, prompt))
    assert ledger.undo_title == title
    ledger.undo()
    assert ledger.undo_title == "add point"
    assert ledger.redo_title == title


def test_other_edits_are_named_by_what_they_do(ledger):
    titles = []
    for make in (
        lambda state: edits.change(state, {1: nmv.Point.at_index(VOLUME, (3, 3, 3))}),
        lambda state: (edits.add_object(state, "Liver")[1],),
        lambda state: edits.edit_object(state, 2, "Kidney", None, None),
        lambda state: edits.add_objects(state, 2, [edits.NewObject(POINT)] * 3)[1],
        lambda state: edits.remove(state, (2, 3)),
        lambda state: edits.set_overlap(state, nmv.Overlap.BOTH),
        lambda state: edits.remove_objects(state, (1, 2)),
    ):
        ledger.append(*make(ledger.now))
        titles.append(ledger.undo_title)
    assert titles == [
        "change point",
        "add Liver",
        "edit object",
        "add 3 prompts",
        "delete 2 prompts",
        "change overlap",
        "delete 2 objects",
    ]
