"""Synthetic samples."""

from __future__ import annotations

import sys

import pytest
import torch

from training.fields import FIRST_EVALUATION_SEED, Draw, rotations, smooth_field, step_seed
from training.generator import generate
from training.imaging import render
from training.phantoms import FIRST_SEED
from training.scenes import CORE, LABELS, OBJECT, ORGAN, random_scenes
from training.shapes import FAMILIES

OPENED: list[object] = []
LISTENING = []


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if LISTENING and event in ("open", "os.open", "socket.connect"):
        OPENED.append(arguments[0])


def test_a_seed_gives_the_same_samples_again_and_another_seed_others():
    first, again, other = (generate(Draw(seed), 3, 16) for seed in (5, 5, 6))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.targets, again.targets)
    assert not torch.equal(first.images, other.images)


def test_the_generator_and_a_step_of_training_open_no_file(tiny):
    from training.checkpoint import State
    from training.train import advance

    state = advance(State.start(tiny), 1)  # imports what torch imports late
    sys.addaudithook(_listen)
    LISTENING.append(True)
    try:
        generate(Draw(1), 8, 16)
        advance(state, 3)
    finally:
        LISTENING.clear()
    assert OPENED == []


def test_the_organ_lies_between_the_rim_and_the_core_of_a_ring():
    rings = torch.ones(24, dtype=torch.bool)
    scene = random_scenes(Draw(4), 24, 24, rings)
    scene.weights = torch.nn.functional.one_hot(scene.labels, LABELS).movedim(-1, 1).float()
    images = render(Draw(4), scene, rings)
    assert ((scene.labels == CORE).flatten(1).sum(1) > 0).float().mean() > 0.7
    between = 0
    for image, labels in zip(images, scene.labels, strict=True):
        parts = [labels == k for k in (CORE, ORGAN, OBJECT)]
        if min(int(p.sum()) for p in parts) > 200:
            core, organ, rim = (float(image[p].median()) for p in parts)
            between += 1 if (core < organ) == (organ < rim) else -1
    assert between > 0


def test_images_are_finite_and_normalised():
    images = generate(Draw(11), 24, 16).images
    assert images.isfinite().all()
    assert images.abs().max() <= 1
    assert images.mean((1, 2, 3)).abs().max() < 0.25


def test_most_targets_have_voxels_and_none_fills_the_crop():
    targets = generate(Draw(12), 64, 16).targets.flatten(1)
    voxels = targets.sum(1)
    assert (voxels > 0).float().mean() > 0.9
    assert (voxels < targets.shape[1]).all()


def test_a_target_is_the_union_of_the_labels_that_are_meant():
    scene = random_scenes(Draw(4), 12, 16)
    for labels, meant, target in zip(scene.labels, scene.meant, scene.target, strict=True):
        union = torch.isin(labels, meant.nonzero()[:, 0])
        assert torch.equal(union, target)
    assert scene.meant[:, [OBJECT, CORE]].any(1).float().mean() > 0.5


def test_the_labels_of_a_voxel_share_it():
    weights = random_scenes(Draw(4), 6, 16).weights
    assert torch.allclose(weights.sum(1), torch.ones(()), atol=1e-4)
    assert weights.min() >= -1e-6


@pytest.mark.parametrize("family", FAMILIES)
def test_shapes_of_each_family_are_inside_their_neighbourhood(family):
    from training.fields import grid

    shape, _ = FAMILIES[family]
    draw = Draw(2)
    offsets = grid(24, draw.device)[None].expand(6, -1, -1, -1, -1)
    values = shape(draw, offsets, torch.full((6, 3), 0.4))
    inside = (values < 0).flatten(1).float().mean(1)
    assert values.isfinite().all()
    assert inside.max() < 0.6
    assert (inside > 0).float().mean() > 0.8


def test_rotations_are_orthonormal_with_determinant_one():
    turned = rotations(Draw(0), 5)
    identity = torch.eye(3).expand(5, 3, 3)
    assert torch.allclose(turned @ turned.mT, identity, atol=1e-5)
    assert torch.allclose(torch.linalg.det(turned), torch.ones(5), atol=1e-5)


def test_smooth_fields_have_mean_zero_and_deviation_one():
    fields = smooth_field(Draw(0), 4, 24, (1.0, 0.5, 0.2, 0.1))
    assert torch.allclose(fields.mean((1, 2, 3)), torch.zeros(4), atol=1e-4)
    assert torch.allclose(fields.std((1, 2, 3)), torch.ones(4), atol=1e-4)


def test_training_refuses_the_seeds_of_the_evaluation():
    assert FIRST_SEED >= FIRST_EVALUATION_SEED
    with pytest.raises(ValueError, match="900000 is not in 0 to 899999"):
        step_seed(FIRST_EVALUATION_SEED, 0)


def test_seeds_of_steps_differ():
    seeds = {step_seed(seed, step) for seed in range(20) for step in range(500)}
    assert len(seeds) == 20 * 500
