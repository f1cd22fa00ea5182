"""The user of the benchmarks: clicks at the centre of the largest error, in millimetres."""

from __future__ import annotations

import numpy as np

from napari_medvlm.evaluation.metrics.segmentation import dice
from napari_medvlm.evaluation.segment import simulated_user
from napari_medvlm.evaluation.segment.simulated_user import Click, ClickRule

__all__ = ["Click", "dice", "next_click"]


def next_click(
    truth: np.ndarray, mask: np.ndarray, spacing: tuple[float, float, float]
) -> Click | None:
    """The most interior voxel (in mm) of the largest connected error; `None` if there is none.

    Missed and wrongly taken voxels are errors apart, and voxels touch by their faces only.
    """
    return simulated_user.next_click(truth, mask, ClickRule(True, False, spacing, None))
