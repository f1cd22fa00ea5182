"""The mask of an object is edited with napari's brush, eraser, fill bucket and polygon."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

import napari_medvlm as nmv
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.sessions.segment.engine import EDITS_STAY
from napari_medvlm.widgets.segment.prompt_toolbar import Tool
from tests.conftest import make_phantom
from tests.e2e.conftest import LEFT, RIGHT

SHARES_WINDOWS = True

CORNER = (12, 4, 6)
CTRL = Qt.KeyboardModifier.ControlModifier


def brush(person, size=4):
    """Take the brush of the dock."""
    person.dock.tools.choose(Tool.PAINT)
    mask = person.layer("mask")
    person.waits(lambda: mask.mode == "paint")
    mask.brush_size = size
    return mask


def undo_tip(person):
    return person.dock.row._buttons["Undo"].toolTip()


def drawn(person):
    """The labels that the mask layer shows on the volume's grid."""
    return np.asarray(person.layer("mask").data)


def test_a_stroke_is_an_edit_that_is_undone_and_kept_by_the_next_prediction(person, reported):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    before = person.session.mask
    brush(person)
    person.draws([CORNER, (12, 4, 8), (12, 4, 10)])
    painted = person.session.mask
    assert painted.sum() > before.sum()
    assert painted[CORNER]
    person.waits(lambda: "paint mask" in undo_tip(person))
    person.dock.row.undo()
    person.waits(lambda: person.sees(CORNER) == 0)
    assert_array_equal(person.session.mask, before)
    person.dock.row.redo()
    person.waits(lambda: person.sees(CORNER) == 1)
    assert_array_equal(person.session.mask, painted)
    person.dock.tools.choose(Tool.POINT)
    person.clicks((12, 20, 11))
    person.waits_for_mask()
    assert person.session.mask[painted & ~before].all()
    assert person.sees(CORNER) == 1
    person.waits(lambda: EDITS_STAY in reported)


def test_negative_erases_and_ctrl_z_takes_it_back(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    before = person.session.mask
    mask = brush(person)
    person.dock.tools.toggle_polarity()
    person.waits(lambda: mask.mode == "erase")
    person.draws([LEFT, (12, 20, 15)])
    assert not person.session.mask[LEFT]
    person.waits(lambda: person.sees(LEFT) == 0)
    person.waits(lambda: "erase from mask" in undo_tip(person))
    canvas = person.viewer.window._qt_viewer.canvas.native
    QTest.keyClick(canvas, Qt.Key.Key_Z, CTRL)
    person.waits(lambda: person.sees(LEFT) == 1)
    assert_array_equal(person.session.mask, before)
    QTest.keyClick(canvas, Qt.Key.Key_Z, CTRL | Qt.KeyboardModifier.ShiftModifier)
    person.waits(lambda: person.sees(LEFT) == 0)


def test_strokes_while_a_prediction_runs_are_shown_at_once_and_kept(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    brush(person)
    person.session.add(nmv.Point.at_index(person.session.volume, (12, 20, 11)))
    person.draws([CORNER, (12, 4, 9)])
    assert person.session.mask[CORNER]
    assert person.sees(CORNER) == 1
    person.waits_for_mask()
    assert person.session.mask[CORNER]
    assert person.sees(CORNER) == 1


def test_an_object_is_painted_without_a_prompt_and_the_label_follows_the_active_object(person):
    mask = brush(person)
    assert mask.selected_label == 1
    person.draws([LEFT, (12, 20, 15)])
    assert list(person.session.now.objects) == [1]
    person.dock.new_object()
    person.waits(lambda: mask.selected_label == 2)
    person.draws([RIGHT, (12, 20, 35)])
    assert person.sees(RIGHT) == 2
    mask.selected_label = 1
    assert person.session.active == 1
    person.session.edit_object(1, locked=True)
    locked = person.session.mask_of(1)
    mask.selected_label = 2
    person.draws([LEFT, (12, 20, 15)])
    assert_array_equal(person.session.mask_of(1), locked)
    person.waits(lambda: person.sees(LEFT) == 1)


def test_fill_bucket_and_polygon_are_edits(person):
    mask = brush(person, size=1)
    for path in ([(12, 5, 5), (12, 5, 15)], [(12, 15, 5), (12, 15, 15)]):
        person.draws(path)
    for path in ([(12, 5, 5), (12, 15, 5)], [(12, 5, 15), (12, 15, 15)]):
        person.draws(path)
    edges = int(person.session.mask.sum())
    mask.mode = "fill"
    person.draws([(12, 10, 10)])
    assert person.session.mask[12, 5:16, 5:16].all()
    assert person.session.mask.sum() > edges
    before = person.session.mask.sum()
    mask.paint_polygon([(12, 20, 20), (12, 20, 30), (12, 30, 30), (12, 30, 20)], 1)
    assert person.session.mask[12, 25, 25]
    person.session.undo()
    person.waits(lambda: person.sees((12, 25, 25)) == 0)
    assert person.session.mask.sum() == before


def test_painted_voxels_are_in_saved_masks_sessions_and_replay(person, tmp_path):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    brush(person)
    person.draws([CORNER, (12, 4, 9)])
    painted = person.session.mask
    person.session.ledger.save(tmp_path / "session.json")
    volume = person.session.volume
    person.dock.go_on(Ledger.load(tmp_path / "session.json"))
    person.waits_for_mask()
    assert_array_equal(person.session.mask, painted)
    assert person.sees(CORNER) == 1
    (done,) = nmv.replay(Ledger.load(tmp_path / "session.json"), volume, runner="inline")
    assert done.identical
    assert done.edits == 1
    assert_array_equal(done.mask.full(), painted)


def test_the_mask_that_stays_after_the_dock_is_closed_is_the_users(person):
    mask = brush(person)
    person.draws([CORNER, (12, 4, 9)])
    session = person.session
    person.dock.close_dock()
    records = session.ledger.records
    mask.mode = "paint"
    mask.paint((12, 30, 30), 1)
    assert mask.data[12, 30, 30] == 1
    assert session.ledger.records == records
    mask.undo()
    assert mask.data[12, 30, 30] == 0
    mask.undo()
    assert mask.data[CORNER] == 1


@pytest.mark.parametrize("degrees", [(12, 0, 0), (0, 8, 20)])
def test_an_oblique_volume_shows_what_was_painted(open_dock, degrees):
    person = open_dock(make_phantom(degrees=degrees)[0])
    mask = brush(person, size=6)
    shown = np.array(mask.data.shape) // 2
    person.viewer.dims.point = tuple(mask.data_to_world(shown))
    mask.mode = "paint"
    mask.paint(tuple(shown), 1)
    painted = np.asarray(mask.data)[shown[0]]
    y, x = np.indices(painted.shape)
    disc = (y - shown[1]) ** 2 + (x - shown[2]) ** 2 <= 2.5**2
    assert (painted[disc] == 1).all()
    assert person.session.mask.any()
    person.session.undo()
    assert not np.asarray(mask.data).any()


@pytest.mark.parametrize("axes", [(1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_any_order_of_axes_is_painted_where_it_is_seen(open_dock, axes):
    volume = make_phantom()[0]
    affine = volume.affine.copy()
    affine[:3, :3] = volume.affine[:3, list(axes)]
    turned = nmv.Volume(volume.data.transpose(axes), affine, name="turned")
    person = open_dock(turned)
    brush(person, size=1)
    voxel = tuple(np.array(CORNER)[list(axes)])
    person.draws([voxel])
    assert [tuple(v) for v in np.argwhere(person.session.mask)] == [voxel]
    assert person.sees(voxel) == 1
