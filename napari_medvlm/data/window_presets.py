"""Which intensities are shown as black and white: presets, and windows from mouse and content."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.volume import Volume, Window

CT_WINDOWS: Mapping[str, Window] = {
    "Abdomen": Window(50, 400),
    "Bone": Window(400, 1800),
    "Brain": Window(40, 80),
    "Liver": Window(60, 160),
    "Lung": Window(-600, 1500),
    "Mediastinum": Window(50, 350),
    "Stroke": Window(35, 40),
    "Subdural": Window(75, 215),
}
"""Window presets for CT, in Hounsfield units."""

CT_COLORS = (Window(0, 2048), Window(40, 350), Window(40, 80))
"""Windows of CT in red, green and blue as MedGemma was trained: all, soft tissue, brain."""

DRAG_SHARE = 0.005
"""Share of the width by which a window changes with each pixel that the mouse is dragged."""


def dragged(window: Window, right_px: float, up_px: float, *, fixes_low: bool = False) -> Window:
    """A window after a drag of the mouse, relative to the window at the start of the drag.

    Each pixel to the right widens it by 0.5 per cent of the present width, each pixel up raises
    its centre by 0.5 per cent of the width at the start.

    Parameters
    ----------
    window
        At the start of the drag.
    right_px, up_px
        Pixels dragged to the right and upwards.
    fixes_low
        Whether the lower limit stays, as in PET: a drag to the right or up raises the upper one.
    """
    if fixes_low:
        low = window.limits[0]
        return Window.of_limits(low, low + window.width * (1 + DRAG_SHARE) ** (right_px + up_px))
    width = window.width * (1 + DRAG_SHARE) ** right_px
    return Window(window.center + DRAG_SHARE * up_px * window.width, width)


def window_of_values(values: NDArray[np.number]) -> Window | None:
    """The window from the 1st to the 99th percentile of some intensities.

    Returns
    -------
    `None` if there are no finite values, or if both percentiles are equal.
    """
    finite = np.asarray(values, float)[np.isfinite(values)]
    if not finite.size:
        return None
    low, high = np.percentile(finite, [1, 99]).tolist()
    return Window.of_limits(low, high) if high > low else None


def default_window(volume: Volume) -> Window:
    """The header's window; else for CT the abdomen's, for others all but the extremes."""
    if volume.window is not None and volume.window.width > 0:
        return volume.window
    if volume.is_hu:
        return CT_WINDOWS["Abdomen"]
    if volume.data.dtype == bool:
        return Window(0.5, 1.0)
    step = max(1, volume.data.size // 1_000_000)
    sample = volume.data.reshape(-1)[::step] if volume.data.flags.c_contiguous else volume.data
    low, high = np.percentile(sample, [1, 99.9]).tolist()
    if high <= low:
        low, high = volume.range
    return Window((low + high) / 2, max(high - low, 1e-6))


def windows(volume: Volume) -> Mapping[str, Window]:
    """The windows to choose from for a volume, by name."""
    first = {"As loaded": default_window(volume)}
    return {**first, **CT_WINDOWS} if volume.is_hu else first
