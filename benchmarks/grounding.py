"""Words found in a head that lies otherwise: ``python -m benchmarks.grounding``.

The MNI152 brain is turned by 15 degrees about each axis of the patient in turn, shifted by 20 mm
along each and resampled to 1.2 x 1.2 x 3 mm. The truth is each structure's box carried by the same
known movement; both boxes are compared as the boxes along the volume's axes around them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

import napari_medvlm as nmv
from benchmarks.tasks import mni_maps
from napari_medvlm.backends.embedded.atlas.atlas import carried
from napari_medvlm.backends.embedded.atlas.structures import structures
from napari_medvlm.data.geometry.display import Reslice
from napari_medvlm.data.geometry.grid import FloatArray, Grid, index_corners
from napari_medvlm.data.iou import box_iou
from napari_medvlm.data.volume import Modality, Volume

RESULTS = Path(__file__).parent / "results"
SPACING = (3.0, 1.2, 1.2)
SHIFT_MM = (20.0, 20.0, 20.0)
TURNS = {"none": (0, 0, 0), "nod": (0, 0, 15), "tilt": (0, 15, 0), "turn": (15, 0, 0)}
"""Degrees about S, P and L."""


def moved(degrees: tuple[float, ...]) -> tuple[Volume, FloatArray]:
    """The brain turned, shifted and resampled, and the matrix that moved it."""
    volume = mni_maps(1)[0]
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = SHIFT_MM if any(degrees) else (0.0, 0.0, 0.0)
    corners = volume.grid.to_world(index_corners((0, 0, 0), volume.shape))
    corners = corners @ matrix[:3, :3].T + matrix[:3, 3]
    low, high = corners.min(axis=0), corners.max(axis=0)
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = low
    z, y, x = (int(n) for n in np.ceil((high - low) / SPACING))
    source = Grid(volume.shape, matrix @ volume.affine)
    data = Reslice(volume.data, source, Grid((z, y, x), affine), order=1)[:, :, :]
    return Volume(data, affine, Modality.MR), matrix


def rows() -> Iterator[dict[str, object]]:
    """Overlap and distance of the centres for each turn and structure."""
    names = [name for name, structure in structures().items() if not structure.tissue]
    for turn, degrees in TURNS.items():
        volume, matrix = moved(degrees)
        began = time.perf_counter()
        found = nmv.ground(volume, [*names, "spleen"])
        seconds = time.perf_counter() - began
        assert [missing.phrase for missing in found.not_found] == ["spleen"]
        for region in found.regions:
            truth = carried(structures()[region.phrase].box_mm, matrix)
            apart = region.center_mm - truth.corners().mean(axis=0)
            yield {
                "turn": turn,
                "structure": region.phrase,
                "iou": round(box_iou(region.box, truth, volume.grid), 4),
                "center_mm": round(float(np.linalg.norm(apart)), 2),
                "seconds": round(seconds, 2),
            }


def main() -> None:
    """Measure, print a table and keep all rows."""
    measured = list(rows())
    lines = [
        "| turned | structures | IoU mean | least | centres apart, mean mm | most | s in all |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for turn in TURNS:
        own = [row for row in measured if row["turn"] == turn]
        iou = np.array([row["iou"] for row in own], float)
        apart = np.array([row["center_mm"] for row in own], float)
        lines.append(
            f"| {turn} | {len(own)} | {iou.mean():.3f} | {iou.min():.3f} | {apart.mean():.2f} "
            f"| {apart.max():.2f} | {own[0]['seconds']} |"
        )
    print("\n".join(lines))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "grounding.md").write_text("\n".join(lines) + "\n")
    (RESULTS / "grounding.json").write_text(json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    main()
