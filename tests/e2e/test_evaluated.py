"""A case of an evaluation opens with its truth and the simulated user's prompts."""

import numpy as np
import pytest

from napari_medvlm.data.errors import SessionFileError
from napari_medvlm.evaluation.runs.run_folder import RunFolder
from napari_medvlm.evaluation.runs.runner import store
from napari_medvlm.evaluation.segment.datasets import Layout, find_cases
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.task import TASK
from napari_medvlm.widgets.evaluate.open_case import show_case
from tests.conftest import dice
from tests.evaluation.segment import data_sets


@pytest.fixture
def evaluated(tmp_path):
    """The folder of a run on one case."""
    case = find_cases(Layout.CVPR25, data_sets.write_npz(tmp_path / "data", 1)).cases[0]
    plan = Plan(interactions=2)
    worker = TASK.worker(plan.model_dump())
    folder = RunFolder(tmp_path / "out", {"plan": plan.model_dump(mode="json")})
    store(TASK, folder, case, worker.result(case))
    worker.stop()
    return folder.path, case.name


def test_the_window_shows_image_truth_and_the_masks_again(make_napari_viewer, qtbot, evaluated):
    out, name = evaluated
    viewer = make_napari_viewer()
    dock = show_case(viewer, out, name, "Left blob")
    try:
        qtbot.waitUntil(
            lambda: dock.session is not None and bool(dock.session.now.objects), timeout=300_000
        )
        qtbot.waitUntil(lambda: not dock.session.pending, timeout=300_000)
        (live,) = dock.session.now.objects.values()
        assert live.info.name == "Left blob"
        assert 1 <= len(live.current()) <= 2
        truth = np.asarray(viewer.layers["Left blob (reference)"].data) > 0
        assert dice(truth, dock.session.mask) > 0.9
    finally:
        dock.close_dock()


def test_what_is_not_in_the_run_is_reported(make_napari_viewer, evaluated):
    with pytest.raises(SessionFileError, match="no case"):
        show_case(make_napari_viewer(), evaluated[0], "nobody", "Left blob")
