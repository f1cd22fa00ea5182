"""The simulated user at one structure: reported step by step, and stopped."""

import pytest

from napari_medvlm.data.errors import Cancelled
from napari_medvlm.evaluation.segment.cases import Structure
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.trial import Trial
from napari_medvlm.worker.environment_runner import RoutedRunner
from tests.conftest import make_phantom

LEFT = Structure(name="left", values=(1,))


@pytest.fixture(scope="module")
def runner():
    with RoutedRunner() as runner:
        yield runner


def test_each_interaction_is_reported_with_its_mask(runner):
    volume, left, _ = make_phantom()
    reported = []
    attempt = Trial(Plan(interactions=2), runner).run(
        "phantom", volume, LEFT, left, lambda step, mask: reported.append((step, mask))
    )
    assert tuple(step for step, _ in reported) == attempt.steps
    step, mask = reported[-1]
    full = mask.full()
    assert step.dice == 2 * (full & left).sum() / (full.sum() + left.sum())


def test_it_stops_where_it_is_asked_to(runner):
    volume, left, _ = make_phantom()
    reported = []
    trial = Trial(Plan(interactions=50), runner)

    def stop_at_two(step, _):
        reported.append(step)
        if len(reported) == 2:
            trial.cancel()

    with pytest.raises(Cancelled):
        trial.run("phantom", volume, LEFT, left, stop_at_two)
    assert len(reported) == 2


def test_one_that_was_stopped_does_not_begin(runner):
    volume, left, _ = make_phantom()
    trial = Trial(Plan(interactions=1), runner)
    trial.cancel()
    with pytest.raises(Cancelled):
        trial.run("phantom", volume, LEFT, left)
