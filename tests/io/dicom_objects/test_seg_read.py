"""Segmentations as others write them, and of series that are out of the ordinary."""

from __future__ import annotations

import json
import subprocess
import sys

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from napari_medvlm.data.errors import CannotSave, InvalidImage
from napari_medvlm.data.geometry.frames import lps_rows
from napari_medvlm.io import Segment, write_segments
from napari_medvlm.io.dicom_objects.seg_read import is_seg, read_seg_on_series
from napari_medvlm.io.dicom_objects.source_headers import source_headers
from napari_medvlm.io.dicom_objects.sr_read import read_sr
from napari_medvlm.io.label_images import read_masks
from napari_medvlm.sessions.export.masks import write_objects
from tests.io.conftest import PATIENT
from tests.io.dicom_files import write_series


@pytest.fixture
def of_series(tmp_path):
    """A volume of twelve slices, whose headers are as the test wants them."""

    def make(**values):
        data = np.random.default_rng(1).integers(0, 400, (12, 20, 24)).astype(np.int16)
        uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
        write_series(tmp_path / "series", data, **uids, **PATIENT, **values)
        return nmv.read_volume(tmp_path / "series")

    return make


def in_slices(volume, *slices):
    mask = np.zeros(volume.shape, np.uint8)
    for z in slices:
        mask[z, 5:12, 5 : 12 + z] = 1
    return mask


def by_others(volume, array, kind, path, **more):
    """A segmentation of two segments without tracking IDs."""
    sources = source_headers(volume)
    described = [
        hd.seg.SegmentDescription(n, f"s{n}", codes.SCT.Tissue, codes.SCT.Tissue, "MANUAL")
        for n in (1, 2)
    ]
    frame = sources[0].FrameOfReferenceUID
    channels = {} if array.ndim == 3 else {"channels": {"SegmentNumber": [1, 2]}}
    geometry = lps_rows(volume.affine), "PATIENT"
    made = hd.seg.Segmentation(
        sources,
        hd.Volume(array, *geometry, frame_of_reference_uid=frame, **channels),
        kind,
        described,
        *(generate_uid(), 5, generate_uid(), 1, "maker", "model", "1", "1"),
        **more,
    )
    made.save_as(path)
    return path


@pytest.mark.parametrize("slices", [(4,), (2, 5), (0, 11)])
@pytest.mark.parametrize("values", [{}, {"SliceThickness": 5}, {"step": (0, 0, -2.5)}])
def test_a_few_frames_far_apart_go_to_their_slices(of_series, tmp_path, slices, values):
    """Though the file does not give the distance of its slices."""
    volume, path = of_series(**values), tmp_path / "seg.dcm"
    mask = in_slices(volume, *slices)
    nmv.write_mask(path, mask, volume)
    made = pydicom.dcmread(path)
    assert made.NumberOfFrames == len(slices)
    del made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices
    made.save_as(path)
    assert np.array_equal(read_masks(path, volume.grid).values, mask)
    opened = read_seg_on_series(path, {"1.2.3": volume.grid, volume.series: volume.grid})
    assert np.array_equal(opened.values, mask)
    assert read_seg_on_series(path, {}).grid.shape[0] < 12


def test_the_mask_of_a_single_slice_comes_back(tmp_path):
    """Its thickness is 0.8 mm, which no distance of slices tells."""
    volume = nmv.read_volume(get_testdata_file("MR_small.dcm"))
    path = tmp_path / "seg.dcm"
    mask = np.zeros(volume.shape, np.uint8)
    mask[0, 10:40, 20:30] = 1
    nmv.write_mask(path, mask, volume)
    assert np.array_equal(read_masks(path, volume.grid).values, mask)


@pytest.mark.skipif(sys.platform != "linux", reason="the validator is Debian's dicom3tools")
def test_sheared_slices_of_a_tilted_gantry_go_out_and_come_back(of_series, tmp_path):
    volume, path = of_series(step=(0, 0.5, 2.5)), tmp_path / "seg.dcm"
    mask = in_slices(volume, 2, 3, 6)
    nmv.write_mask(path, mask, volume)
    assert np.array_equal(read_masks(path, volume.grid).values, mask)
    reported = subprocess.run(
        ["dciodvfy", "-new", path], capture_output=True, text=True, check=False
    )
    assert "Error" not in reported.stderr
    with pytest.raises(InvalidImage) as refused:
        read_seg_on_series(path, {})
    assert "Open the series that it was made on first" in refused.value.hint


