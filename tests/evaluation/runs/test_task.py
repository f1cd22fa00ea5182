"""Evaluation tasks: one description for segmentation, grounding and answers."""

from dataclasses import replace

import pytest

from napari_medvlm.data.errors import (
    BackendUnavailable,
    InvalidImage,
    InvalidReference,
    PromptNotSupported,
)
from napari_medvlm.evaluation.ask.task import TASK as ASK
from napari_medvlm.evaluation.ground.cases import Case
from napari_medvlm.evaluation.ground.task import TASK as GROUND
from napari_medvlm.evaluation.metrics.means import grouped, known_mean
from napari_medvlm.evaluation.runs.cases import Cases, SkippedCase
from napari_medvlm.evaluation.runs.workers import WorkerSpec
from napari_medvlm.evaluation.segment.task import TASK as SEGMENT

TASKS = {task.name: task for task in (SEGMENT, GROUND, ASK)}


@pytest.mark.parametrize("name", ["segment", "ground", "ask"])
def test_a_worker_process_makes_the_worker_of_a_task_from_its_reference(name):
    task = TASKS[name]
    worker = WorkerSpec(f"{task.reference}.worker", task.plan().model_dump(mode="json")).make()
    worker.stop()
    assert worker._task is task
    assert worker._plan == task.plan()


@pytest.mark.parametrize(
    ("task", "error", "fatal"),
    [
        (GROUND, InvalidImage, False),
        (GROUND, BackendUnavailable, True),
        (ASK, PromptNotSupported, False),
        (SEGMENT, PromptNotSupported, True),
    ],
)
def test_an_error_of_a_case_is_the_problem_of_its_result(task, error, fatal):
    def measure(case, plan, runner):
        raise error("It is not so.", "Do this.")

    worker = replace(task, measure=measure).worker(task.plan().model_dump())
    result = worker.result(Case(name="a", images=()))
    worker.stop()
    assert (result.case, result.problem, result.hint) == ("a", "It is not so.", "Do this.")
    assert result.fatal is fatal


@pytest.mark.parametrize(
    ("task", "backend", "words"),
    [
        (GROUND, "sam", "does not find phrases"),
        (ASK, "sam", "does not answer questions"),
        (SEGMENT, "similarity", "does not segment"),
    ],
)
def test_a_backend_without_the_task_is_refused(task, backend, words):
    with pytest.raises(BackendUnavailable, match=words):
        task.require_able(task.plan(backend=backend))


def test_a_data_set_without_a_case_is_refused_with_the_first_reasons(tmp_path):
    skipped = tuple(SkippedCase(name, f"There is no image {name}.") for name in "abcd")
    with pytest.raises(InvalidReference) as refused:
        Cases((), skipped).require_any("question", tmp_path / "q.json", "plain")
    assert refused.value.message == (
        "There is no question in q.json (plain). "
        "There is no image a. There is no image b. There is no image c."
    )


def test_means_are_over_the_values_that_are_known():
    assert known_mean([1.0, None, float("nan"), 4.0]) == 2.5
    assert known_mean([True, False, None]) == 0.5
    assert known_mean([None]) is None
    assert grouped(["b1", "a1", "b2"], lambda row: row[0]) == {"a": ["a1"], "b": ["b1", "b2"]}
