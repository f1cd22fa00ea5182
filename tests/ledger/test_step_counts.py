"""Numbers of prompts are stored as ranges."""

import json
import pickle

import pytest

from napari_medvlm.ledger.reading import needed_version
from napari_medvlm.ledger.records import VERSION, Predicted
from napari_medvlm.ledger.serialization import json_of
from napari_medvlm.ledger.step_counts import StepCounts

FIELDS = {
    "record": "predicted", "object_id": 1, "serial": 1, "backend": "b", "model": None,
    "digest": "", "voxels": 0, "seconds": 0.1, "time": "2026-11-28T02:05:33Z",
}  # fmt: skip


@pytest.mark.parametrize(
    ("numbers", "text"), [((), ""), ((3,), "3"), ((1, 2, 3, 5, 8, 9), "1-3,5,8-9"), ((4, 1), "4,1")]
)
def test_numbers_are_the_same_as_text_in_a_worker_and_one_by_one(numbers, text):
    counts = StepCounts(numbers)
    one_by_one = StepCounts()
    for number in numbers:
        one_by_one = one_by_one.appended(number)
    assert counts == one_by_one == StepCounts.of_text(text) == numbers
    assert str(counts) == text
    assert (len(counts), counts[:2]) == (len(numbers), numbers[:2])
    received = pickle.loads(pickle.dumps(counts))
    assert (type(received), received) == (tuple, numbers)
    assert counts.up_to(3) == tuple(n for n in numbers if n <= 3)


def test_a_list_of_an_earlier_version_is_read_and_written_as_ranges():
    old = Predicted.model_validate_json(json.dumps({**FIELDS, "steps": [1, 2, 3, 6]}))
    assert old.steps == (1, 2, 3, 6)
    assert json.loads(json_of(old))["steps"] == "1-3,6"
    assert Predicted.model_validate_json(json_of(old)) == old
    assert needed_version(old) == VERSION  # the journal of an older program gets a new header


@pytest.mark.parametrize("steps", ["1-", "3-1", "-1", "1,,2", "1-99999999999", "a", [-1], [1.5], 7])
def test_what_is_no_number_of_prompts_is_refused(steps):
    with pytest.raises(ValueError, match="(?i)numbers of prompts"):
        Predicted.model_validate_json(json.dumps({**FIELDS, "steps": steps}))


def test_the_record_of_a_prediction_is_as_long_after_5000_prompts_as_after_10():
    sizes = {
        n: len(json_of(Predicted(**{**FIELDS, "steps": StepCounts(range(1, n + 1))})))
        for n in (10, 5000)
    }
    assert sizes[5000] <= sizes[10] + 2
