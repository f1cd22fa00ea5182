"""MAIRA-2 as published writes the tokens of its parts, for the prompts of its processor."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from napari_medvlm.backends.detection.letterbox import framed, full_range
from napari_medvlm.backends.models.trust import trust
from napari_medvlm.backends.vlm.backend import VLMBackend
from napari_medvlm.data.answer import AnswerKind, Question
from napari_medvlm.data.errors import InvalidPrompt
from tests.backends.detection.queries import asked, force, in_picture, picture, volume_of
from tests.backends.vlm.conversations import ask
from tests.backends.vlm.tiny_maira2 import MEAN, PATCHES, SIDE, SPREAD, maira2, tokenizer

SYSTEM = "You are an expert radiology assistant tasked with interpreting a chest X-ray study. "
GROUNDED = (
    " Provide a structured description of the findings in the radiology study in comparison to "
    "the prior frontal image. Each finding should be described as a self-contained plain-text "
    "sentence. If the finding is groundable, locate the finding in the current frontal chest X-ray "
    "image, with bounding boxes indicating all locations where it can be seen in the current "
    "frontal image. Otherwise, generate just the ungrounded finding without bounding boxes. "
)
"""``_construct_chat_messages_reporting`` of processing_maira2.py, with ``get_grounding``."""


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    root = tmp_path_factory.mktemp("hub")
    log = root / "ran"
    return maira2(root / "microsoft" / "maira-2", log), root / "microsoft" / "maira-2", log


@pytest.fixture
def backend(published):
    backend = VLMBackend()
    backend.load(str(published[1]), "cpu")
    backend.longest_answer = 24
    return backend


def seen_by_hand(pixels):
    """The middle square of an image as `Maira2Processor` and its image processor prepare it.

    ``_normalize_image``, then the shorter side resized to `SIDE` and the middle cut out.
    """
    grey = np.array(Image.fromarray(pixels).convert("L")).astype(float)
    grey = ((grey - grey.min()) / (grey - grey.min()).max() * 255).astype(np.uint8)
    side = min(grey.shape)
    top, left = ((n - side) // 2 for n in grey.shape)
    square = Image.fromarray(grey[top : top + side, left : left + side]).convert("RGB")
    small = np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32) / 255
    return torch.from_numpy((small - MEAN) / SPREAD).permute(2, 0, 1)[None].float()


def ids_of(before, after):
    text = f"{SYSTEM} USER: {before}{'<image>' * PATCHES}{after}  ASSISTANT: "
    return tokenizer()(text, return_tensors="pt")["input_ids"]


@pytest.mark.parametrize("name", ["square", "portrait", "landscape"])
def test_a_phrase_is_answered_with_the_tokens_of_the_parts(published, backend, name):
    volume, slice_ref = volume_of(name)
    backend.settings = {**backend.settings, "max_new_tokens": 24}
    result = asked(backend, volume, slice_ref, "left lung")
    ids = ids_of(
        "Given the current frontal image",
        " Repeat the following finding as a grounded phrase with bounding boxes indicating all "
        "locations where it can be seen in the given chest X-ray image. Finding: left lung",
    )
    pixels = seen_by_hand(picture(volume, slice_ref).pixels)
    tokens = published[0].tokens(pixels, ids, 24)
    assert result.texts == (backend._loaded.text(tokens),)
    assert len(set(tokens)) > 3


@pytest.mark.parametrize(("context", "known"), [("", "N/A"), ("Dyspnea.", "Dyspnea.")])
def test_a_report_is_answered_with_the_tokens_of_the_parts(published, backend, context, known):
    shown = picture(*volume_of("landscape"))
    question = Question("Report.", kind=AnswerKind.REPORT, pictures=(shown,), context=context)
    _, answer = ask(backend, question)
    ids = ids_of(
        "Given the current frontal image only",
        f"{GROUNDED}INDICATION: {known} TECHNIQUE: N/A COMPARISON: N/A",
    )
    tokens = published[0].tokens(seen_by_hand(shown.pixels), ids, 24)
    assert answer.written == backend._loaded.text(tokens)


def test_each_finding_of_a_report_is_a_claim_with_its_boxes_in_the_middle_square(backend):
    volume, slice_ref = volume_of("landscape")
    shown = picture(volume, slice_ref)
    force(
        backend,
        "<obj>A nodule in the left lung.<box><x10><y20><x30><y40></box>"
        "<box><x50><y20><x70><y40></box></obj><obj>The heart is of normal size.</obj>",
    )
    backend.longest_answer = 200
    _, answer = ask(backend, Question("Report.", kind=AnswerKind.REPORT, pictures=(shown,)))
    assert [(claim.text, len(claim.regions)) for claim in answer.claims] == [
        ("A nodule in the left lung.", 2), ("The heart is of normal size.", 0),
    ]  # fmt: skip
    assert {claim.section for claim in answer.claims} == {"findings"}
    height, width = shown.size
    left = (width - height) // 2
    box = in_picture(answer.claims[0].regions[0], shown)
    wanted = np.array([0.105, 0.205, 0.305, 0.405]) * height + (left, 0, left, 0)
    assert_allclose(box, wanted, atol=1e-3)


def test_the_code_of_the_folder_is_not_run_even_if_it_is_trusted(published):
    _, folder, log = published
    trust(folder)
    VLMBackend().load(str(folder), "cpu")
    assert not log.exists()


@pytest.mark.parametrize(("kind", "count"), [(AnswerKind.OPEN, 1), (AnswerKind.REPORT, 0)])
def test_other_questions_are_refused(backend, kind, count):
    pictures = (picture(*volume_of("square")),) * count
    with pytest.raises(InvalidPrompt, match="MAIRA-2 answers no questions"):
        ask(backend, Question("Is the lung dark?", kind=kind, pictures=pictures))


def test_values_are_stretched_in_grey_and_one_value_becomes_black():
    pixels = np.zeros((1, 3, 3), np.uint8)
    pixels[0, :, :] = np.array([50, 100, 150])[:, None]
    assert_array_equal(full_range(pixels)[0, :, 0], [0, 127, 255])
    assert not full_range(np.full((2, 2, 3), 9, np.uint8)).any()


@pytest.mark.parametrize("shape", [(56, 112), (112, 56), (57, 90)])
def test_a_share_of_the_middle_square_lies_as_by_the_authors_of_maira_2(shape):
    side = min(shape)
    cropped = framed(np.zeros((*shape, 3), np.uint8), 0, crop=True)
    assert cropped.size == (side, side)
    left, top = ((n - side) // 2 for n in reversed(shape))
    x0, y0, x1, y1 = (n * side for n in (0.255, 0.255, 0.755, 0.755))
    right = (x0 + left, y0 + top, x1 + left, y1 + top)
    assert_allclose(cropped.box_back((x0, y0, x1, y1)), right)