def test_a_label_map_is_read_and_reported(of_series, tmp_path):
    volume = of_series()
    mask = in_slices(volume, 2, 3, 6)
    mask[7, 3:6, 3:6] = 2
    path = by_others(volume, mask, "LABELMAP", tmp_path / "seg.dcm")
    assert is_seg(path)
    found, alone = read_masks(path, volume.grid), read_seg_on_series(path, {})
    assert np.array_equal(found.values, mask)
    assert np.bincount(alone.values.ravel())[1:].tolist() == np.bincount(mask.ravel())[1:].tolist()
    assert found.names == alone.names == {1: "s1", 2: "s2"}
    done = CliRunner().invoke(
        app, ["measure", str(volume.source), "--mask", str(path), "--sr", str(tmp_path / "sr.dcm")]
    )
    assert done.exit_code == 0, done.output
    assert [reported["name"] for reported in read_sr(tmp_path / "sr.dcm")] == ["s1", "s2"]


def test_fractions_count_from_one_half_and_that_is_reported(of_series, tmp_path):
    volume = of_series()
    shares = np.zeros((*volume.shape, 2), np.float32)
    shares[2:5, 3:9, 3:9] = (0.8, 0.2)
    path = by_others(volume, shares, "FRACTIONAL", tmp_path / "seg.dcm", max_fractional_value=200)
    found = read_masks(path, volume.grid)
    assert np.array_equal(found.values, shares[..., 0] > 0.5)
    assert found.notes == (
        "seg.dcm holds fractions; voxels of 0.5 and above belong to the object.",
    )
    alone = read_seg_on_series(path, {})
    assert np.array_equal(np.unique(alone.values), [0, 1])


def test_an_empty_segment_is_reported_and_left_out_of_the_report(of_series, tmp_path):
    volume = of_series()
    both = np.stack([in_slices(volume, 3, 4), np.zeros(volume.shape, np.uint8)], axis=-1)
    path, sr = by_others(volume, both, "BINARY", tmp_path / "seg.dcm"), tmp_path / "sr.dcm"
    asked = ["measure", str(volume.source), "--mask", str(path)]
    assert CliRunner().invoke(app, asked).stdout.splitlines()[1] == "s2: empty"
    done = CliRunner().invoke(app, [*asked, "--json", "--sr", str(sr)])
    assert done.exit_code == 0, done.output

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    objects = json.loads(done.stdout, parse_constant=refuse)["objects"]
    assert objects[1]["mean"] is None
    assert [reported["name"] for reported in read_sr(sr)] == ["s1"]


@pytest.mark.parametrize("name", ["JPEG2000.dcm", "rtdose.dcm", "JPEGLSNearLossless_08.dcm"])
def test_images_that_no_segmentation_can_refer_to_are_reported(name, tmp_path):
    volume = nmv.read_volume(get_testdata_file(name))
    mask = np.zeros(volume.shape, np.uint8)
    mask[0, 2:5, 2:5] = 1
    with pytest.raises(CannotSave, match="cannot refer to images as|does not give its series"):
        nmv.write_mask(tmp_path / "seg.dcm", mask, volume)
    assert not list(tmp_path.iterdir())


def test_a_series_without_a_study_is_reported(tmp_path):
    data = np.zeros((3, 8, 8), np.int16)
    write_series(tmp_path / "series", data, FrameOfReferenceUID=generate_uid(), **PATIENT)
    volume = nmv.read_volume(tmp_path / "series")
    for name in ("a.dcm", "a.rtstruct.dcm"):
        with pytest.raises(CannotSave, match="does not give its study"):
            nmv.write_mask(tmp_path / name, np.ones(volume.shape, bool), volume)


@pytest.mark.parametrize(
    ("name", "shown"), [("a\\b\nc", "a/b c"), ("  ", "unnamed"), ("ö" * 70, "ö" * 64)]
)
def test_any_name_can_be_written(of_series, tmp_path, name, shown):
    volume = of_series()
    for file in ("a.dcm", "a.rtstruct.dcm"):
        path = tmp_path / file
        nmv.write_mask(path, in_slices(volume, 3), volume, {1: Segment(name)})
        assert dict(read_masks(path, volume.grid).names) == {1: shown}


@pytest.mark.parametrize(
    ("name", "reported"),
    [
        ("series", "series is a folder."),
        ("a.stl", "a.stl holds a surface, which has no voxels."),
        ("test-SR.dcm", "test-SR.dcm holds no objects (Comprehensive SR Storage)."),
    ],
)
def test_what_holds_no_objects_is_reported(of_series, tmp_path, name, reported):
    volume = of_series()
    nmv.write_mask(tmp_path / "a.stl", in_slices(volume, 3), volume)
    path = tmp_path / name if (tmp_path / name).exists() else get_testdata_file(name)
    done = CliRunner().invoke(app, ["measure", str(volume.source), "--mask", str(path)])
    assert done.exit_code == 1
    assert reported in done.output


def test_a_filled_gap_can_be_measured(of_series, tmp_path):
    of_series()
    lost = next(
        f for f in (tmp_path / "series").iterdir() if pydicom.dcmread(f).InstanceNumber == 4
    )
    lost.unlink()
    volume = nmv.read_volume(tmp_path / "series", gaps="fill")
    nmv.write_mask(tmp_path / "a.dcm", in_slices(volume, 2, 3, 4), volume)
    asked = ["measure", str(tmp_path / "series"), "--mask", str(tmp_path / "a.dcm")]
    refused = CliRunner().invoke(app, asked)
    assert "--gaps on the command line" in " ".join(refused.output.split())
    assert "Object 1:" in CliRunner().invoke(app, [*asked, "--gaps", "fill"]).stdout


