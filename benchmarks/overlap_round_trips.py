"""Objects that overlap, written and read by others: ``python -m benchmarks.overlap_round_trips``.

Each set of objects is written as SEG and as RTSTRUCT and measured into an SR, on a series along the
patient's axes and on one that is oblique to all of them. highdicom reads the SEG, pydicom and
scikit-image the contours, highdicom the report, this package both files again, and dciodvfy
(dicom3tools) checks all three. Wrong voxels are counted over all objects of a set.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from scipy.spatial.transform import Rotation
from skimage.draw import polygon2mask
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.io import Segment, write_segments
from napari_medvlm.io.label_images import read_masks

RESULT = Path(__file__).parent / "results" / "overlap-round-trips.md"
SHAPE, MM = (12, 40, 48), (3.0, 2.0, 1.5)
Masks = dict[int, NDArray[np.bool_]]


def object_sets() -> dict[str, Masks]:
    """Masks ``(z, y, x)`` of each set, by number."""
    body, crossing, tumor = (
        _box(0, 12, 2, 38, 3, 45),
        _box(2, 9, 7, 30, 20, 44),
        _box(4, 6, 9, 14, 22, 30),
    )
    ring = body & ~_box(0, 12, 10, 30, 12, 34)
    random = np.random.default_rng(0)
    many = {
        n: _ellipsoid(random.uniform((2, 8, 8), (9, 32, 40)), random.uniform((1, 2, 2), (4, 9, 9)))
        for n in range(1, 21)
    }
    return {
        "in each other": {1: body, 2: crossing, 5: tumor},
        "crossing": {1: _box(0, 8, 4, 20, 4, 30), 2: _box(4, 12, 10, 36, 20, 44)},
        "equal": {1: tumor, 2: tumor.copy()},
        "hole, with an object in it": {1: ring, 2: _box(3, 9, 14, 24, 16, 28), 3: body},
        "on the border of the image": {1: _box(0, 12, 0, 40, 0, 48), 2: _box(0, 1, 0, 3, 0, 4)},
        "one voxel, in another": {1: _box(5, 6, 9, 10, 9, 10), 2: body},
        "20 ellipsoids": many,
    }


def _box(*ends: int) -> NDArray[np.bool_]:
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(a, b) for a, b in zip(ends[::2], ends[1::2], strict=True))] = True
    return mask


def _ellipsoid(center: NDArray[np.float64], radii: NDArray[np.float64]) -> NDArray[np.bool_]:
    zyx = np.stack(np.indices(SHAPE), -1)
    return (((zyx - center) / radii) ** 2).sum(-1) <= 1


def main() -> None:
    """Write the figures of all sets."""
    lines = [
        "# Objects that overlap, written and read by others",
        "",
        "Wrong voxels of all objects of a set: the SEG read by highdicom, the contours of the",
        "RTSTRUCT by pydicom and scikit-image (centres inside), both by this package; the largest",
        "difference of a volume in the SR; errors and warnings of dciodvfy -new for the three.",
        "`python -m benchmarks.overlap_round_trips` measures again.",
        "",
        "| objects | series | SEG | RTSTRUCT | SEG, package | RTSTRUCT, package | SR volume"
        " | errors | warnings |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    messages: Counter[str] = Counter()
    turned = Rotation.from_euler("xyz", (12, 20, 33), degrees=True).as_matrix()
    series = {"axial": np.eye(3), "oblique": turned}
    for name, masks in object_sets().items():
        for kind, axes in series.items():
            with TemporaryDirectory() as folder:
                cells = _round_trip(Path(folder), masks, axes, messages)
            lines.append(f"| {name} | {kind} | {' | '.join(cells)} |")
    lines += ["", "Messages of dciodvfy, with the number of files:", ""]
    lines += [f"- {count} x {text}" for text, count in messages.most_common()] or ["- none"]
    RESULT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def _round_trip(
    folder: Path, masks: Masks, axes: NDArray[np.float64], messages: Counter[str]
) -> list[str]:
    from tests.corpus.dicom_files import slices
    from tests.corpus.object_rows import STUDY

    data = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE) % 1000
    orientation = tuple(axes[:, :2].T.round(9).ravel().tolist())
    slices(folder / "series", data, orientation, MM[0], **STUDY)
    volume = nmv.read_volume(folder / "series")
    segments = {n: Segment(f"Žlučník {n}") for n in masks}
    seg, structures, report = (folder / n for n in ("a.dcm", "a.rtstruct.dcm", "sr.dcm"))
    for path in (seg, structures):
        write_segments(path, masks, volume, segments)
    asked = ["measure", str(folder / "series"), "--mask", str(seg), "--sr", str(report)]
    done = CliRunner().invoke(app, asked)
    if done.exit_code:
        raise RuntimeError(done.output)
    checked = [_checked(path) for path in (seg, structures, report)]
    for texts in checked:
        messages.update(set(texts))
    errors = sum(text.startswith("Error") for texts in checked for text in texts)
    warnings = sum(text.startswith("Warning") for texts in checked for text in texts)
    return [
        str(_wrong_of_seg(seg, masks, volume.grid)),
        str(_wrong_of_contours(structures, masks, volume.grid)),
        str(_wrong_read(seg, masks, volume.grid)),
        str(_wrong_read(structures, masks, volume.grid)),
        f"{_apart_ml(report, masks):.4f} mL",
        str(errors),
        str(warnings),
    ]


def _wrong_of_seg(path: Path, masks: Masks, grid: Grid) -> int:
    seg = hd.seg.segread(path)
    volume = seg.get_volume(combine_segments=False, allow_missing_positions=True)
    index = np.stack(np.indices(volume.shape[:3]), -1).reshape(-1, 3)
    lps = index @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    at = np.rint(grid.to_index(lps[:, ::-1])).astype(int)
    wrong = 0
    for channel, mask in enumerate(masks.values()):
        read = np.zeros(SHAPE, bool)
        read[tuple(at.T)] = volume.array[..., channel].ravel() > 0
        wrong += int((read != mask).sum())
    return wrong


def _wrong_of_contours(path: Path, masks: Masks, grid: Grid) -> int:
    wrong = 0
    for drawn, mask in zip(dcmread(path).ROIContourSequence, masks.values(), strict=True):
        read = np.zeros(SHAPE, bool)
        for contour in drawn.ContourSequence:
            lps = np.reshape(contour.ContourData, (-1, 3)).astype(float)
            zyx = grid.to_index(lps[:, ::-1])
            read[round(float(zyx[0, 0]))] ^= polygon2mask(SHAPE[1:], zyx[:, 1:])
        wrong += int((read != mask).sum())
    return wrong


def _wrong_read(path: Path, masks: Masks, grid: Grid) -> int:
    named = read_masks(path, grid)
    read = [named.mask_of(value).full() for value in sorted(named.present)]
    return sum(int((a != b).sum()) for a, b in zip(read, masks.values(), strict=True))


def _apart_ml(path: Path, masks: Masks) -> float:
    groups = hd.sr.srread(path).content.get_volumetric_roi_measurement_groups()
    stated = [
        next(m.value for m in group.get_measurements() if m.name.meaning == "Volume")
        for group in groups
    ]
    true = [mask.sum() * np.prod(MM) for mask in masks.values()]
    return float(np.abs(np.subtract(stated, true)).max() / 1000)


def _checked(path: Path) -> list[str]:
    done = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
    return [
        re.sub(r"\[\d+\]", "[n]", line.strip())
        for line in done.stderr.splitlines()
        if line.startswith(("Error", "Warning"))
    ]


if __name__ == "__main__":
    main()
