"""From seeds to a region on one level."""

from __future__ import annotations

import numpy as np

from napari_medvlm.backends.embedded.amend import Region
from napari_medvlm.backends.embedded.border import local_cuts
from napari_medvlm.backends.embedded.choose import Chooser
from napari_medvlm.backends.embedded.levels import Level
from napari_medvlm.backends.embedded.morph import components_of
from napari_medvlm.backends.embedded.seeds import Said

LOCAL_ROUNDS = 2
LIMIT = 1.5
"""Local cuts that change the region by more than this factor are not taken."""


def solve(level: Level, said: Said) -> Region:
    """The region that the seeds mean on a level; local corrections are left to `amend`."""
    chooser = Chooser(level, said.seeds)
    mask, cuts = chooser.mask, chooser.cuts
    for _ in range(LOCAL_ROUNDS):
        local = local_cuts(level, mask, chooser.cuts)
        wider = components_of(local.holds(level.values), chooser.points)
        before, after = np.count_nonzero(mask), np.count_nonzero(wider)
        if not before / LIMIT <= after <= before * LIMIT:
            break
        mask, cuts = wider, local
    inside = level.values[mask][::7]
    middle = float(np.median(inside))
    spread = 1.5 * float(np.median(np.abs(inside - middle)))
    return Region(mask.copy(), np.zeros_like(mask), cuts, middle, spread)
