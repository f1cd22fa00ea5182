"""The Ground dock with a model that takes several images of a patient."""

from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Layer

from napari_medvlm.backends.models.trust import trust
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import layer_data
from tests.conftest import make_phantom
from tests.e2e.grounding import ground_docks
from tests.worker import fork_server


@pytest.fixture
def open_dock(make_napari_viewer, qtbot):
    with ground_docks(make_napari_viewer, qtbot) as open_dock:
        yield open_dock


@pytest.fixture(scope="module")
def brats(tmp_path_factory):
    """A bundle of T1c, T1, T2 and FLAIR, written by another process without a window."""
    folder = tmp_path_factory.mktemp("bundles") / "brats"
    fork_server.run("tests.backends.automatic.tiny_volumes:brats_bundle", folder)
    return folder


def test_the_channels_of_a_model_are_chosen_from_layers(open_dock, brats, monkeypatch):
    trust(brats)
    volume, _, _ = make_phantom()
    asker = open_dock(replace(volume, name="sub-01_t1ce"))
    for name in ("sub-01_t1", "sub-01_T2w", "sub-01_other"):
        changed = replace(volume, data=volume.data * 2, name=name)
        asker.viewer.add_layer(Layer.create(*layer_data(changed)))
    dock = asker.dock
    assert not dock.channels.isVisible()
    dock.model.edit.setText(str(brats))
    index = dock.backend.findData("bundle")
    dock.backend.setCurrentIndex(index)
    dock.backend.activated.emit(index)
    dock.model.edit.setText(str(brats))
    dock.model.edit.editingFinished.emit()
    asker.waits(dock.channels.isVisible)
    assert dock.channels.names == ("T1c", "T1", "T2", "FLAIR")
    assert [box.currentText() for box in dock.channels.boxes.values()] == [
        "sub-01_t1ce", "sub-01_t1", "sub-01_T2w", "Choose a layer",
    ]  # fmt: skip
    errors = []
    monkeypatch.setattr(
        "napari_medvlm.widgets.runtime.notify.show", lambda error: errors.append(str(error))
    )
    dock.phrases.set_phrases(["whole tumor"])
    dock.run.run.click()
    assert errors == [
        "No layer is chosen for: FLAIR. Choose an image layer for each channel below the model."
    ]
    dock.channels.boxes["FLAIR"].setCurrentIndex(4)
    asker.asks("whole tumor")
    (row,) = asker.rows()
    assert row[2] != "not found"
    assert errors == errors[:1]
    query = dock.session.located["whole tumor"].request.query
    assert [channel.volume.name for channel in query.channels] == [
        "sub-01_t1ce", "sub-01_t1", "sub-01_T2w", "sub-01_other",
    ]  # fmt: skip
    dock.backend.setCurrentIndex(dock.backend.findData("embedded"))
    dock.backend.activated.emit(dock.backend.currentIndex())
    asker.waits(lambda: not dock.channels.isVisible())


@pytest.fixture(scope="module")
def textbrats(tmp_path_factory):
    """A small TextBraTS, written by another process without a window."""
    folder = tmp_path_factory.mktemp("hub") / "TextBraTS"
    fork_server.run("tests.backends.automatic.test_textbrats:save", folder)
    return folder


def test_a_model_that_reads_the_report_has_a_field_for_it(open_dock, textbrats, monkeypatch):
    noise = np.random.default_rng(2).normal(100, 30, (24, 24, 24)).astype(np.float32)
    volume = Volume(noise, np.eye(4), name="sub-01_t1ce")
    asker = open_dock(volume)
    for name in ("sub-01_t1", "sub-01_t2", "sub-01_flair"):
        asker.viewer.add_layer(Layer.create(*layer_data(replace(volume, name=name))))
    dock = asker.dock
    dock.backend.setCurrentIndex(dock.backend.findData("network"))
    dock.backend.activated.emit(dock.backend.currentIndex())
    dock.model.edit.setText(str(textbrats))
    dock.model.edit.editingFinished.emit()
    asker.waits(dock.channels.report.isVisible)
    errors = []
    monkeypatch.setattr(
        "napari_medvlm.widgets.runtime.notify.show", lambda error: errors.append(str(error))
    )
    dock.phrases.set_phrases(["everything"])
    dock.run.run.click()
    asker.waits(lambda: bool(errors))
    assert "needs the report" in errors[0]
    dock.channels.report.setPlainText("A mass in the left lobe.")
    asker.asks("everything")
    assert dock.session.located["everything"].request.query.report == "A mass in the left lobe."
    dock.backend.setCurrentIndex(dock.backend.findData("embedded"))
    dock.backend.activated.emit(dock.backend.currentIndex())
    asker.waits(lambda: not dock.channels.report.isVisible())
