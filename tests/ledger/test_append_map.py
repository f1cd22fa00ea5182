"""Prompts are shared between states of the ledger; each state sees its own."""

import random

import pytest

from napari_medvlm.data.prompts import Point
from napari_medvlm.ledger.append_map import AppendMap
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import (
    ObjectAdded,
    ObjectInfo,
    Predicted,
    PromptAdded,
    PromptRemoved,
)
from tests.conftest import make_phantom

VOLUME = make_phantom((6, 20, 20))[0]


def test_each_mapping_has_the_items_it_was_extended_to():
    base = AppendMap({1: "a", 2: "b"})
    left, right = base.appended(3, "c"), base.appended(4, "d")
    longer = left.appended(4, "e")
    assert base == {1: "a", 2: "b"}
    assert left == {1: "a", 2: "b", 3: "c"}
    assert right == {1: "a", 2: "b", 4: "d"}
    assert list(longer.items()) == [(1, "a"), (2, "b"), (3, "c"), (4, "e")]
    assert longer.extends(base)
    assert not left.extends(longer)
    assert not right.extends(left)
    assert 4 not in left
    with pytest.raises(KeyError):
        left[4]
    assert left.appended(2, "new") == {1: "a", 2: "new", 3: "c"}


def test_states_and_steps_stay_right_over_edits_undo_and_late_predictions():
    """The expected prompts and steps are computed anew from all records that are live."""
    choose = random.Random(5)
    ledger = Ledger.of(VOLUME)
    ledger.append(ObjectAdded(object=ObjectInfo(id=1, name="object", color="#ffffff")))
    for _ in range(400):
        prompts, predicted, counts = {}, set(), []
        for entry in ledger.entries[1:]:
            event = entry.events[0]
            if isinstance(event, PromptAdded):
                prompts[event.prompt_id] = event.prompt
            else:
                del prompts[event.prompt_id]
                counts = []
            counts.append((entry.serial, len(prompts)))
        predicted = {r.serial for r in ledger.records if isinstance(r, Predicted)}
        live = ledger.now.objects[1]
        assert list(live.prompts.items()) == list(prompts.items())
        assert live.current() == tuple(prompts.values())
        seen = {n for serial, n in counts if serial in predicted}
        assert ledger.steps(live) == tuple(sorted({*seen, len(prompts)}))
        match choose.choices(["add", "remove", "undo", "redo", "predict"], [8, 1, 3, 2, 6])[0]:
            case "remove" if prompts:
                ledger.append(PromptRemoved(prompt_id=choose.choice(list(prompts))))
            case "undo" if len(ledger.entries) > 1:
                ledger.undo()
            case "redo" if ledger.can_redo:
                ledger.redo()
            case "predict":
                ledger.note(
                    Predicted(
                        object_id=1,
                        serial=choose.choice(ledger.entries).serial,
                        backend="b",
                        model=None,
                        steps=(),
                        digest="",
                        voxels=0,
                        seconds=0,
                    )
                )
            case _:
                index = (choose.randrange(6), choose.randrange(20), choose.randrange(20))
                number = ledger.next_prompt_id()
                point = Point.at_index(VOLUME, index)
                ledger.append(PromptAdded(object_id=1, prompt_id=number, prompt=point))