def organ_and_lesion(volume):
    """An organ of 4 x 8 x 10 voxels and a lesion of 2 x 3 x 4 in it, as channels."""
    both = np.zeros((*volume.shape, 2), np.uint8)
    both[2:6, 4:12, 5:15, 0] = 1
    both[3:5, 6:9, 7:11, 1] = 1
    return both


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_segments_that_overlap_keep_all_their_voxels(of_series, tmp_path, kind):
    volume = of_series()
    both = organ_and_lesion(volume)
    path = by_others(volume, both if kind == "BINARY" else both.astype(np.float32), kind,
                     tmp_path / "seg.dcm")  # fmt: skip
    named, alone = read_masks(path, volume.grid), read_seg_on_series(path, {})
    for number in (1, 2):
        assert np.array_equal(named.mask_of(number).full(), both[..., number - 1])
        assert alone.mask_of(number).voxels == both[..., number - 1].sum()
    assert "overlap (s1, s2)" in named.notes[-1]
    assert np.bincount(named.values.ravel())[1:].tolist() == [320 - 24, 24]


def test_a_report_measures_segments_that_overlap(of_series, tmp_path):
    volume = of_series()
    path = by_others(volume, organ_and_lesion(volume), "BINARY", tmp_path / "seg.dcm")
    asked = ["measure", str(volume.source), "--mask", str(path), "--sr", str(tmp_path / "sr.dcm")]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    groups = hd.sr.srread(tmp_path / "sr.dcm").content.get_volumetric_roi_measurement_groups()
    measured = [g.get_measurements(name=codes.SCT.Volume)[0].value for g in groups]
    voxel_mm3 = 0.7 * 0.9 * 2.5
    assert measured == pytest.approx([320 * voxel_mm3, 24 * voxel_mm3], abs=2e-3)


def test_overlapping_segments_go_out_again_with_all_their_voxels(of_series, tmp_path):
    volume = of_series()
    both = organ_and_lesion(volume)
    named = read_masks(by_others(volume, both, "BINARY", tmp_path / "theirs.dcm"), volume.grid)
    masks = {number: named.mask_of(number).full() for number in named.names}
    write_segments(tmp_path / "ours.dcm", masks, volume)
    array = (
        hd.seg.segread(tmp_path / "ours.dcm")
        .get_volume(combine_segments=False, allow_missing_positions=True)
        .array
    )
    assert array.sum(axis=(0, 1, 2)).tolist() == [320, 24]


def test_overlapping_segments_become_objects_with_all_their_voxels(of_series, tmp_path):
    volume = of_series()
    both = organ_and_lesion(volume)
    named = read_masks(by_others(volume, both, "BINARY", tmp_path / "seg.dcm"), volume.grid)
    with nmv.SegmentationSession(volume, runner="inline") as session:
        organ, lesion = session.import_labels(
            named.values, named.names, named.tracking_uids, named.covered
        )
        assert np.array_equal(session.mask_of(organ), both[..., 0])
        assert np.array_equal(session.mask_of(lesion), both[..., 1])
        assert np.count_nonzero(session.labels == lesion) == 24
        write_objects(session, tmp_path / "ours.dcm")
    back = read_masks(tmp_path / "ours.dcm", volume.grid)
    assert [back.mask_of(number).voxels for number in back.names] == [320, 24]


def test_a_label_map_whose_background_is_not_0_has_segment_0_as_an_object(of_series, tmp_path):
    """The values 0 and 1 of a map are swapped: the background is 1, by its Pixel Padding Value."""
    volume, path = of_series(), tmp_path / "a.labelmap.dcm"
    labels = in_slices(volume, 2, 3)
    labels[4, 2:5, 2:6] = 2
    nmv.write_mask(path, labels, volume, {1: Segment("organ"), 2: Segment("cyst")})
    header = pydicom.dcmread(path)
    swapped = header.pixel_array.copy()
    swapped[header.pixel_array == 0], swapped[header.pixel_array == 1] = 1, 0
    header.PixelData, header.PixelPaddingValue = swapped.tobytes(), 1
    background, organ, cyst = header.SegmentSequence
    background.SegmentNumber, organ.SegmentNumber = 1, 0
    header.SegmentSequence = [organ, background, cyst]
    header.save_as(path)
    for named in (read_masks(path, volume.grid), read_seg_on_series(path, {})):
        assert named.names == {3: "organ", 2: "cyst"}
        assert named.mask_of(3).voxels == np.count_nonzero(labels == 1)
        assert named.mask_of(2).voxels == np.count_nonzero(labels == 2)
        assert named.notes == ("Segment 0 of a.labelmap.dcm, organ, has the label 3.",)
