"""The bundled network segments what is marked, and holds to the prompts."""

import hashlib

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.click_network.backend import NETWORK, ClickNetworkBackend
from napari_medvlm.data.errors import BackendUnavailable
from tests.conftest import dice, make_phantom

VOLUME, LEFT, RIGHT = make_phantom()
CENTER = tuple(int(i) for i in np.argwhere(LEFT).mean(axis=0).round())


@pytest.fixture
def backend():
    backend = ClickNetworkBackend()
    backend.load(None, "cpu")
    backend.set_volume(VOLUME)
    return backend


def ask(backend, *prompts, excluded=None):
    prompts = ObjectPrompts(tuple(prompts), excluded=excluded)
    return backend.segment(prompts, lambda *_: None).full()


def point(zyx, positive=True):
    return nmv.Point.at_index(VOLUME, zyx, positive)


def prompts_on_left():
    low, high = np.argwhere(LEFT).min(axis=0), np.argwhere(LEFT).max(axis=0) + 1
    z, y, x = CENTER
    flat_low, flat_high = (z, *low[1:]), (z + 1, *high[1:])
    return {
        "point": point(CENTER),
        "box": nmv.Box.at_index(VOLUME, low, high),
        "flat box": nmv.Box.at_index(VOLUME, flat_low, flat_high),
        "line": nmv.Line.at_index(VOLUME, (z, low[1], x), (z, high[1] - 1, x)),
        "scribble": nmv.Scribble.at_index(VOLUME, [(z, y + i, x) for i in range(-3, 4)]),
    }


@pytest.mark.parametrize("kind", ["point", "box", "flat box", "line", "scribble"])
def test_a_prompt_of_each_kind_finds_the_ellipsoid(backend, kind):
    assert dice(ask(backend, prompts_on_left()[kind]), LEFT) > 0.5


def test_corrections_hold_and_change_nothing_far_away(backend):
    first = point(CENTER)
    before = ask(backend, first)
    outside = tuple(int(i) for i in np.argwhere(RIGHT).mean(axis=0).round())
    added = ask(backend, first, point(outside))
    assert added[outside]
    assert added[CENTER]
    removed = ask(backend, first, point(outside), point(outside, positive=False))
    assert not removed[outside]
    assert dice(removed & LEFT, before & LEFT) > 0.7


def test_the_same_prompts_give_the_same_mask_in_another_order_of_requests(backend):
    prompts = [point(CENTER), point((2, 2, 2), positive=False), prompts_on_left()["scribble"]]
    step_by_step = [ask(backend, *prompts[: n + 1]) for n in range(3)][-1]
    ask(backend, point((4, 5, 6)))
    assert np.array_equal(ask(backend, *prompts), step_by_step)


def test_an_initial_mask_is_the_mask_until_something_is_added(backend):
    start = nmv.InitialMask.of(VOLUME, LEFT)
    assert np.array_equal(ask(backend, start), LEFT)
    cut = ask(backend, start, point(CENTER, positive=False))
    assert not cut[CENTER]
    assert (cut <= LEFT).all()


def test_voxels_of_locked_objects_are_left_out(backend):
    locked = np.zeros_like(LEFT)
    locked[:, : CENTER[1]] = True
    mask = ask(backend, point(CENTER), excluded=nmv.Mask.of(locked))
    assert mask[CENTER]
    assert not (mask & locked).any()


def test_negative_prompts_alone_give_an_empty_mask(backend):
    assert not ask(backend, point(CENTER, positive=False)).any()


def test_another_file_is_refused_with_what_is_expected(tmp_path):
    path = tmp_path / "other.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(BackendUnavailable, match=r"other\.onnx"):
        ClickNetworkBackend().load(str(path), "cpu")


def test_any_number_of_threads_gives_the_same_logits_and_scores(monkeypatch):
    channels = np.random.default_rng(5).normal(size=(3, 8, 32, 32, 32)).astype(np.float32)
    answers = []
    for threads in (1, 2, 3):
        monkeypatch.setattr("napari_medvlm.backends.click_network.backend.THREADS", threads)
        network = ClickNetworkBackend()
        network.load(None, "cpu")
        answers.append(network._predict(channels))
    for logits, scores in answers[1:]:
        np.testing.assert_array_equal(logits, answers[0][0])
        np.testing.assert_array_equal(scores, answers[0][1])


def test_the_card_names_the_file_and_its_licence():
    card = NETWORK.with_name("CARD.md").read_text()
    assert hashlib.sha256(NETWORK.read_bytes()).hexdigest() in card
    assert "CC0" in card
    assert NETWORK.stat().st_size < 8 * 2**20
