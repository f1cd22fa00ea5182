"""The same question about mirrored and cropped pictures."""

from dataclasses import replace

import numpy as np
import pytest

from napari_medvlm.checks.answer_similarity import CheckedAnswer
from napari_medvlm.checks.changed_views import ChangedViews, cropped, mirrored
from napari_medvlm.data.answer import Answer, Claim
from napari_medvlm.data.check_result import Outcome
from napari_medvlm.data.montage import Montage
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.volume import Volume
from tests.checks.conftest import spotted
from tests.checks.test_check_list import QUESTION, never, subject_of


def bright_volume():
    """A block of 3 x 5 voxels near the border of slices of 2 mm x 1 mm, of 20 x 30 voxels."""
    data = np.zeros((3, 20, 30), np.uint8)
    data[:, 1:4, 20:25] = 255
    return Volume(data, np.diag([4.0, 2.0, 1.0, 1.0]))


def bright_box(image):
    """The box of the bright pixels of a picture, as a box on its slice."""
    rows, columns = (np.flatnonzero((image.pixels[..., 0] > 127).any(axis)) for axis in (1, 0))
    return image.box((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))


@pytest.mark.parametrize("change", [mirrored, lambda image: cropped(image, ())])
def test_a_box_in_a_changed_picture_is_the_box_in_the_picture(change):
    volume = bright_volume()
    for axis in (0, 1, 2):
        index = {0: 1, 1: 2, 2: 22}[axis]
        image = picture_of(volume, SliceRef(axis, index))
        changed = change(image)
        assert (changed.pixels != 0).any()
        expected, box = bright_box(image), bright_box(changed)
        start, stop = box.bounds(volume.grid)
        full = expected.bounds(volume.grid)
        part = changed.spans
        limits = {changed.rows: part[0], changed.columns: part[1], axis: (0, 99)}
        for a in range(3):
            assert start[a] == max(full[0][a], limits[a][0])
            assert stop[a] == min(full[1][a], limits[a][1])


def test_a_margin_is_cut_off_up_to_the_region_of_the_answer():
    volume = bright_volume()
    image = picture_of(volume, SliceRef(0, 1))
    assert cropped(image, ()).spans == ((2, 18), (3, 27))
    box = Box.at_index(volume, (1, 1, 20), (2, 4, 29))
    kept = cropped(image, (box,))
    assert kept.spans == ((1, 18), (3, 29))
    assert kept.size == (34, 26)
    np.testing.assert_array_equal(bright_box(kept).corners(), bright_box(image).corners())


def test_each_slice_of_a_montage_is_changed_and_keeps_what_is_drawn_on_it():
    volume = bright_volume()
    montage = Montage.of([picture_of(volume, SliceRef(0, n)) for n in (0, 1)])
    pixels = montage.pixels.copy()
    pixels[5, 0] = 200
    changed = mirrored(replace(montage, pixels=pixels))
    assert changed.pixels[5, 29].tolist() == [200] * 3
    assert changed.tiles[1].picture.slice == SliceRef(0, 1)
    x = changed.tiles[1].x + 5
    box = changed.box((x, 2, x + 5, 8))
    start, stop = box.bounds(volume.grid)
    assert (start.tolist(), stop.tolist()) == ([1, 1, 20], [2, 4, 25])


def seen(text, words="Yes.", regions=()):
    """A subject with one picture, and its answer."""
    volume = spotted(250)
    image = picture_of(volume, SliceRef(0, 0))
    answer = Answer(words, (Claim(words, regions),), choice="yes")
    return subject_of(answer, text, volume, pictures=(image,), captions=("",))


def test_left_and_right_forbid_mirrored_pictures():
    assert [name for name, _ in seen(QUESTION).views()] == [
        "mirrored",
        "cropped",
        "mirrored and cropped",
    ]
    assert [name for name, _ in seen("Is the left lung clear?").views()] == ["cropped"]
    assert [name for name, _ in seen(QUESTION, "Yes, on the right.").views()] == ["cropped"]


def test_the_share_of_equal_answers_and_the_overlap_of_regions_are_reported():
    volume = spotted(250)
    box = Box.at_index(volume, (0, 3, 4), (1, 9, 10))
    region = Region("it", box)
    subject = seen(QUESTION, regions=(region,))
    answers = iter(("yes", "yes", "no"))
    found = ChangedViews().run(subject, lambda request: CheckedAnswer("", next(answers)))
    assert found.verdict is Outcome.FLAGGED
    assert found.sentence.startswith("2 of 3 answers to changed views agree.")
    half = Region("it", Box.at_index(volume, (0, 3, 4), (1, 9, 7)))
    for other, shared, verdict in ((region, 1, Outcome.PASSED), (half, 0.5, Outcome.PASSED)):
        reply = CheckedAnswer("", "yes", (other,))
        found = ChangedViews().run(subject, lambda request, reply=reply: reply)
        assert (found.verdict, found.details["region_overlap"]) == (verdict, [shared] * 3)
    elsewhere = Region("it", Box.at_index(volume, (0, 15, 15), (1, 20, 20)))
    found = ChangedViews().run(subject, lambda request: CheckedAnswer("", "yes", (elsewhere,)))
    assert found.sentence == "3 of 3 answers to changed views agree, but the regions differ."


def test_without_pictures_nothing_is_asked():
    subject = subject_of(Answer("Yes.", choice="yes"))
    assert ChangedViews().cost(subject) == 0
    assert ChangedViews().run(subject, never).verdict is Outcome.NOT_APPLICABLE
