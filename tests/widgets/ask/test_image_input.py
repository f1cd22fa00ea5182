"""What a model is to see, as a person chooses it."""

from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from numpy.testing import assert_allclose

from napari_medvlm.data.answer import NamedMask
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Window
from napari_medvlm.data.window_presets import CT_COLORS
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.convert import volume_of
from napari_medvlm.layers.orientation import Plane, show_plane
from napari_medvlm.layers.pairing.pairing_layers import PairedStudies, PairingLayers
from napari_medvlm.sessions.ask.image_selection import pictures
from napari_medvlm.sessions.ask.visual_prompts import VisualPrompting
from napari_medvlm.widgets.ask.image_input import (
    AROUND,
    AS_PRIOR,
    AS_SHOWN,
    COLORS,
    CROP_OBJECTS,
    OBJECTS,
    WHOLE,
    ViewChoice,
)
from tests.conftest import make_phantom

VOLUME, LEFT, RIGHT = make_phantom()
NAMED = (NamedMask("left", Mask.of(LEFT)),)


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layer_data(VOLUME)))
    show_plane(viewer, Plane.AXIAL)
    viewer.dims.point = tuple(VOLUME.grid.to_world((12, 20, 22)))
    return viewer


@pytest.fixture
def choice(viewer, qtbot):
    made = ViewChoice(viewer)
    qtbot.addWidget(made)
    made.bind(viewer.layers[0], VOLUME)
    return made


def seen(choice, objects=NAMED):
    return pictures(VOLUME, choice.view(VOLUME, objects))


def test_at_first_it_is_the_slice_in_view(choice, viewer):
    (picture,) = seen(choice).pictures
    assert (picture.slice.axis, picture.slice.index) == (0, 12)
    assert choice.title == "Images: current slice"
    show_plane(viewer, Plane.CORONAL)
    (picture,) = seen(choice).pictures
    assert (picture.slice.axis, picture.slice.index) == (1, 20)


def test_slices_around_it_and_of_the_image_every_so_many_millimetres(choice):
    choice.where.setCurrentIndex(AROUND)
    choice.reach.setValue(8)
    choice.every.setValue(4)
    assert [p.slice.index for p in seen(choice).pictures] == [8, 10, 12, 14, 16]
    choice.where.setCurrentIndex(WHOLE)
    choice.every.setValue(12)
    looked = seen(choice)
    assert len(looked.pictures) == 4
    assert looked.covered == pytest.approx(4 / 24)
    choice.montage.setValue(4)
    assert len(seen(choice).pictures) == 1
    assert choice.title == "Images: whole volume, step 12 mm · 4 per image"


def test_slices_of_an_object_need_one(choice):
    choice.where.setCurrentIndex(OBJECTS)
    choice.every.setValue(0)
    inside = np.flatnonzero(LEFT.any(axis=(1, 2)))
    assert [p.slice.index for p in seen(choice).pictures] == inside.tolist()
    with pytest.raises(InvalidPrompt, match="No object is selected"):
        choice.view(VOLUME, ())


def test_what_is_sent_can_be_cut_to_the_objects(choice):
    whole = seen(choice).pictures[0].size
    choice.crop.setCurrentIndex(CROP_OBJECTS)
    height, width = seen(choice).pictures[0].size
    inside = np.argwhere(LEFT)
    _, rows, columns = inside.max(axis=0) - inside.min(axis=0) + 1
    assert_allclose((height, width), (rows, columns), atol=2)
    assert height < whole[0]


def test_windows_are_the_images_own_a_preset_the_viewers_or_three(choice, viewer):
    assert choice.view(VOLUME, ()).windows == ()
    choice.window.setCurrentText("Bone")
    assert choice.view(VOLUME, ()).windows == (Window(400, 1800),)
    viewer.layers[0].contrast_limits = (100, 300)
    choice.window.setCurrentText(AS_SHOWN)
    assert choice.view(VOLUME, ()).windows == (Window(200, 200),)
    choice.window.setCurrentText(COLORS)
    assert choice.view(VOLUME, ()).windows == CT_COLORS


def test_objects_are_shown_as_chosen_or_not_at_all(choice):
    assert choice.view(VOLUME, NAMED).draw == ()
    choice.pointing.setCurrentText(VisualPrompting.WRITTEN)
    view = choice.view(VOLUME, NAMED)
    assert [region.name for region in view.draw] == ["left"]
    assert view.pointing is VisualPrompting.WRITTEN


def test_another_image_is_sent_as_well(choice, viewer):
    other = make_phantom(seed=3)[0]
    viewer.add_layer(Layer.create(*layer_data(other)))
    viewer.layers[-1].name = "prior"
    assert not choice.other.isEnabled()
    choice.with_other.setCurrentIndex(1)
    assert choice.other.isEnabled()
    assert seen(choice).of == ("", "prior")


def test_a_registered_prior_is_asked_about_at_its_registered_places(choice, viewer):
    shift = np.eye(4)
    shift[:3, 3] = 2, -1, 3
    prior = replace(VOLUME, affine=shift @ VOLUME.affine, name="prior")
    viewer.add_layer(Layer.create(*layer_data(prior)))
    current = viewer.layers[0]
    pairing = Pairing(PairingKind.RIGID, np.linalg.inv(shift))
    layers = PairingLayers(viewer, current, viewer.layers["prior"])
    layers.show(PairedStudies.of(volume_of(current), volume_of(viewer.layers["prior"]), pairing))
    choice.with_other.setCurrentText(AS_PRIOR)
    choice.other.setCurrentIndex(choice.other.findText("prior"))
    (other,) = choice.view(volume_of(current), ()).others
    assert (other.name, other.is_prior, other.pairing) == ("prior", True, pairing)
    assert "with prior" in choice.title
    layers.close()
    (other,) = choice.view(volume_of(current), ()).others
    assert (other.is_prior, other.pairing) == (True, None)
