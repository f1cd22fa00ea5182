"""A plane is prepared from the window: only where a model can, and clicks go in between."""

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

import napari_medvlm as nmv
from napari_medvlm.data.prompts import Point
from napari_medvlm.layers.orientation import Plane, show_plane
from napari_medvlm.settings.paths import home
from tests.conftest import make_phantom
from tests.e2e.test_segment_models import WAIT_MS, is_answered, run_command, take_backend
from tests.worker import fork_server

SHARES_WINDOWS = True


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    fork_server.run("tests.backends.sam.tiny_sam:checkpoint", folder, "sam", lift=5)
    return folder / "sam"


def kept():
    return len([p for p in (home() / "embeddings").glob("*/*") if not p.name.startswith(".")])


def test_the_plane_in_view_is_prepared_and_a_click_meanwhile_is_answered(person, model, tmp_path):
    part = person.dock.beforehand
    assert part.isHidden()
    take_backend(person, "sam", model)
    assert not part.isHidden()
    assert part.button.text() == "Precompute this plane (up to 101 MB on disk)"
    show_plane(person.viewer, Plane.CORONAL)
    assert part.button.text() == "Precompute this plane (up to 168 MB on disk)"
    assert "40 coronal slices" in part.button.toolTip()
    part.button.click()
    person.waits(lambda: "left" in part.bar.bar.format(), WAIT_MS)
    assert not part.button.isEnabled()
    person.session.add(Point.at_index(person.session.volume, (12, 20, 13)))
    is_answered(person)
    person.waits(lambda: not part.bar.busy, WAIT_MS)
    assert kept() >= 40
    assert part.button.isEnabled()
    assert np.any(person.session.mask)


def test_cancel_leaves_what_is_done_and_another_backend_takes_the_button_away(person, model):
    part = person.dock.beforehand
    take_backend(person, "sam", model)
    part.button.click()
    person.waits(lambda: "left" in part.bar.bar.format(), WAIT_MS)
    part.bar.cancel_button.click()
    assert part.bar.isHidden()
    assert part.button.isEnabled()
    person.waits(lambda: kept() >= 1)
    take_backend(person, "embedded", "")
    QApplication.processEvents()
    assert part.isHidden()


def test_on_the_command_line_the_second_time_nothing_is_new(model, tmp_path):
    volume = make_phantom()[0]
    nmv.write_mask(tmp_path / "scan.nrrd", volume.data - volume.data.min(), volume)
    scan, how = str(tmp_path / "scan.nrrd"), ("--model", str(model), "--plane", "coronal")
    first, again = (run_command("prepare", scan, *how) for _ in range(2))
    assert first["computed"] == first["slices"] == 40
    assert again["computed"] == 0
    prompt = ("--point", "12,20,13", "--backend", "sam", "--model", str(model))
    notes = run_command("segment", scan, *prompt)["notes"]
    assert not [n for n in notes if "The mask covers" not in n]  # random weights take all
