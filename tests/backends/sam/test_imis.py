"""IMIS-Net in the file of its authors gives the masks of their predictor, also with names."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.dispatch import segment
from napari_medvlm.backends.sam import SAMBackend
from napari_medvlm.backends.sam.imis import ImisModel, words_of
from napari_medvlm.backends.sam.propagation import StopRule
from napari_medvlm.backends.sam.sam import sam_model
from napari_medvlm.backends.sam.slice_prompts import SlicePrompts
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.prompts import Box, Point
from napari_medvlm.data.volume import Volume
from tests.backends.sam import tiny_sam
from tests.backends.sam.by_hand import quiet
from tests.backends.sam.tiny_imis import TinyImis

PICTURE = tiny_sam.picture()
CLICKS = ((0, 20, 30), (0, 5, 60))
TEXT = "a segmentation area of a left kidney."


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    torch.manual_seed(7)
    model = TinyImis()
    return model, model.save(tmp_path_factory.mktemp("imis"))


@pytest.fixture
def backend(published):
    new_backend = SAMBackend()
    new_backend.load(str(published[1]), "cpu")
    new_backend.stop = StopRule(score=np.inf)
    new_backend.set_volume(Volume(PICTURE[None]))
    return new_backend


def asked(backend, *prompts, phrases=()):
    object_prompts = ObjectPrompts(prompts, (len(prompts),), phrases=phrases)
    return segment(backend, backend._volume, object_prompts, quiet)


def clicks(volume):
    first, second = CLICKS
    return Point.at_index(volume, first), Point.at_index(volume, second, positive=False)


def test_points_and_a_box_give_the_mask_of_the_predictor(backend, published):
    volume, model = backend._volume, published[0]
    wanted, score = model.predict(PICTURE, [(30.0, 20.0)], [1])
    mask = asked(backend, Point.at_index(volume, CLICKS[0]))
    assert 0 < wanted.mean() < 1
    assert np.array_equal(mask.full()[0], wanted)
    assert mask.slice_scores[0, 0] == pytest.approx(score, abs=1e-5)
    box = Box.at_index(volume, (0, 10, 20), (1, 40, 55))
    mask = asked(backend, box, *clicks(volume))
    wanted, _ = model.predict(
        PICTURE, [(30.0, 20.0), (60.0, 5.0)], [1, 0], (20.0, 10.0, 54.0, 39.0)
    )
    assert np.array_equal(mask.full()[0], wanted)


def test_points_a_box_and_the_name_of_the_object_go_into_one_call(backend, published):
    volume, model = backend._volume, published[0]
    prompts = Box.at_index(volume, (0, 10, 20), (1, 40, 55)), *clicks(volume)
    given = [(30.0, 20.0), (60.0, 5.0)], [1, 0], (20.0, 10.0, 54.0, 39.0)
    wanted, score = model.predict(PICTURE, *given, TEXT)
    mask = asked(backend, *prompts, phrases=("Left_Kidney",))
    assert np.array_equal(mask.full()[0], wanted)
    assert mask.slice_scores[0, 0] == pytest.approx(score, abs=1e-5)
    assert mask.notes == ("Segmented with the name Left_Kidney.",)
    assert not np.array_equal(wanted, model.predict(PICTURE, *given)[0])


def test_several_names_have_a_mask_each_of_the_same_click(backend, published):
    volume, model = backend._volume, published[0]
    mask = asked(backend, Point.at_index(volume, CLICKS[0]), phrases=("left kidney", "liver"))
    texts = {"left kidney": TEXT, "liver": "a segmentation area of a liver."}
    wanted = {n: model.predict(PICTURE, [(30.0, 20.0)], [1], text=t)[0] for n, t in texts.items()}
    assert np.array_equal(mask.full()[0], wanted["left kidney"])
    assert list(mask.others) == ["liver"]
    assert np.array_equal(mask.others["liver"].full()[0], wanted["liver"])


def test_an_area_is_the_mask_input(published):
    model, path = published
    own = sam_model(path, "cpu")
    assert isinstance(own, ImisModel)
    area = np.zeros(PICTURE.shape[:2], bool)
    area[10:40, 20:50] = True
    (mask,) = own.masks(
        own.embed([own.prepared(PICTURE)])[0], area.shape, SlicePrompts(area=area), False
    )
    logits = torch.from_numpy(own._logits(area))[None]
    assert logits.shape == (1, 1, 16, 16)
    assert np.array_equal(mask.inside, model.predict(PICTURE, mask=logits)[0])


def test_without_its_tokenizer_the_name_is_left_out_and_a_note_states(backend, published):
    vocabulary = published[1].with_name("vocab.json")
    content = vocabulary.read_text()
    vocabulary.unlink()
    try:
        point = Point.at_index(backend._volume, CLICKS[0])
        mask = asked(backend, point, phrases=("liver",))
    finally:
        vocabulary.write_text(content)
    wanted, _ = published[0].predict(PICTURE, [(30.0, 20.0)], [1])
    assert np.array_equal(mask.full()[0], wanted)
    assert mask.notes[0].startswith("The name of the object was not used: The model is built on")


def test_a_name_becomes_the_sentence_of_the_authors():
    assert words_of("Left_Kidney -  upper") == "A segmentation area of a left kidney upper."


def test_weights_that_do_not_fit_are_refused(published, tmp_path):
    state = torch.load(published[1], weights_only=True)
    del state["mask_decoder.text_output.bias"]
    torch.save(state, tmp_path / "IMISNet-B.pth")
    with pytest.raises(BackendUnavailable, match="not a Segment Anything checkpoint"):
        sam_model(tmp_path / "IMISNet-B.pth", "cpu")
