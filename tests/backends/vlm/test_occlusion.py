"""The map of evidence is what the library says when patches are hidden by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from napari_medvlm.backends.dispatch import explain
from napari_medvlm.backends.vlm.occlusion import cost, evidence_map, falls_of, patch_of
from napari_medvlm.data.answer import Question
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, InvalidPrompt
from napari_medvlm.worker.messages import ExplainReply, ExplainRequest
from napari_medvlm.worker.runner import InlineRunner
from tests.backends.detection.queries import NAMES, force, picture, volume_of
from tests.backends.tiny_models import _spread
from tests.backends.vlm.conversations import FAMILIES, ByHand, ask, loaded, question_of
from tests.backends.vlm.test_generation import WITHOUT_SYSTEM

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def quiet(*_):
    """No progress is of interest."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: make(tmp_path_factory.mktemp(f"evidence{k}")) for k, (name, make) in
            enumerate(FAMILIES.items())}  # fmt: skip


def brightness(pixels):
    """A text that is the likelier the brighter the upper left quarter is."""
    height, width = pixels.shape[:2]
    return float(pixels[: height // 2, : width // 2].sum()) / 1e4


@pytest.mark.parametrize("name", NAMES)
def test_the_patches_that_matter_light_up_on_the_slice(name):
    volume, slice_ref = volume_of(name)
    shown = picture(volume, slice_ref)
    patch = 10
    falls = falls_of(shown, brightness, quiet, patch)
    mean = shown.pixels.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    for top in range(0, shown.size[0], patch):
        for left in range(0, shown.size[1], patch):
            hidden = shown.pixels.copy()
            hidden[top : top + patch, left : left + patch] = mean
            by_hand = brightness(shown.pixels) - brightness(hidden)
            assert_allclose(falls[top : top + patch, left : left + patch], by_hand, atol=1e-9)
    heatmap = evidence_map(shown, brightness, quiet, patch)
    assert heatmap.shape == volume.shape
    assert heatmap.crop.shape[slice_ref.axis] == 1
    assert heatmap.start[slice_ref.axis] == slice_ref.index
    assert (heatmap.crop.min(), heatmap.crop.max()) == (0, 1)
    wanted = shown.heatmap(np.clip(falls / falls.max(), 0, 1))
    assert_allclose(heatmap.crop, wanted.crop)


@pytest.mark.parametrize("family", ["qwen3", "gemma3", "llava-next", "idefics3", "internvl"])
def test_the_map_of_a_model_is_the_librarys(folders, family):
    backend = loaded(folders[family])
    question, written = question_of("square", "portrait"), "the left lung"
    shown = question.pictures[1]
    reference = ByHand(folders[family], backend._answered_as, system=family not in WITHOUT_SYSTEM)
    for model in (backend._loaded.model, reference.model):
        _spread(model, 4.0)  # so that pictures matter to it
    heatmap = explain(backend, question, written, 1, quiet)
    tokens = reference.processor.tokenizer(written, add_special_tokens=False)["input_ids"]
    patch = patch_of(shown.size)
    mean = shown.pixels.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    full = log_probability(reference, question, tokens)
    falls = np.zeros(shown.size)
    squares = [(0, 0), (16, 12), (20, 8), (44, 28)]
    for top, left in squares:
        hidden = shown.pixels.copy()
        hidden[top : top + patch, left : left + patch] = mean
        fall = full - log_probability(reference, with_pixels(question, hidden), tokens)
        falls[top : top + patch, left : left + patch] = fall
    crop = heatmap.crop[0]
    brightest = np.unravel_index(crop.argmax(), crop.shape)
    top, left = (int(at) // patch * patch for at in brightest)
    hidden = shown.pixels.copy()
    hidden[top : top + patch, left : left + patch] = mean
    most = full - log_probability(reference, with_pixels(question, hidden), tokens)
    assert most > 0
    for top, left in squares:
        assert crop[top, left] == pytest.approx(max(falls[top, left], 0) / most, abs=2e-3)


def with_pixels(question, pixels):
    second = replace(question.pictures[1], pixels=pixels)
    return replace(question, pictures=(question.pictures[0], second))


def log_probability(reference, question, tokens):
    """The sum as the library's generate tells it when it must write these tokens."""
    inputs = reference.inputs(question)

    def force_next(input_ids, scores):
        start = input_ids.shape[1] - inputs["input_ids"].shape[1]
        allowed = torch.full_like(scores, -torch.inf)
        allowed[:, tokens[start]] = 0
        return allowed

    with torch.inference_mode():
        out = reference.model.generate(
            **inputs, do_sample=False, max_new_tokens=len(tokens), output_logits=True,
            return_dict_in_generate=True, logits_processor=[force_next],
        )  # fmt: skip
    steps = [torch.log_softmax(step[0].double(), 0) for step in out.logits]
    return sum(float(step[token]) for step, token in zip(steps, tokens, strict=True))


def test_the_cost_is_known_before_and_reported_while_it_runs():
    shown = picture(*volume_of("portrait"))
    passes, messages = [], []
    evidence_map(
        shown, lambda pixels: float(len(passes.append(1) or [])), lambda *a: messages.append(a)
    )
    assert patch_of(shown.size) == 4
    assert len(passes) == cost(shown.size) == 12 * 8 + 1
    assert cost(shown.size, 16) == 3 * 2 + 1
    assert messages[0][1] == "pass 1 of 97"
    assert messages[50][1].startswith("pass 51 of 97, about ")
    assert [fraction for fraction, _ in messages] == sorted(fraction for fraction, _ in messages)


def test_a_cancel_is_passed_on_and_the_model_still_answers(folders):
    backend = loaded(folders["qwen3"], 40)
    question, messages = question_of("portrait"), []

    def stop(fraction, message=""):
        messages.append(message)
        if len(messages) == 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        explain(backend, question, "dark", 0, stop)
    force(backend, "It is dark.")
    assert ask(backend, question)[1].text == "It is dark."


@pytest.mark.parametrize(("written", "number"), [("", 0), ("dark", 1), ("dark", -1)])
def test_what_was_not_shown_or_written_is_refused(folders, written, number):
    with pytest.raises(InvalidPrompt, match="Choose an image that was sent"):
        explain(loaded(folders["qwen3"]), question_of("portrait"), written, number, quiet)


def test_a_runner_carries_the_request_and_the_map(folders):
    volume, slice_ref = volume_of("square")
    question = Question("Is it dark?", pictures=(picture(volume, slice_ref),))
    request = ExplainRequest(
        "vlm", volume, model=str(folders["qwen3"]), question=question, written="dark", picture=0
    )
    with InlineRunner() as runner:
        reply = runner.submit(request).result()
        refused = runner.submit(
            ExplainRequest("embedded", volume, question=question, written="dark", picture=0)
        )
        with pytest.raises(BackendUnavailable, match="does not explain its answers"):
            refused.result()
    assert isinstance(reply, ExplainReply)
    assert reply.heatmap.shape == volume.shape
    assert reply.seconds > 0
