"""The Evaluate dock in a real window: the simulated user at the open image, and a folder."""

import contextlib
import json

import numpy as np
import pytest
from napari.layers import Layer
from pyarrow import parquet
from pydicom.uid import generate_uid
from qtpy.QtGui import QDesktopServices

from napari_medvlm import read_volume
from napari_medvlm.data.errors import Cancelled
from napari_medvlm.evaluation.runs.run_folder import alone_in
from napari_medvlm.evaluation.segment.datasets import Layout, find_cases
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.simulated_user import PromptKind
from napari_medvlm.evaluation.segment.task import TASK
from napari_medvlm.io import Segment, write_segments
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.difference_layer import paired
from napari_medvlm.widgets.commands import named_dock
from napari_medvlm.widgets.evaluate.label_combo import read_reference
from tests.evaluation.segment import data_sets
from tests.io.conftest import PATIENT
from tests.io.dicom_files import write_series

SHARES_WINDOWS = True

WAIT_MS = 300_000
PLAN = Plan(interactions=3, jitter_mm=1.5, seed=7)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Two cases on disk: the folder, and the cases."""
    root = tmp_path_factory.mktemp("pairs")
    images, labels = data_sets.write_pairs(root, 2)
    return root, find_cases(Layout.PAIRS, images, labels).cases


@pytest.fixture(scope="module")
def from_command_line(pairs):
    """What a run without a window finds at the second case, which is oblique."""
    worker = TASK.worker(PLAN.model_dump())
    found = worker.result(pairs[1][1])
    worker.stop()
    return found


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def dock(viewer):
    widget = named_dock(viewer, "Evaluate")
    yield widget
    with contextlib.suppress(RuntimeError):  # the test has closed it
        widget.close_dock()


@pytest.fixture
def ready(viewer, dock, pairs, qtbot):
    """The second case is open, its truth chosen, the plan set."""
    case = pairs[1][1]
    viewer.add_layer(Layer.create(*layer_data(read_volume(case.image))))
    dock.case.open_truth(case.labels)
    qtbot.waitUntil(lambda: dock.case.truth.labels.count() == 2, timeout=WAIT_MS)
    use(dock.form, PLAN)
    return dock.case


def use(form, plan):
    form.interactions.setValue(plan.interactions)
    form.jitter.setValue(plan.jitter_mm)
    form.seed.setValue(plan.seed)
    form.first_prompt.setCurrentIndex(form.first_prompt.findData(plan.first_prompt))


def figures(step):
    return step.model_dump(exclude={"seconds"})


def finish(panel, qtbot):
    panel.run_button.click()
    qtbot.waitUntil(lambda: panel.measured is not None, timeout=WAIT_MS)


def test_the_curve_grows_to_what_the_command_line_finds(
    viewer, ready, qtbot, from_command_line, tmp_path
):
    seen = []
    ready.view.curve.show_steps = lambda steps, planned, at, show=ready.view.curve.show_steps: (
        seen.append(len(steps)),
        show(steps, planned, at),
    )
    finish(ready, qtbot)
    wanted = from_command_line.attempts[0]
    assert wanted.structure == "label 1"
    assert [figures(s) for s in ready.steps] == [figures(s) for s in wanted.steps]
    assert ready.view.curve.points["Dice"] == wanted.dice
    assert set(seen) >= {1, 3}  # it grew
    assert ready.view.table.topLevelItemCount() == 3
    assert ready.view.table.topLevelItem(2).text(2) == f"{wanted.steps[2].dice:.3f}"
    assert "DSC AUC" in ready.view.text.text()

    ready.export(tmp_path / "out")
    qtbot.waitUntil(lambda: (tmp_path / "out" / "report.html").exists(), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not ready.job.busy, timeout=WAIT_MS)
    rows = parquet.read_table(tmp_path / "out" / "results.parquet").to_pylist()
    assert [row["dice"] for row in rows] == wanted.dice
    reported = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert reported["structures"]["label 1"]["dice"] == wanted.dice
    settings = json.loads((tmp_path / "out" / "run.json").read_text())
    assert settings["plan"]["seed"] == PLAN.seed


def test_the_slider_shows_the_mask_and_the_prompts_of_each_step(viewer, ready, qtbot):
    finish(ready, qtbot)
    mask, dots = (
        next(x for x in viewer.layers if x.metadata["medvlm"]["role"] == role)
        for role in ("simulated", "simulated prompts")
    )
    volume = mask.metadata["medvlm"]["volume"]
    for number in (1, 3, 2):
        ready.view.slider.setValue(number)
        step = ready.steps[number - 1]
        shown = mask.metadata["medvlm"]["labels"] > 0
        assert np.array_equal(shown, ready._simulated_steps[number - 1].mask.full())
        assert len(dots.data) == number
        where = volume.grid.to_world(step.zyx)
        assert np.allclose(dots.data_to_world(dots.data[-1]), where, atol=0.01)
        assert np.allclose(viewer.dims.point[-3:], where, atol=max(volume.spacing))
        assert f"After {number} of 3: Dice {step.dice:.3f}" in ready.view.text.text()
    ready.view.table.setCurrentItem(ready.view.table.topLevelItem(0))
    assert ready.view.slider.value() == 1
    ready.clear()
    assert not [x for x in viewer.layers if "simulated" in str(x.metadata["medvlm"]["role"])]


def test_a_closed_dock_leaves_nothing(viewer, dock, ready, qtbot):
    finish(ready, qtbot)
    kept = len(viewer.layers)
    viewer.layers.remove("label 1: simulated")
    ready.view.slider.setValue(1)  # it comes back
    assert len(viewer.layers) == kept
    runner = dock._runner
    assert runner.pids
    viewer.window.remove_dock_widget(dock)
    assert len(viewer.layers) == kept - 2
    qtbot.waitUntil(lambda: not runner.pids, timeout=WAIT_MS)
    with qtbot.waitSignal(dock.destroyed):
        dock.deleteLater()


def test_it_begins_with_a_box_and_can_be_stopped(viewer, dock, ready, qtbot):
    use(dock.form, Plan(interactions=100, first_prompt=PromptKind.BOX))
    ready.run_button.click()
    qtbot.waitUntil(lambda: len(ready.steps) >= 2, timeout=WAIT_MS)
    assert ready.steps[0].prompt == "box"
    assert "of 100 interactions" in ready.job.bar.format()
    ready.job.cancel_button.click()
    assert not ready.job.busy
    came = len(ready.steps)
    assert came < 100
    assert ready.measured is None
    assert not ready.export_button.isEnabled()
    use(dock.form, Plan(interactions=1))
    finish(ready, qtbot)  # nothing of the run before comes after it
    assert [s.prompt for s in ready.steps] == ["point"]


def test_what_is_missing_is_reported(dock, monkeypatch):
    reported = []
    monkeypatch.setattr("napari_medvlm.widgets.runtime.notify.show", reported.append)
    dock.case.run_button.click()
    dock.folder.run_button.click()
    assert [type(e).__name__ for e in reported] == ["InvalidImage", "InvalidReference"]
    assert not dock.folder.report_button.isEnabled()


def test_gestures_that_a_backend_does_not_take_are_greyed(dock):
    box = dock.form.next_prompt
    assert box.findData(PromptKind.BOX) < 0
    dock.form.backend.choose("embedded")
    assert all(box.model().item(row).isEnabled() for row in range(box.count()))


def test_a_folder_is_stopped_gone_on_with_and_its_worst_case_opened(
    viewer, dock, pairs, qtbot, tmp_path, monkeypatch
):
    root, _ = pairs
    panel, out = dock.folder, tmp_path / "run"
    dock.tabs.setCurrentWidget(panel)
    use(dock.form, Plan(interactions=2))
    panel.images.set_path(root / "images")
    panel.labels.set_path(root / "labels")
    panel.out.set_path(out)
    panel.run_button.click()
    qtbot.waitUntil(lambda: len(list(out.glob("cases/[!.]*.json"))) == 1, timeout=WAIT_MS)
    panel.job.cancel_button.click()
    qtbot.waitUntil(lambda: panel.run_button.text() == "Resume", timeout=WAIT_MS)
    first = next(out.glob("cases/[!.]*.json"))
    made = first.stat().st_mtime_ns
    panel.run_button.click()
    qtbot.waitUntil(panel.report_button.isEnabled, timeout=WAIT_MS)
    assert first.stat().st_mtime_ns == made
    qtbot.waitUntil(lambda: "label 1: Dice" in panel.text.text(), timeout=WAIT_MS)
    assert json.loads((out / "summary.json").read_text())["cases"] == 2

    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    panel.report_button.click()
    assert opened == [str(out / "report.html")]
    viewer.add_image(np.random.default_rng(0).normal(size=(9, 9, 9)), name="open already")
    viewer.layers.move(len(viewer.layers) - 1, 0)
    panel.worst_button.click()
    segment = named_dock(viewer, "Segment")
    qtbot.waitUntil(lambda: bool(segment.session and segment.session.now.objects), timeout=WAIT_MS)
    assert segment.image.layer.name != "open already"
    rows = parquet.read_table(out / "results.parquet").to_pylist()
    worst = min((r for r in rows if r["interaction"] == 2), key=lambda r: r["dice"])
    assert f"{worst['structure']} (reference)" in viewer.layers
    segment.close_dock()


def test_a_run_folder_in_use_is_reported_and_one_that_was_cancelled_is_awaited(
    dock, pairs, qtbot, tmp_path, monkeypatch
):
    reported = []
    monkeypatch.setattr("napari_medvlm.widgets.runtime.threads.show", reported.append)
    panel, out = dock.folder, tmp_path / "run"
    use(dock.form, Plan(interactions=1))
    panel.images.set_path(pairs[0] / "images")
    panel.labels.set_path(pairs[0] / "labels")
    panel.out.set_path(out)
    with alone_in(out):
        panel.run_button.click()
        qtbot.waitUntil(lambda: bool(reported) and not panel.job.busy, timeout=WAIT_MS)
    assert "Another run is writing to" in reported[0].message
    qtbot.waitUntil(lambda: "Wait until it has ended" in panel.text.text(), timeout=WAIT_MS)
    panel.run_button.click()
    qtbot.waitUntil((out / "run.json").exists, timeout=WAIT_MS)
    panel.job.cancel_button.click()
    panel.run_button.click()  # while the workers of the first still end
    qtbot.waitUntil(panel.report_button.isEnabled, timeout=WAIT_MS)
    assert all(isinstance(one, Cancelled) for one in reported[1:])


def test_a_truth_that_is_opened_is_chosen_also_where_other_labels_are(viewer, dock, pairs, qtbot):
    case = pairs[1][0]
    viewer.add_layer(Layer.create(*layer_data(read_volume(case.image))))
    viewer.add_labels(np.ones((4, 4, 4), int), name="others")
    dock.case.open_truth(case.labels)
    qtbot.waitUntil(lambda: len(viewer.layers) == 3 and not dock.case.job.busy, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: dock.case.truth.layer is viewer.layers[-1], timeout=WAIT_MS)


def test_segments_that_overlap_are_a_truth_with_all_voxels_and_a_note(
    dock, tmp_path, qtbot, monkeypatch
):
    uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    write_series(tmp_path / "ct", np.zeros((4, 9, 9)) + np.arange(9), **uids, **PATIENT)
    masks = np.zeros((2, 4, 9, 9), bool)
    masks[0, :, 1:8, 1:8], masks[1, 1:3, 3:6, 3:6] = True, True
    segments = {1: Segment("organ"), 2: Segment("lesion")}
    write_segments(
        tmp_path / "seg.dcm", dict(enumerate(masks, 1)), read_volume(tmp_path / "ct"), segments
    )
    notes = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", notes.append)
    dock.case.open_truth(tmp_path / "seg.dcm")
    qtbot.waitUntil(lambda: bool(notes) and dock.case.truth.labels.count() == 2, timeout=WAIT_MS)
    assert "overlap (organ, lesion)" in notes[0]
    layer = dock.case.truth.layer
    pair = paired((layer, 1), (layer, 2))
    assert (pair.a.voxels, pair.b.voxels) == (4 * 7 * 7, 2 * 3 * 3)


def test_a_file_of_fractions_is_no_truth(pairs, tmp_path):
    from napari_medvlm.data.errors import InvalidImage

    volume = read_volume(pairs[1][0].image)
    data_sets.save_image(tmp_path / "half.nii.gz", volume.data + 0.5, volume.affine)
    with pytest.raises(InvalidImage, match="fractions"):
        read_reference(tmp_path / "half.nii.gz")
