"""Smaller and larger extents of a point."""

import numpy as np
import pytest

from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.embedded import EmbeddedBackend
from napari_medvlm.data.prompts import Point
from napari_medvlm.data.volume import Volume

SHAPE = (40, 80, 80)


@pytest.fixture(scope="module")
def volume():
    """A bright core of radius 6 in a less bright ball of radius 16, and noise."""
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    square = (z - 20) ** 2 + (y - 40) ** 2 + (x - 40) ** 2
    noise = np.random.default_rng(0).normal(0, 3, SHAPE)
    return Volume((50 + 60 * (square < 256) + 70 * (square < 36) + noise).astype("f4"), np.eye(4))


@pytest.fixture(scope="module")
def backend(volume):
    backend = EmbeddedBackend()
    backend.load(None, "cpu")
    backend.set_volume(volume)
    return backend


def masks(backend, *prompts):
    return backend.segment(ObjectPrompts(tuple(prompts)), lambda *_: None)


def sized(volume, zyx, step, positive=True):
    return Point.at_index(volume, zyx, positive).model_copy(update={"size_step": step})


def test_each_step_is_a_larger_extent_that_holds_the_point(volume, backend):
    extents = [masks(backend, sized(volume, (20, 40, 40), step)) for step in (-1, 0, 1, 2)]
    sizes = [mask.voxels for mask in extents]
    assert sizes == sorted(set(sizes)), sizes
    assert all(mask.full()[20, 40, 40] for mask in extents)


def test_a_step_gives_the_same_mask_in_another_worker(volume, backend):
    first, second = sized(volume, (20, 40, 40), 1), sized(volume, (20, 40, 57), 1)
    other = EmbeddedBackend()
    other.load(None, "cpu")
    other.set_volume(volume)
    masks(backend, sized(volume, (20, 40, 40), 0))
    assert masks(backend, first, second).digest == masks(other, first, second).digest


@pytest.mark.parametrize(("zyx", "positive"), [((20, 40, 45), False), ((20, 40, 60), True)])
def test_a_correction_takes_more_or_less_with_its_steps(volume, backend, zyx, positive):
    first = Point.at_index(volume, (20, 40, 40))
    before = masks(backend, first).full()
    if before[zyx] == positive:
        first = sized(volume, (20, 40, 40), -1 if positive else 1)
        before = masks(backend, first).full()
    changed = [
        np.count_nonzero(masks(backend, first, sized(volume, zyx, step, positive)).full() != before)
        for step in (-1, 0, 1)
    ]
    assert changed == sorted(set(changed)), changed


@pytest.mark.parametrize(("direction", "note"), [(1, "Largest size"), (-1, "Smallest size")])
def test_the_mask_notes_that_a_correction_has_no_further_size(volume, backend, direction, note):
    first = sized(volume, (20, 40, 40), 1)
    zyx = (20, 40, 45)
    positive = not masks(backend, first).full()[zyx]
    answers = [
        masks(backend, first, sized(volume, zyx, direction * n, positive)) for n in range(13)
    ]
    noted = [any(note in text for text in mask.notes) for mask in answers]
    assert not noted[0]
    last = noted.index(True)
    assert all(noted[last:])
    assert {mask.digest for mask in answers[last:]} == {answers[last].digest}
    again = masks(backend, first, sized(volume, zyx, direction * last, positive))
    assert again.notes == answers[last].notes
    assert not masks(backend, first).notes


def test_the_mask_notes_that_a_first_point_has_no_smaller_size(volume, backend):
    answers = [masks(backend, sized(volume, (20, 40, 40), -n)) for n in range(13)]
    assert not answers[0].notes
    assert "Smallest size" in answers[12].notes[0]
    after = masks(backend, sized(volume, (20, 40, 40), -12), sized(volume, (20, 40, 45), 0))
    assert not after.notes
