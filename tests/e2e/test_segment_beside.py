"""The Segment dock beside other images, in napari's grid, with napari's asynchronous slicing."""

import numpy as np
from napari.layers import Layer
from napari.settings import get_settings
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import layer_data
from napari_medvlm.widgets.segment.prompt_toolbar import Tool
from tests.conftest import make_phantom
from tests.e2e.conftest import LEFT

SHARES_WINDOWS = True


def prompts(person):
    """The kinds of all prompts, in order, and the voxels that points are nearest to."""
    live = [p for o in person.session.now.objects.values() for p in o.prompts.values()]
    points = [p.position_mm for p in live if p.kind == "point"]
    indices = [person.session.volume.grid.to_index(np.array([at]))[0] for at in points]
    return [p.kind for p in live], [tuple(np.round(index).astype(int)) for index in indices]


def add_image(person, shape, affine):
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return person.viewer.add_layer(Layer.create(*layer_data(Volume(data, affine, name="other"))))


def draw_point_box_and_scribble(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    person.dock.tools.choose(Tool.BOX)
    person.draws([(12, 8, 4), (12, 20, 10), (12, 34, 22)])
    person.waits_for_mask()
    person.dock.tools.choose(Tool.SCRIBBLE)
    person.draws([(12, 20, 10), (12, 20, 13)])
    person.waits_for_mask()


def test_what_is_drawn_half_way_between_two_slices_is_a_prompt(person):
    affine = person.session.volume.affine @ np.diag([0.5, 1, 1, 1])
    add_image(person, (48, 40, 44), affine)
    for tool, places in (
        (Tool.SCRIBBLE, [(20, 10), (20, 13), (20, 16)]),
        (Tool.BOX, [(8, 4), (20, 10), (34, 22)]),
    ):
        person.dock.tools.choose(tool)
        for z in (11.5, 12.5):  # napari rounds both to 12
            person.draws([(z, *place) for place in places])
            person.waits_for_mask()
            assert prompts(person)[0] == [tool.title.lower()]
            person.dock.row.undo()
            person.waits_for_mask()


def test_prompts_beside_a_4d_image_lie_where_they_were_drawn(person):
    volume = person.session.volume
    window = person.viewer.window._qt_viewer
    height = window.canvas.native.height() - window.dims.SLIDERHEIGHT
    person.viewer.add_image(np.zeros((3, *volume.shape), np.float32), affine=volume.affine)
    person.waits(lambda: window.canvas.native.height() == height)
    draw_point_box_and_scribble(person)
    assert prompts(person) == (["point", "box", "scribble"], [LEFT])
    assert person.session.mask[LEFT]


def test_a_click_in_any_cell_of_napari_s_grid_is_a_point_at_its_voxel(person):
    volume = person.session.volume
    add_image(person, volume.shape, volume.affine)
    person.dock.tools.choose(Tool.POINT)
    viewer, canvas = person.viewer, person.viewer.window._qt_viewer.canvas
    world = np.array(person.world(LEFT))
    viewer.dims.point = tuple(world)
    viewer.canvas.grid.enabled = True
    viewer.canvas.grid.shape = (1, len(viewer.layers))
    person.waits(lambda: len(canvas.grid_views) == len(viewer.layers))

    def pixel(view):
        down, right = (world[1:] - viewer.scene.camera.center[-2:]) * viewer.scene.camera.zoom
        (left, top), (width, height) = view.transform.translate[:2], view.size
        return round(left + width / 2 + right), round(top + height / 2 + down)

    def is_settled(view):
        there = canvas._map_canvas2world(pixel(view), view)
        is_wide = abs(view.size[0] * len(viewer.layers) - canvas.native.width()) < 1
        return is_wide and np.allclose(there[-3:], world, atol=1 / viewer.scene.camera.zoom)

    viewer.reset_view()
    for number in range(len(viewer.layers)):
        person.waits(lambda number=number: is_settled(canvas.grid_views[number]))
        at = QPoint(*pixel(canvas.grid_views[number]))
        QTest.mouseMove(canvas.native, at)
        QTest.mouseClick(canvas.native, Qt.MouseButton.LeftButton, pos=at)
        person.waits_for_mask()
        assert prompts(person)[1] == [LEFT] * (number + 1)


def test_tools_work_with_asynchronous_slicing(person):
    get_settings().experimental.async_ = True
    draw_point_box_and_scribble(person)
    assert prompts(person) == (["point", "box", "scribble"], [LEFT])
    assert person.sees(LEFT) == 1
    person.dock.row.undo()
    person.waits_for_mask()
    assert prompts(person)[0] == ["point", "box"]


def test_a_renamed_image_goes_on_and_its_duplicate_offers_the_session(person):
    image = person.dock.image.layer
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    image.name = "renamed"
    person.clicks((12, 20, 15))
    person.waits_for_mask()
    assert len(prompts(person)[1]) == 2
    copy = Layer.create(*image.as_layer_data_tuple())
    person.viewer.add_layer(copy)
    person.viewer.layers.remove(image)
    person.waits(lambda: person.dock.image.layer is copy and person.session is not None)
    person.waits(lambda: person.dock.resume.isVisible())
    person.dock.resume.resume.click()
    person.waits(lambda: len(prompts(person)[1]) == 2)


def test_two_viewers_of_a_process_have_sessions_of_their_own(open_dock):
    first, second = (open_dock(make_phantom(seed=seed)[0]) for seed in (0, 1))
    for person in (first, second):
        person.dock.tools.choose(Tool.POINT)
        person.clicks(LEFT)
        person.waits_for_mask()
        assert prompts(person) == (["point"], [LEFT])
    second.dock.close_dock()
    second.viewer.close()
    first.clicks((12, 20, 15))
    first.waits_for_mask()
    assert len(prompts(first)[1]) == 2
    assert first.sees(LEFT) == 1
