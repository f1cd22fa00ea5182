"""Reports of two dates refer to the same lesions."""

import subprocess
import sys
from datetime import date

import highdicom as hd
import numpy as np
import pytest
from pydicom.uid import generate_uid

import napari_medvlm as nmv
from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.io.dicom_objects.sr_read import read_sr
from napari_medvlm.io.label_images import read_masks
from napari_medvlm.sessions.followup.study_reports import write_reports
from tests.io.conftest import PATIENT
from tests.io.dicom_files import write_series

SAME = Pairing(PairingKind.IDENTITY, np.eye(4))
UID = generate_uid()


def study(folder, day):
    """A CT study of a day; its date is read from the files."""
    data = np.random.default_rng(1).integers(0, 400, (8, 20, 24)).astype(np.int16)
    uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    write_series(folder, data, **uids, **(PATIENT | {"StudyDate": day}))
    return nmv.read_volume(folder)


@pytest.fixture
def studies(tmp_path):
    """A prior with two lesions, and a current study in which one has grown and one is new."""
    prior, current = study(tmp_path / "a", "20260101"), study(tmp_path / "b", "20260401")
    before, after = (np.zeros(prior.shape, np.uint8) for _ in range(2))
    before[2:5, 3:8, 4:9] = 1
    before[5:7, 12:16, 14:18] = 5
    after[2:6, 3:8, 4:9] = 1
    after[1:3, 12:16, 2:6] = 2
    names = {1: "liver lesion", 5: "lung lesion"}
    lesions = NamedLabels(before, prior.grid, names, "masks", tracking_uids={5: UID})
    now = NamedLabels(after, current.grid, {1: "a", 2: "b"}, "masks")
    result = nmv.follow(current, prior, lesions, SAME, current_masks=now, backtest=False)
    return result, current, prior, lesions


def tracked(path):
    """Name and tracking UID of the groups of a report, and their time point."""
    groups = hd.sr.srread(path).content.get_volumetric_roi_measurement_groups()
    return {
        str(group.tracking_identifier): (
            str(group.tracking_uid),
            [str(item.TextValue) for item in group[0].ContentSequence
             if item.ConceptNameCodeSequence[0].CodeValue == "C2348792"],
        )
        for group in groups
    }  # fmt: skip


def test_a_lesion_has_one_tracking_uid_on_both_dates(studies, tmp_path) -> None:
    result, current, prior, lesions = studies
    assert result.dates == (date(2026, 1, 1), date(2026, 4, 1))
    _, before, seg, after = write_reports(tmp_path, result, current, prior, lesions)
    old, new = tracked(before), tracked(after)
    assert old.keys() == {"liver lesion", "lung lesion"}
    assert new.keys() == {"liver lesion", "b"}
    assert old["lung lesion"][0] == UID
    assert old["liver lesion"][0] == new["liver lesion"][0]
    assert old["liver lesion"][1] == ["prior 2026-01-01"]
    assert new["liver lesion"][1] == ["current 2026-04-01"]
    assert old["liver lesion"][0] in read_masks(seg, current.grid).tracking_uids.values()


@pytest.mark.skipif(sys.platform != "linux", reason="the validator is Debian's dicom3tools")
def test_a_validator_finds_no_error_in_the_reports_of_two_dates(studies, tmp_path) -> None:
    result, current, prior, lesions = studies
    for path in write_reports(tmp_path, result, current, prior, lesions):
        command = ["dciodvfy", "-new", path]
        verified = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "Error" not in verified.stderr


def test_the_reports_of_two_dates_come_back_with_the_values_of_the_table(studies, tmp_path) -> None:
    result, current, prior, lesions = studies
    paths = write_reports(tmp_path, result, current, prior, lesions)
    rows = {lesion.name: lesion for lesion in result.lesions}
    for path, study, time_point in ((paths[1], "prior", 1), (paths[3], "current", 2)):
        read = {values["name"]: values for values in read_sr(path)}
        assert len(read) == 2
        for name, values in read.items():
            extent = getattr(rows[name], study)
            assert values["Time Point Order"] == time_point
            assert values["volume_ml"] == pytest.approx(extent.volume_ml, abs=1e-5)
            assert values["longest_axial_mm"] == pytest.approx(extent.longest_mm, abs=1e-3)
            assert values["perpendicular_axial_mm"] == pytest.approx(
                extent.perpendicular_mm, abs=1e-3
            )
    row = rows["liver lesion"]
    assert row.doubling_days == pytest.approx(90 * np.log(2) / np.log(4 / 3))


def test_studies_that_are_not_dicom_have_no_report(pair, tmp_path) -> None:
    result = nmv.follow(pair.current, pair.prior, pair.prior_masks, pair.pairing, backtest=False)
    with pytest.raises(CannotSave, match="not read from a DICOM series"):
        write_reports(tmp_path, result, pair.current, pair.prior, pair.prior_masks)
