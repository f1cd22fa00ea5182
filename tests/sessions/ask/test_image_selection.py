"""What a model sees: chosen slices, parts, windows, other images, and what is pointed at."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_medvlm as nmv
from napari_medvlm.backends.box_formats import parse
from napari_medvlm.backends.detection.letterbox import framed
from napari_medvlm.backends.models.catalog import rows
from napari_medvlm.backends.vlm.written_places import written_places
from napari_medvlm.data.conversation import Turn
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.montage import Montage
from napari_medvlm.data.prompts import Box, Point
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.volume import Modality, Volume, Window
from napari_medvlm.data.window_presets import CT_COLORS
from napari_medvlm.ledger.stored_images import StoredSliceImage
from napari_medvlm.sessions.ask.image_selection import (
    ImageSelection,
    pictures,
)
from napari_medvlm.sessions.ask.other_images import NamedVolume, counterpart
from napari_medvlm.sessions.ask.tool_loop import QuestionInputs, question_of
from napari_medvlm.sessions.ask.visual_prompts import (
    COLORS,
    VisualPrompting,
    bounds_in,
    named_places,
    places_in,
    pointed,
)
from tests.conftest import make_phantom

GRAY = (Window(180, 360),)


@pytest.fixture(scope="module")
def phantom():
    return make_phantom((16, 30, 32), (2.0, 1.0, 1.0), (10, -5, 8))


@pytest.fixture
def region(phantom):
    volume, left, _ = phantom
    return Region.of_mask("left kidney", Mask.of(left), volume.grid, None, "left kidney")


def colored(picture, color):
    return (picture.pixels == COLORS[color]).all(axis=2)


def test_slices_are_captioned_and_their_share_is_reported(phantom):
    looked = pictures(phantom[0], ImageSelection(Scope(slice_step_mm=8), windows=GRAY))
    assert [p.slice.index for p in looked.pictures] == [1, 5, 9, 13]
    assert looked.captions[0] == "axial slice 1 of 16, window 180/360"
    assert looked.covered == 0.25
    assert [sent.slice for sent in looked.sent] == [p.slice for p in looked.pictures]


def test_a_montage_names_its_slices(phantom):
    looked = pictures(phantom[0], ImageSelection(Scope(2, slice_step_mm=4), montage=4))
    assert [type(p) for p in looked.pictures] == [Montage, Montage]
    assert looked.captions[0].startswith("sagittal slices 1, 5, 9, 13 of 32, from left to right")
    assert looked.covered == 8 / 32
    single = pictures(phantom[0], ImageSelection(Scope(0, 3, 4), montage=4))
    assert not isinstance(single.pictures[0], Montage)


def test_a_region_crops_every_slice_and_one_beside_the_image_is_refused(phantom):
    volume, left, _ = phantom
    mask = Mask.of(left)
    box = Box.at_index(volume, mask.start, mask.stop)
    looked = pictures(volume, ImageSelection(Scope(0, 7, 9), region=box))
    assert looked.pictures[0].size == (mask.crop.shape[1], mask.crop.shape[2])
    assert looked.captions[0].endswith("cropped")
    beside = Box.at_index(volume, (0, 90, 90), (2, 99, 99))
    with pytest.raises(InvalidPrompt, match="outside"):
        pictures(volume, ImageSelection(region=beside))


def test_ct_in_three_windows_is_what_medgemma_was_trained_on():
    values = np.array([-1024, -135, 0, 40, 80, 215, 1024], np.int16)
    volume = Volume(np.broadcast_to(values, (1, 3, 7)).copy(), modality=Modality.CT)
    (picture,) = pictures(volume, ImageSelection(windows=CT_COLORS)).pictures
    red, green, blue = picture.pixels[1].T.tolist()
    assert red == [0, 111, 128, 132, 137, 154, 255]
    assert (green[1], green[3], green[5]) == (0, 128, 255)
    assert blue[2:5] == [0, 128, 255]


def test_a_prior_is_shown_at_the_same_places(phantom):
    volume, left, _ = phantom
    prior = Volume(
        np.ascontiguousarray(volume.data.transpose(2, 1, 0)),
        volume.affine[:, [2, 1, 0, 3]],
        name="before",
    )
    view = ImageSelection(Scope(0, 4, 8), windows=GRAY, others=(NamedVolume("prior study", prior),))
    looked = pictures(volume, view)
    assert looked.of == ("",) * 4 + ("prior study",) * 4
    assert looked.captions[4].startswith("prior study, axial slice 4 of 16")
    assert [p.slice for p in looked.pictures[4:]] == [SliceRef(2, i) for i in range(4, 8)]
    assert looked.covered == 0.25
    for now, then in zip(looked.pictures[:4], looked.pictures[4:], strict=True):
        assert now.size == then.size
        np.testing.assert_allclose(
            then.point(5, 7).position_mm, now.point(5, 7).position_mm, atol=1e-3
        )


def test_a_prior_with_a_smaller_field_of_view_is_reported(phantom):
    volume, *_ = phantom
    short = NamedVolume("prior", Volume(volume.data[:6], volume.affine))
    looked = pictures(volume, ImageSelection(Scope(0, 4, 8), others=(short,)))
    assert len(looked.pictures) == 6
    assert looked.notes == ("prior has no slice at 2 of the 4 places.",)
    assert counterpart(volume, SliceRef(0, 12), short) is None


def test_an_object_is_outlined_on_a_copy(phantom, region):
    volume, left, _ = phantom
    before = volume.data.copy()
    view = ImageSelection(Scope(0, 8, 9), windows=GRAY, draw=(region,))
    (plain,) = pictures(volume, ImageSelection(Scope(0, 8, 9), windows=GRAY)).pictures
    (picture,) = pictures(volume, view).pictures
    line = colored(picture, "red")
    inside = plain.cut(Mask.of(left))
    assert line.sum() > 20
    assert not (line & ~inside).any()
    np.testing.assert_array_equal(picture.pixels[~line], plain.pixels[~line])
    np.testing.assert_array_equal(volume.data, before)
    text = pointed("How is it?", (region,))
    assert text == "How is it?\n\nOutlined in the pictures: left kidney in red."


def test_large_pictures_have_the_names_as_well():
    volume = Volume(np.zeros((2, 160, 200), np.int16) + 7, window=Window(100, 200))
    box = Region("nodule", Box.at_index(volume, (0, 40, 40), (1, 80, 90)), name="nodule")
    (picture,) = pictures(volume, ImageSelection(Scope(0, 0, 1), draw=(box,))).pictures
    red = picture.pixels[..., 0] > 100
    assert red[:40].any()  # the name stands over the box
    assert not red[:20].any()


def test_boxes_and_points_have_colours_of_their_own(phantom, region):
    volume, *_ = phantom
    box = Region("a box", Box.at_index(volume, (8, 4, 20), (9, 20, 30)), name="a box")
    place = Point.at_index(volume, (8, 25, 5))
    point = Region("spot", Box.at_index(volume, (8, 25, 5), (9, 26, 6)), points=(place,))
    view = ImageSelection(Scope(0, 8, 10), windows=GRAY, draw=(region, box, point))
    here, next_to_it = pictures(volume, view).pictures
    assert colored(here, "green").sum() > 40
    assert colored(here, "blue").sum() > 8
    assert not colored(next_to_it, "green").any()
    assert not colored(next_to_it, "blue").any()


def test_an_object_can_be_shown_as_a_crop(phantom, region):
    volume, left, _ = phantom
    looked = pictures(
        volume, ImageSelection(Scope(0, 2, 3), draw=(region,), pointing=VisualPrompting.CROP)
    )
    assert len(looked.pictures) == 2
    assert looked.captions[1].startswith("left kidney, cropped from axial slice 8 of 16")
    crop = looked.pictures[1]
    start, stop = region.box.bounds(volume.grid)
    shown = crop.box((0, 0, crop.size[1], crop.size[0])).bounds(volume.grid)
    assert (shown[0][1:] <= start[1:]).all()
    assert (shown[1][1:] >= stop[1:]).all()
    assert pointed("a?", (region,), VisualPrompting.CROP) == "a?"


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(*[st.integers(0, 20)] * 2),
    st.tuples(*[st.integers(2, 10)] * 2),
    st.sampled_from(["", "qwen3", "paligemma", "gemini", "internvl", "medseq"]),
)
def test_coordinates_in_the_text_lead_back_to_the_box(phantom, at, size, grammar):
    volume, *_ = phantom
    start, stop = (8, *at), (9, *np.add(at, size))
    region = Region("it", Box.at_index(volume, start, stop), name="it")
    view = ImageSelection(Scope(0, 8, 9), draw=(region,), pointing=VisualPrompting.WRITTEN)
    (picture,) = pictures(volume, view).pictures
    places = named_places((picture,), (region,))
    row = rows()[-1].model_copy(update={"grammar": grammar})
    written = written_places(places, row, [framed(picture.pixels, 0)])
    assert written.startswith("Places in the pictures")
    line = written.splitlines()[-1]
    height, width = picture.size
    if grammar:
        (found,) = parse(line, grammar, picture.size).boxes
        edges = found.x0, found.y0, found.x1, found.y1
    else:
        numbers = [int(n) for n in line.split("[")[1].rstrip("]").split(",")]
        edges = [n * side / 1000 for n, side in zip(numbers, (width, height) * 2, strict=True)]
    back = picture.box(tuple(edges)).bounds(volume.grid)
    np.testing.assert_array_equal(back, (start, stop))


def test_places_in_a_montage_are_reported_for_each_tile(phantom, region):
    volume, left, _ = phantom
    (montage,) = pictures(volume, ImageSelection(Scope(0, 6, 10), montage=4)).pictures
    places = places_in(montage, region)
    assert len(places) == 4
    for bounds, tile in zip(places, montage.tiles, strict=True):
        inside = montage.box(bounds).bounds(volume.grid)
        assert inside[0][0] == tile.picture.slice.index
    (named,) = named_places((montage,), (region,))
    assert named.boxes == tuple((0, bounds) for bounds in places)
    assert pointed("a?", (region,), VisualPrompting.WRITTEN) == "a?"


@pytest.mark.parametrize(
    "view",
    [
        ImageSelection(Scope(0, 4, 5), windows=GRAY),
        ImageSelection(Scope(1, 4, 9), montage=4, windows=CT_COLORS),
        ImageSelection(Scope(2, 4, 5)),
    ],
)
def test_pictures_are_rendered_again_on_demand(phantom, view):
    volume, *_ = phantom
    for picture in pictures(volume, view).pictures:
        kept = StoredSliceImage.of(picture, volume)
        assert kept.png == ""
        back = StoredSliceImage.model_validate_json(kept.model_dump_json()).slice_image(volume)
        np.testing.assert_array_equal(back.pixels, picture.pixels)
        assert back.slice == picture.slice


def test_annotated_pictures_are_stored(phantom, region):
    volume, *_ = phantom
    (picture,) = pictures(volume, ImageSelection(Scope(0, 8, 9), draw=(region,))).pictures
    kept = StoredSliceImage.of(picture, volume)
    assert kept.png
    np.testing.assert_array_equal(kept.slice_image(volume).pixels, picture.pixels)


def test_one_question_sees_its_scope(phantom):
    volume, left, _ = phantom
    answer = nmv.ask(
        volume, "How large is it?", masks={"it": left}, selection=ImageSelection(Scope(0, 2, 4))
    )
    assert answer.answered
    with pytest.raises(InvalidPrompt, match="no slice"):
        nmv.ask(volume, "How large is it?", selection=ImageSelection(Scope(0, 99, 100)))


def test_a_model_is_never_asked_without_an_image(phantom):
    with pytest.raises(InvalidPrompt, match="no slices are selected"):
        nmv.ask(phantom[0], "Is it normal?", "vlm", model="a/b")


def test_a_picture_is_not_called_axial(phantom):
    picture = nmv.Volume(phantom[0].data[:1], modality=nmv.Modality.PHOTO)
    assert pictures(picture, ImageSelection()).captions == ("the image",)
    film = nmv.Volume(phantom[0].data, modality=nmv.Modality.XA)
    assert pictures(film, ImageSelection(Scope(0, 3, 4))).captions[0].startswith("frame 3 of 16")
    assert (
        pictures(film, ImageSelection(Scope(0, 3, 5), montage=2))
        .captions[0]
        .startswith("frames 3, 4 of 16")
    )


def test_a_question_takes_the_places_of_its_objects_to_the_backend(phantom, region):
    volume, *_ = phantom
    view = ImageSelection(Scope(0, 8, 9), draw=(region,), pointing=VisualPrompting.WRITTEN)
    seen = pictures(volume, view)
    question = question_of(Turn(0, "How large?", "vlm"), QuestionInputs(view), (), seen, {})
    assert question.text == "How large?"
    (named,) = question.places
    assert named.name == "left kidney"
    assert named.boxes == ((0, bounds_in(seen.pictures[0], region)),)
