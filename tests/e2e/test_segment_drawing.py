"""Boxes, lassos, lines and scribbles drawn in the window become prompts of the session."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import napari_medvlm as nmv
from napari_medvlm.layers.orientation import Plane, show_plane
from napari_medvlm.widgets.segment.prompt_toolbar import Tool
from tests.e2e.conftest import LEFT, RIGHT

SHARES_WINDOWS = True


@pytest.mark.parametrize("plane", list(Plane), ids=lambda plane: plane.name)
def test_a_box_on_any_plane_is_one_slice_thick_there(person, plane):
    show_plane(person.viewer, plane)
    person.dock.tools.choose(Tool.BOX)
    axis = plane.value[0]
    corner = np.array((12, 20, 13))
    low, high = corner - (6, 9, 6), corner + (6, 9, 6)
    low[axis] = high[axis] = corner[axis]
    person.draws([low, corner, high])
    person.waits_for_mask()
    (box,) = person.session.now.objects[1].prompts.values()
    start, stop = box.bounds(person.session.volume.grid)
    assert stop[axis] - start[axis] == 1
    assert start[axis] == corner[axis]
    assert person.sees(LEFT) == 1


def test_a_box_with_depth_is_seen_on_every_slice_that_it_spans(person):
    person.dock.tools.depth_changed.emit(12.0)
    person.dock.tools.choose(Tool.BOX)
    person.draws([(12, 8, 4), (12, 20, 10), (12, 34, 22)])
    person.waits_for_mask()
    start, stop = next(iter(person.session.now.objects[1].prompts.values())).bounds(
        person.session.volume.grid
    )
    assert stop[0] - start[0] == 6
    shapes = person.layer("shapes")
    for z in range(start[0], stop[0]):
        person.viewer.dims.point = tuple(person.world((z, 20, 13)))
        person.qtbot.wait(1)
        assert_allclose(np.asarray(shapes.data[0])[:, 0], z, atol=1e-6)


def test_a_lasso_and_a_scribble_become_prompts(person):
    person.dock.tools.choose(Tool.LASSO)
    angles = np.linspace(0, 2 * np.pi, 30)
    person.draws([(12, 20 + 11 * np.sin(a), 13 + 8 * np.cos(a)) for a in angles])
    person.waits_for_mask()
    assert person.sees(LEFT) == 1
    person.dock.new_object()
    person.dock.tools.choose(Tool.SCRIBBLE)
    person.draws([(12, 20, 30), (12, 20, 33), (12, 20, 36)])
    person.waits_for_mask()
    kinds = [type(p) for o in person.session.now.objects.values() for p in o.prompts.values()]
    assert kinds == [nmv.Lasso, nmv.Scribble]
    assert person.sees(RIGHT) == 2


def test_a_line_over_the_longest_diameter_becomes_a_prompt_that_moves_with_its_ends(person):
    person.dock.tools.choose(Tool.LINE)
    person.draws([(12, 10, 13), (12, 20, 13), (12, 30, 13)])
    person.waits_for_mask()
    (line,) = next(iter(person.session.now.objects.values())).prompts.values()
    assert isinstance(line, nmv.Line)
    ends = person.session.volume.grid.to_index(line.ends_mm)
    assert_allclose(ends, [(12, 10, 13), (12, 30, 13)], atol=0.6)
    assert person.sees(LEFT) == 1
    shapes = person.layer("shapes")
    assert list(shapes.shape_type) == ["line"]
    shapes.data = [np.asarray(shapes.data[0]) + (0, 1, 0)]
    person.waits_for_mask()
    (moved,) = next(iter(person.session.now.objects.values())).prompts.values()
    assert_allclose(person.session.volume.grid.to_index(moved.ends_mm), ends + (0, 1, 0), atol=1e-3)
    person.session.undo()
    person.session.undo()
    assert not person.session.now.objects


def test_erasing_a_stroke_takes_its_prompt_away(person):
    person.dock.tools.choose(Tool.SCRIBBLE)
    person.draws([(12, 20, 10), (12, 20, 14)])
    person.waits_for_mask()
    scribbles = person.layer("scribbles")
    scribbles.mode = "erase"
    scribbles.brush_size = 20
    person.draws([(12, 20, 8), (12, 20, 16)])
    person.waits(lambda: not person.session.now.objects[1].prompts)
    person.dock.row.undo()
    person.waits_for_mask()
    assert (np.asarray(scribbles.data) == 1).any()
