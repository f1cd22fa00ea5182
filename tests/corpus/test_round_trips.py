"""Objects that overlap go to SEG, RTSTRUCT and SR, and others read there what was written."""

import subprocess
import sys

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from skimage.draw import polygon2mask
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from napari_medvlm.io import Segment, write_segments
from tests.corpus.object_rows import BODY, CROSSING, MM, POSITION, SHAPE, TUMOR, sources

MASKS = {1: BODY, 2: CROSSING, 5: TUMOR}
NAMES = {1: "body", 2: "肝臓", 5: "Žlučník"}
VOXEL_MM3 = float(np.prod(MM))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A segmentation, structure set and report of three objects that overlap."""
    folder = tmp_path_factory.mktemp("objects")
    sources(folder)
    volume = nmv.read_volume(folder / "series")
    segments = {number: Segment(name) for number, name in NAMES.items()}
    paths = {
        kind: folder / name
        for kind, name in (("seg", "a.dcm"), ("structures", "a.rtstruct.dcm"), ("report", "sr.dcm"))
    }
    for kind in ("seg", "structures"):
        write_segments(paths[kind], MASKS, volume, segments)
    asked = [
        "measure",
        str(volume.source),
        "--mask",
        str(paths["seg"]),
        "--sr",
        str(paths["report"]),
    ]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    return paths


def test_highdicom_reads_the_masks_of_segments_that_overlap(written):
    seg = hd.seg.segread(written["seg"])
    volume = seg.get_volume(combine_segments=False, allow_missing_positions=True)
    names = [seg.get_segment_description(n).segment_label for n in seg.segment_numbers]
    assert names == list(NAMES.values())
    steps = np.arange(volume.shape[0])[:, None] * volume.affine[:3, 0]
    on = np.round((volume.affine[2, 3] + steps[:, 2] - POSITION[2]) / MM[2]).astype(int)
    for channel, mask in enumerate(MASKS.values()):
        found = np.zeros(SHAPE, bool)
        found[on] = volume.array[..., channel] > 0
        np.testing.assert_array_equal(found, mask)


def test_contours_in_each_other_hold_the_centres_of_the_voxels(written):
    made = dcmread(written["structures"])
    assert [roi.ROIName for roi in made.StructureSetROISequence] == list(NAMES.values())
    for drawn, mask in zip(made.ROIContourSequence, MASKS.values(), strict=True):
        found = np.zeros(SHAPE, bool)
        for contour in drawn.ContourSequence:
            xyz = (np.reshape(contour.ContourData, (-1, 3)).astype(float) - POSITION) / MM
            z = round(float(xyz[0, 2]))
            found[z] ^= polygon2mask(SHAPE[1:], xyz[:, 1::-1])
        np.testing.assert_array_equal(found, mask)


def test_the_report_has_the_volumes_of_the_true_masks(written):
    report = hd.sr.srread(written["report"])
    groups = report.content.get_volumetric_roi_measurement_groups()
    assert [group.tracking_identifier for group in groups] == list(NAMES.values())
    for group, mask in zip(groups, MASKS.values(), strict=True):
        values = {m.name.meaning: (m.value, m.unit.value) for m in group.get_measurements()}
        assert values["Volume"] == (pytest.approx(mask.sum() * VOXEL_MM3), "mm3")


@pytest.mark.skipif(sys.platform != "linux", reason="the validator is Debian's dicom3tools")
@pytest.mark.parametrize("kind", ["seg", "structures", "report"])
def test_a_validator_finds_no_error_in_objects_that_overlap(written, kind):
    command = ["dciodvfy", "-new", written[kind]]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Error" not in found.stderr
