"""Image quality indicators, with thresholds and messages.

They are coarse hints to inspect the image. Thresholds are in ``quality.yaml``; a copy in the
settings folder takes precedence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.volume import Volume
from napari_medvlm.language.yaml_tables import YamlTable, read
from napari_medvlm.settings.paths import home

HERE = Path(__file__).parent
"""The folder of the packaged files."""


Slices = NDArray[np.float32]
MOST = 64
"""Maximum number of slices, evenly spaced, that are measured."""
ENOUGH = 2**22
"""Approximate number of voxels used for noise, blur and saturation."""
BODY = 0.1
"""Share of the intensity range above which a voxel counts as body."""


class Thresholds(YamlTable):
    """Thresholds of the indicators, see ``quality.yaml``."""

    noise: float = 0.08
    blur: float = 0.08
    motion: float = 0.35
    cropping: float = 0.2
    slice_gap: float = 4.0
    saturation: float = 0.05

    @classmethod
    def load(cls) -> Thresholds:
        """Load them from the settings folder or the package; `SettingsError` if damaged."""
        own = home() / "quality.yaml"
        return read(own if own.exists() else HERE / "quality.yaml", cls)


@dataclass(frozen=True)
class Indicator:
    """An image quality measure.

    Parameters
    ----------
    name
        As in `Thresholds`.
    value, threshold
        The measured value, and its threshold.
    message
        The problem, in a sentence; empty if there is none.
    """

    name: str
    value: float
    threshold: float
    message: str = ""


def indicators(volume: Volume, thresholds: Thresholds) -> tuple[Indicator, ...]:
    """The indicators of a volume; a single slice has only noise, blur and saturation."""
    planes, gap = _planes(volume)
    some = planes[:: max(planes.size // ENOUGH, 1)]
    measured = {
        "noise": (noise(some), "The image is noisy: small structures may be noise."),
        "blur": (sharpness(some), "The image is blurred: fine detail is lost."),
        "saturation": (saturation(some), "The brightest intensities are saturated."),
    }
    if len(planes) > 2:
        message = "The body reaches the border: parts may be cut off."
        measured["cropping"] = (cropping(planes), message)
        measured["motion"] = (
            motion(planes),
            "Adjacent slices are misaligned (possible patient motion).",
        )
        measured["slice_gap"] = (gap, "Slices are far apart: small findings may lie between them.")
    results = []
    for name, (value, message) in measured.items():
        threshold = getattr(thresholds, name)
        bad = value < threshold if name == "blur" else value > threshold
        results.append(Indicator(name, round(value, 4), threshold, message if bad else ""))
    return tuple(results)


def quality_note(results: Iterable[Indicator]) -> str:
    """The problems in sentences; empty if there are none."""
    return " ".join(indicator.message for indicator in results if indicator.message)


def noise(planes: Slices) -> float:
    """Standard deviation of the noise in the body as a share of the range.

    From second differences, after Immerkaer, CVIU 64:300-302, 1996, with a median for robustness.

    Parameters
    ----------
    planes
        ``(n, rows, columns)``, 0 to 1.
    """
    if min(planes.shape[1:]) < 3:
        return 0.0
    rows = planes[:, :-2] - 2 * planes[:, 1:-1] + planes[:, 2:]
    second_differences = rows[:, :, :-2] - 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    body = second_differences[planes[:, 1:-1, 1:-1] > BODY]
    return float(np.median(np.abs(body)) / 0.6745 / 6) if body.size else 0.0


def sharpness(planes: Slices) -> float:
    """The steepest thousandth of the steps between neighbours, as a share of the range."""
    steps = [np.abs(np.diff(planes, axis=axis)).ravel() for axis in (1, 2)]
    return float(np.quantile(np.concatenate(steps), 0.999)) if steps[0].size else 1.0


def motion(planes: Slices) -> float:
    """The share of slices whose mean lies off the line between their neighbours."""
    means = planes.mean(axis=(1, 2))
    off = np.abs(means[1:-1] - (means[:-2] + means[2:]) / 2)
    return float((off > 0.05).mean())


def cropping(planes: Slices) -> float:
    """The share of the outermost voxels of the slices that belong to the body.

    The body is what Otsu's threshold parts from the rest: noise around it is brighter than `BODY`.
    """
    from skimage.filters import threshold_otsu

    body = max(float(threshold_otsu(planes[:: max(planes.size // ENOUGH, 1)])), BODY)
    edges = (planes[:, 0], planes[:, -1], planes[:, :, 0], planes[:, :, -1])
    return float(np.mean(np.concatenate([e.ravel() for e in edges]) > body))


def saturation(planes: Slices) -> float:
    """The share of the body at the very highest intensity."""
    body = planes[planes > BODY]
    return float((body >= planes.max()).mean()) if body.size else 0.0


def _planes(volume: Volume) -> tuple[Slices, float]:
    """Slices across the axis of the largest spacing, 0 to 1, and that spacing over the others."""
    spacing = np.array(volume.spacing)
    axis = int(np.argmin(volume.shape)) if min(volume.shape) == 1 else int(np.argmax(spacing))
    data: NDArray[Any] = np.moveaxis(volume.intensity(), axis, 0)
    step = max(len(data) // MOST, 1)
    planes = data[::step].astype(np.float32)
    low, high = float(planes.min()), float(planes.max())
    gap = float(spacing[axis] / np.delete(spacing, axis).min())
    return (planes - low) / max(high - low, 1e-12), gap
