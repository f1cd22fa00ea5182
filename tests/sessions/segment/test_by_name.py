"""From what was found for words to objects."""

import numpy as np
import pytest

from napari_medvlm.data.grounding import Grounding, NotFound
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box, InitialMask, Point
from napari_medvlm.data.region import Region
from napari_medvlm.sessions.segment.by_name import findings
from tests.conftest import make_phantom


@pytest.fixture
def scene():
    return make_phantom((12, 20, 22))


def region(volume, phrase, where, name="", mask=True):
    whole = Mask.of(where)
    found = Region.of_mask(phrase, whole, volume.grid, None, name)
    return found if mask else Region(phrase, found.box, name=name)


def test_the_masks_of_a_phrase_are_one_object(scene):
    volume, left, right = scene
    found = Grounding((region(volume, "kidneys", left), region(volume, "kidneys", right)), ())
    made = findings(found, volume, {Point})
    (one,) = made.objects
    assert one.name == "kidneys"
    assert isinstance(one.prompt, InitialMask)
    np.testing.assert_array_equal(one.prompt.mask(volume.grid).full(), left | right)
    assert made.missing == ()


def test_everything_is_an_object_a_name(scene):
    volume, left, right = scene
    regions = (
        region(volume, "everything", left, "left kidney"),
        region(volume, "everything", right, "right kidney"),
    )
    made = findings(Grounding(regions, ()), volume, {Point})
    assert [one.name for one in made.objects] == ["left kidney", "right kidney"]


def test_boxes_are_prompts_if_the_backend_takes_them_else_reported(scene):
    volume, left, right = scene
    regions = tuple(region(volume, "kidney", where, mask=False) for where in (left, right))
    found = Grounding(regions, (NotFound("spleen", "It is nowhere."),))
    made = findings(found, volume, {Point, Box})
    assert [(one.name, type(one.prompt)) for one in made.objects] == [
        ("kidney 1", Box),
        ("kidney 2", Box),
    ]
    assert made.missing == ("spleen was not found: It is nowhere.",)
    refused = findings(found, volume, {Point})
    assert refused.objects == ()
    assert "does not support box prompts" in refused.missing[1]
