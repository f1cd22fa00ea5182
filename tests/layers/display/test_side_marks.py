"""Sides of the patient are named in a viewer of images of this plugin, without any dock."""

import gc

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from napari_medvlm.data.volume import FLAT, Modality, Volume
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.display import side_marks
from napari_medvlm.layers.display.side_marks import mark_sides
from napari_medvlm.layers.orientation import Plane, name_axes, show_plane

DATA = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
AFFINE = np.diag([3.0, -1.0, 2.0, 1.0])


def add(viewer, modality=Modality.CT):
    return viewer.add_layer(
        Layer.create(*layer_data(Volume(DATA, AFFINE, modality=modality, name="scan")))
    )


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    mark_sides(viewer)
    return viewer


def text(viewer):
    overlay = viewer.canvas.overlays.text
    return overlay.text if overlay.visible else ""


def test_an_image_that_is_opened_has_its_sides_named_on_every_plane_and_slice(viewer):
    add(viewer)
    assert text(viewer).splitlines()[1:] == ["up: anterior", "right: patient's left"]
    assert viewer.dims.axis_labels == ("S", "P", "L")
    show_plane(viewer, Plane.CORONAL)
    assert text(viewer).splitlines()[1:] == ["up: superior", "right: patient's left"]
    viewer.dims.point = (0, -2, 0)
    assert text(viewer).startswith("Coronal, P -2.0 mm")
    viewer.dims.ndisplay = 3
    assert text(viewer) == "3D"


def test_the_text_is_white_on_a_dark_panel_unless_the_user_chose_colors(viewer):
    add(viewer)
    overlay = viewer.canvas.overlays.text
    assert tuple(overlay.box_color)[:3] == (0, 0, 0)
    assert tuple(overlay.color) == (1, 1, 1, 1)
    assert tuple(viewer.canvas.overlays.axes.box_color)[:3] == (0, 0, 0)
    overlay.box_color, overlay.color = "yellow", "black"
    viewer.dims.point = (3, 0, 0)
    assert tuple(overlay.color) == (0, 0, 0, 1)


def test_the_names_go_with_the_image_and_an_image_of_others_has_none(viewer):
    layer = add(viewer)
    assert text(viewer)
    viewer.layers.remove(layer)
    assert text(viewer) == ""
    viewer.add_image(DATA)
    assert text(viewer) == ""
    add(viewer)
    assert "patient's left" in text(viewer)


@pytest.mark.parametrize("modality", FLAT)
def test_pictures_and_projections_have_no_sides(viewer, modality):
    add(viewer, modality)
    assert text(viewer) == ""
    name_axes(viewer)
    assert text(viewer) == ""
    assert viewer.dims.axis_labels != ("S", "P", "L")


def test_a_viewer_is_marked_once_and_freed():
    viewer = ViewerModel()
    before = len(side_marks._marked)
    mark_sides(viewer)
    mark_sides(viewer)
    mark_sides(None)
    assert len(side_marks._marked) == before + 1
    del viewer
    gc.collect()
    assert len(side_marks._marked) == before
