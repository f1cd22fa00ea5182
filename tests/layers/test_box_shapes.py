"""A box in 3D shows all its edges."""

import itertools

import numpy as np

from napari_medvlm.layers.box_shapes import WIRE


def test_the_walk_takes_every_edge_and_never_turns_back():
    steps = list(itertools.pairwise(WIRE))
    assert all(bin(a ^ b).count("1") == 1 for a, b in steps)
    assert len({frozenset(step) for step in steps}) == 12
    assert all(a != c for a, c in zip(WIRE, WIRE[2:], strict=False))
    assert set(np.ravel(WIRE)) == set(range(8))
