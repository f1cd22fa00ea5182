"""Which lesion became which, from masks of known overlap."""

import numpy as np
import pytest

from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.mask import Mask
from napari_medvlm.sessions.followup.overlap import Group, edges_of, groups_of

GRID = Grid((20, 20, 40), np.eye(4))


def cube(z: int, y: int, x: int, size: int = 4) -> Mask:
    full = np.zeros(GRID.shape, bool)
    full[z : z + size, y : y + size, x : x + size] = True
    return Mask.of(full)


def states(prior: list[Mask], current: list[Mask]) -> list[str]:
    groups = groups_of(edges_of(prior, current, GRID), len(prior), len(current))
    return [
        str(
            group.state(
                sum(prior[i].voxels for i in group.prior),
                sum(current[j].voxels for j in group.current),
            )
        )
        for group in groups
    ]


def test_an_equal_mask_is_stable() -> None:
    assert states([cube(2, 2, 2)], [cube(2, 2, 2)]) == ["stable"]


@pytest.mark.parametrize(("size", "state"), [(5, "grown"), (3, "shrunk")])
def test_the_volume_states_growth(size: int, state: str) -> None:
    assert states([cube(2, 2, 2)], [cube(2, 2, 2, size)]) == [state]


def test_a_mask_without_a_counterpart_is_gone_or_new() -> None:
    assert states([cube(2, 2, 2)], [cube(2, 2, 30)]) == ["gone", "new"]


def test_two_masks_in_one_have_merged() -> None:
    both = cube(2, 2, 2).union(cube(2, 2, 6))
    assert states([cube(2, 2, 2), cube(2, 2, 6)], [both]) == ["merged"]


def test_a_mask_in_two_has_split() -> None:
    whole = cube(2, 2, 2).union(cube(2, 2, 8)).union(cube(2, 2, 5))
    assert states([whole], [cube(2, 2, 2), cube(2, 2, 8)]) == ["split"]


def test_a_common_voxel_of_two_large_masks_is_no_link() -> None:
    assert edges_of([cube(2, 2, 2)], [cube(5, 5, 5)], GRID) == ()
    assert edges_of([cube(2, 2, 2, 8)], [cube(9, 9, 9, 8)], GRID) == ()


def test_the_nearest_of_two_free_masks_within_5_mm_is_linked() -> None:
    (edge,) = edges_of([cube(2, 2, 2)], [cube(2, 2, 7), cube(2, 2, 6)], GRID)
    assert (edge.prior, edge.current) == (0, 1)


def test_groups_are_the_connected_parts() -> None:
    masks = [cube(2, 2, 2), cube(10, 10, 10)]
    edges = edges_of(masks, masks[::-1], GRID)
    assert groups_of(edges, 2, 2) == (Group((0,), (1,)), Group((1,), (0,)))
