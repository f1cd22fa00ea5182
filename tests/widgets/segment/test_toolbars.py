"""The parts of the dock, each alone."""

import numpy as np
import pytest
from pydicom.uid import generate_uid

import napari_medvlm as nmv
from napari_medvlm.backends.base import Task
from napari_medvlm.data.errors import Cancelled, InvalidImage
from napari_medvlm.io.label_images import read_labels
from napari_medvlm.ledger.records import ObjectInfo, Overlap
from napari_medvlm.sessions.export.masks import write_objects
from napari_medvlm.widgets.models.backend_combo import BackendChoice
from napari_medvlm.widgets.parts.dialogs import MASKS
from napari_medvlm.widgets.parts.progress import ProgressRow
from napari_medvlm.widgets.runtime import notify
from napari_medvlm.widgets.segment.object_list import LOCK, NAME, ObjectList
from napari_medvlm.widgets.segment.prompt_toolbar import Tool, Tools
from tests.conftest import make_phantom
from tests.io.conftest import PATIENT
from tests.io.dicom_files import write_series

INFOS = [(ObjectInfo(id=i, name=f"Object {i}", color="#4dd2ff"), i) for i in (1, 2, 3)]


@pytest.fixture
def objects(qtbot):
    made = ObjectList()
    qtbot.addWidget(made)
    made.show_objects(INFOS, 2)
    return made


def test_the_list_shows_objects_and_which_is_active(objects):
    assert [objects.topLevelItem(i).text(NAME) for i in range(3)] == [
        "Object 1",
        "Object 2",
        "Object 3",
    ]
    assert objects.selected() == (2,)


def test_choosing_renaming_and_locking_are_reported(objects, qtbot):
    with qtbot.waitSignal(objects.activated_object) as chosen:
        objects.setCurrentItem(objects.topLevelItem(2))
    assert chosen.args == [3]
    with qtbot.waitSignal(objects.renamed) as renamed:
        objects.topLevelItem(0).setText(NAME, " kidney ")
    assert renamed.args == [1, "kidney"]
    with qtbot.waitSignal(objects.lock_changed) as locked:
        from qtpy.QtCore import Qt

        objects.topLevelItem(1).setCheckState(LOCK, Qt.CheckState.Checked)
    assert locked.args == [2, True]


def test_the_first_selected_is_the_current_one(objects):
    objects.selectAll()
    assert objects.selected() == (2, 1, 3)


def test_a_tool_that_cannot_be_used_gives_the_reason(qtbot):
    tools = Tools()
    qtbot.addWidget(tools)
    tools.choose(Tool.BOX)
    tools.allow(Tool.BOX, "This model takes no boxes.")
    assert tools.tool is Tool.LOOK
    tools.choose(Tool.BOX)
    assert tools.tool is Tool.LOOK
    tools.allow(Tool.BOX, None)
    tools.choose(Tool.BOX)
    assert tools.tool is Tool.BOX


def test_the_polarity_goes_there_and_back(qtbot):
    tools = Tools()
    qtbot.addWidget(tools)
    for positive in (False, True):
        with qtbot.waitSignal(tools.polarity_changed) as changed:
            tools.toggle_polarity()
        assert changed.args == [positive]
        assert tools.positive is positive


def test_the_embedded_backend_is_offered_first_with_its_licence(qtbot):
    choice = BackendChoice(Task.SEGMENT)
    qtbot.addWidget(choice)
    assert choice.name == "embedded"
    assert "BSD-3-Clause" in choice.itemData(0, 3)  # tooltip


def test_progress_states_what_waits(qtbot):
    row = ProgressRow()
    qtbot.addWidget(row)
    row.show_state(busy=False, waiting=2, can_ask=True)
    assert row.text == "2 prompts pending"
    row.show_state(busy=False, waiting=1, can_ask=True)
    assert row.text == "1 prompt pending"
    row.show_state(busy=False, waiting=0, can_ask=True)
    assert row.text == "Ready"


def test_errors_are_shown_once_in_words_and_cancelling_is_silent(monkeypatch):
    reported = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", reported.append)
    monkeypatch.setattr("napari.utils.notifications.show_error", reported.append)
    notify.show(InvalidImage("It is empty.", "Load another."))
    notify.show(Cancelled())
    notify.show(KeyError("oops"))
    assert reported[0] == "It is empty. Load another."
    assert len(reported) == 2
    assert "No work is lost" in reported[1]


@pytest.mark.parametrize("overlap", [Overlap.NEWEST, Overlap.BOTH])
def test_objects_that_overlap_are_written_to_files_of_their_own(tmp_path, overlap):
    volume, left, right = make_phantom()
    with nmv.SegmentationSession(volume, runner="inline") as session:
        for mask in (left, left | right):
            session.add_object()
            session.add(nmv.InitialMask.of(volume, mask))
        session.set_overlap(overlap)
        written = write_objects(session, tmp_path / "mask.nii.gz")
    if overlap is Overlap.NEWEST:
        assert [p.name for p in written] == ["mask.nii.gz", "mask.tsv"]
        assert read_labels(written[0]).names == {1: "Object 1", 2: "Object 2"}
        assert set(np.unique(nmv.read_volume(written[0]).data)) == {0, 2}
    else:
        assert [p.name for p in written] == ["mask_1_Object_1.nii.gz", "mask_2_Object_2.nii.gz"]
        assert nmv.read_volume(written[0]).data.sum() == left.sum()


@pytest.mark.parametrize("overlap", [Overlap.NEWEST, Overlap.BOTH])
@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd"])
def test_the_name_of_a_single_object_lies_beside_its_mask(tmp_path, ending, overlap):
    volume, left, _ = make_phantom()
    with nmv.SegmentationSession(volume, runner="inline") as session:
        session.add_object("left kidney")
        session.add(nmv.InitialMask.of(volume, left))
        session.set_overlap(overlap)
        written = write_objects(session, tmp_path / f"mask{ending}")
        surface = write_objects(session, tmp_path / "surface.stl")
    assert [p.name for p in written] == [f"mask{ending}", "mask.tsv"]
    back = read_labels(written[0])
    assert back.names == {1: "left kidney"}
    assert np.array_equal(back.values == 1, left)
    assert [p.name for p in surface] == ["surface.stl"]


def test_objects_are_written_as_outlines_by_the_ending(tmp_path):
    phantom, left, right = make_phantom()
    uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    write_series(tmp_path / "series", (100 * phantom.data).astype(np.int16), **uids, **PATIENT)
    volume = nmv.read_volume(tmp_path / "series")
    with nmv.SegmentationSession(volume, runner="inline") as session:
        for mask in (left, right):
            session.add_object()
            session.add(nmv.InitialMask.of(volume, mask))
        (written,) = write_objects(session, tmp_path / "x.rtstruct.dcm")
    assert "*.rtstruct.dcm" in MASKS
    back = read_labels(written, grid=volume.grid)
    assert list(back.names.values()) == ["Object 1", "Object 2"]
    assert len(back.colors) == 2
    assert np.array_equal(back.values, left + 2 * right)
