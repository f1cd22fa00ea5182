"""Which intensities are shown as black and white."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

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
