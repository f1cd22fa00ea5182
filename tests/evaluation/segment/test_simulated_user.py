"""The simulated user clicks where the challenge's does, and draws within the error."""

import cc3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_medvlm.data.prompts import Box, Lasso, Line, Point, Scribble
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.segment import simulated_user
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.simulated_prompts import PromptSimulator
from tests.conftest import make_phantom


def blobs(shape, seed, level=0.1, width=1.0):
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), width)
    return field > level * field.std()


def challenge_click(truth, mask):
    """The published rule: `CVPR25_iter_eval.py` of github.com/JunMa11/CVPR-MedSegFMCompetition.

    Components of the map of all errors, 26-connected; of the largest the depth by the distance
    transform of its crop, padded by a quarter; one of the deepest voxels, drawn with the seed 42.
    """
    errors = cc3d.connected_components((mask != truth).astype(np.uint8), connectivity=26)
    sizes = np.bincount(errors.flat)
    sizes[0] = 0
    largest = errors == sizes.argmax()
    found = np.argwhere(largest)
    low, high = found.min(axis=0), found.max(axis=0) + 1
    padding = np.maximum(((high - low) * 0.25).astype(int), 1)
    crop = largest[tuple(map(slice, low, high))]
    padded = np.pad(crop, [(p, p) for p in padding]).astype(np.uint8)
    inner = tuple(slice(p, p + n) for p, n in zip(padding, crop.shape, strict=True))
    depth = np.zeros(truth.shape)
    depth[tuple(map(slice, low, high))] = ndimage.distance_transform_edt(padded)[inner]
    np.random.seed(42)  # noqa: NPY002  # as published
    deepest = np.argwhere(depth == depth.max())
    z, y, x = deepest[np.random.choice(len(deepest))]  # noqa: NPY002
    return (z, y, x), bool(truth[z, y, x])


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(*[st.integers(1, 18)] * 3),
    st.integers(0, 10_000),
    st.sampled_from([0.4, 0.8, 1.5]),
    st.booleans(),
)
def test_the_click_is_the_challenges_on_the_same_errors(shape, seed, width, first):
    truth = blobs(shape, seed, width=width)
    mask = np.zeros(shape, bool) if first else blobs(shape, seed + 1, width=width)
    click = simulated_user.next_click(truth, mask)
    if np.array_equal(truth, mask):
        assert click is None
        return
    assert (click.zyx, click.positive) == challenge_click(truth, mask)


def test_equal_components_and_equal_depths_are_decided_as_in_the_challenge():
    truth = np.zeros((9, 9, 24), bool)
    for start in (1, 9, 17):
        truth[2:6, 2:6, start : start + 4] = True
    click = simulated_user.next_click(truth, np.zeros_like(truth))
    assert (click.zyx, click.positive) == challenge_click(truth, np.zeros_like(truth))
    assert simulated_user.next_click(truth, truth) is None


def test_the_seed_draws_among_equals_only():
    truth = np.zeros((8, 8, 8), bool)
    truth[2:6, 2:6, 2:6] = True
    seen = {
        simulated_user.next_click(truth, np.zeros_like(truth), simulated_user.ClickRule(seed=s)).zyx
        for s in range(30)
    }
    assert len(seen) > 1
    assert all(set(zyx) <= {3, 4} for zyx in seen)


def error_of(shape, seed):
    truth = blobs(shape, seed)
    return truth, simulated_user.largest_error(truth, blobs(shape, seed + 1))


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.integers(2, 16)] * 3), st.integers(0, 10_000))
def test_scribbles_lassos_and_jitter_stay_with_the_error(shape, seed):
    truth, error = error_of(shape, seed)
    if error is None:
        return
    mask = blobs(shape, seed + 1)
    stroke = simulated_user.stroke(error)
    assert len(stroke) >= 1
    wrong = (truth != mask)[tuple(stroke.T)]
    assert wrong.all()
    assert (truth[tuple(stroke.T)] == error.click.positive).all()
    assert (np.ptp(stroke, axis=0) == 0).any(), "a stroke is drawn on one slice"
    outline = simulated_user.outline(error)
    if outline is not None:
        assert len(outline) >= 3
        assert (np.ptp(outline, axis=0) == 0).any(), "a lasso is drawn on one slice"
        assert (outline > -0.75).all()
        assert (outline < np.array(shape) - 0.25).all()
    moved = simulated_user.jittered(error, (1, 1, 1), 2.0, np.random.default_rng(seed))
    assert truth[moved.zyx] != mask[moved.zyx]
    assert moved.positive == truth[moved.zyx]


def hand(plan, name="case/left"):
    volume, left, _ = make_phantom(degrees=(0, 0, 20))
    return PromptSimulator(plan, volume, left, None, name), volume, left


@pytest.mark.parametrize(
    ("gesture", "kind"),
    [("point", Point), ("scribble", Scribble), ("lasso", Lasso), ("box", Box)],
)
def test_each_gesture_speaks_of_the_structure(gesture, kind):
    who, volume, left = hand(Plan(first_prompt=gesture))
    prompt = who.next(np.zeros_like(left), 0).prompt
    assert isinstance(prompt, kind)
    assert prompt.positive
    if kind is Box:
        start, stop = prompt.bounds(volume.grid)
        inside = np.argwhere(left)
        assert (start == inside.min(0)).all()
        assert (stop == inside.max(0) + 1).all()
        return
    voxels = prompt.voxels(volume.grid)
    assert left[tuple(voxels.T)].mean() > 0.9
    if kind is Lasso:
        at = [a for a in range(3) if np.ptp(voxels[:, a]) == 0]
        section = np.take(left, voxels[0, at[0]], at[0])
        assert len(voxels) == pytest.approx(section.sum(), rel=0.15)


def test_too_much_is_answered_by_a_negative_prompt():
    who, volume, left = hand(Plan(next_prompt="scribble"))
    too_much = ndimage.binary_dilation(left, iterations=3)
    prompt = who.next(too_much, 1).prompt
    assert not prompt.positive
    assert not left[tuple(prompt.voxels(volume.grid).T)].any()


def test_jitter_follows_from_the_seed_and_the_case_and_nothing_else():
    empty = np.zeros_like(hand(Plan())[2])
    plan = Plan(jitter_mm=3.0)
    first = hand(plan)[0].next(empty, 0).zyx
    assert first == hand(plan)[0].next(empty, 0).zyx
    steady = hand(Plan())[0].next(empty, 0).zyx
    others = {hand(plan, f"case {k}/left")[0].next(empty, 0).zyx for k in range(6)}
    assert len(others | {first, steady}) > 3
    box = Plan(first_prompt="box", jitter_mm=3.0)
    boxes = {hand(box, f"{k}")[0].next(empty, 0).prompt for k in range(4)}
    assert len(boxes) > 1


def test_a_line_is_the_longest_diameter_of_the_largest_slice_in_millimetres():
    truth = np.zeros((5, 30, 30), bool)
    truth[1:4, 10:14, 5:25] = True  # 4 x 20 voxels of 5 x 1 mm on a slice
    volume = Volume(np.zeros(truth.shape, np.float32), np.diag([5.0, 5.0, 1.0, 1.0]))
    prompts = PromptSimulator(Plan(first_prompt="line"), volume, truth, None, "bar")
    line = prompts.next(np.zeros_like(truth), 0).prompt
    assert isinstance(line, Line)
    assert line.length_mm == pytest.approx(np.hypot(3 * 5.0, 19.0))
    assert truth[tuple(line.voxels(volume.grid).T)].all()
