"""PET series with a known uptake are measured in SUV; an incomplete header is reported."""

import json
import math
import re
import subprocess

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.uid import PositronEmissionTomographyImageStorage, generate_uid
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.measurements.measure import brightness, measure
from napari_medvlm.data.measurements.table import row
from napari_medvlm.data.volume import SUV_UNIT
from napari_medvlm.io import Segment
from napari_medvlm.io.dicom_objects.sr import write_sr
from napari_medvlm.io.dicom_objects.sr_read import read_sr
from napari_medvlm.worker.messages import Request
from napari_medvlm.worker.shared_memory import SharedVolumes
from tests.io.conftest import PATIENT
from tests.io.dicom_files import write_series

DOSE_BQ, HALF_LIFE_S, WEIGHT_KG, SLOPE = 370e6, 6586.2, 74.0, 0.5
STORED = np.zeros((4, 8, 10), np.int16)
STORED[1:3, 2:6, 3:7] = 20_000
STORED[1, 3, 4] = 30_000
INSIDE = STORED > 0


def given(**values):
    """What was given to the patient."""
    made = Dataset()
    made.RadionuclideTotalDose, made.RadionuclideHalfLife = DOSE_BQ, HALF_LIFE_S
    made.RadiopharmaceuticalStartTime = "110000"
    for name, value in values.items():
        if value is None:
            delattr(made, name)
        else:
            setattr(made, name, value)
    return Sequence([made])


@pytest.fixture
def read(tmp_path):
    """Reads a PET series that was given at 11:00 and scanned at 12:00, or as ``values`` say."""

    def read(**values):
        usual = {
            "SOPClassUID": PositronEmissionTomographyImageStorage, "Modality": "PT",
            "Units": "BQML", "CorrectedImage": ["NORM", "ATTN", "DECY"],
            "DecayCorrection": "START", "PatientWeight": WEIGHT_KG,
            "SeriesDate": "20260101", "SeriesTime": "120000.0", "RescaleSlope": SLOPE,
            "RescaleIntercept": 0, "AcquisitionDate": "20260101", "AcquisitionTime": "120000",
            "RadiopharmaceuticalInformationSequence": given(),
            "StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid(),
        }  # fmt: skip
        wanted = {k: v for k, v in {**PATIENT, **usual, **values}.items() if v is not None}
        write_series(tmp_path / "pet", STORED, **wanted)
        return nmv.read_volume(tmp_path / "pet")

    return read


def expected(elapsed_s, intensity=10_000.0):
    decayed = DOSE_BQ * 0.5 ** (elapsed_s / HALF_LIFE_S)
    return intensity * 1000 * WEIGHT_KG / decayed


def test_all_that_is_measured_is_suv(read):
    volume = read()
    mask = Mask.of(INSIDE)
    found, made = measure(volume, mask), row("lesion", mask, volume)
    values = STORED[INSIDE] * SLOPE
    factor = expected(3600, 1.0)
    assert found.unit == made.unit == SUV_UNIT == "g/ml{SUVbw}"
    assert made.mean == found.mean == pytest.approx(values.mean() * factor, rel=1e-6)
    assert made.sd == found.sd == pytest.approx(values.std() * factor, rel=1e-6)
    assert made.maximum == found.maximum == pytest.approx(expected(3600, 15_000.0), rel=1e-6)
    assert made.minimum == pytest.approx(expected(3600), rel=1e-6)
    assert f"SUVbw mean {found.mean:.4g}, max {found.maximum:.4g} g/mL" in str(found)
    assert "SUV" not in "".join(volume.notes)
    assert volume.data.max() == 15_000


@pytest.mark.parametrize(
    ("values", "elapsed_s"),
    [
        ({"DecayCorrection": "ADMIN"}, 0),
        ({"SeriesTime": "003000", "AcquisitionTime": "003000",
          "RadiopharmaceuticalInformationSequence": given(RadiopharmaceuticalStartTime="233000")},
         3600),
        ({"RadiopharmaceuticalInformationSequence":
          given(RadiopharmaceuticalStartDateTime="20260101103000.00+0100")}, 5400),
        ({"SeriesTime": "003000", "AcquisitionTime": "003000",
          "RadiopharmaceuticalInformationSequence":
          given(RadiopharmaceuticalStartDateTime="20251231230000")}, 5400),
        ({"SeriesTime": "003000", "SeriesDate": None, "AcquisitionDate": None,
          "AcquisitionTime": "003000",
          "RadiopharmaceuticalInformationSequence": given(RadiopharmaceuticalStartTime="2330")},
         3600),
        ({"SeriesTime": "180000", "AcquisitionTime": "121000"}, 4200),
        ({"SeriesTime": "180000", "AcquisitionTime": "121000", "FrameReferenceTime": 600_000.0,
          "ActualFrameDuration": 1}, 3600),
        ({"AcquisitionTime": None, "AcquisitionDate": None}, 3600),
    ],
    ids=["to the injection", "over midnight", "with a date", "with a date over midnight",
         "without dates", "made again later", "made again later, referred to the start",
         "without acquisition time"],
)  # fmt: skip
def test_the_dose_decays_until_the_time_that_images_are_corrected_to(read, values, elapsed_s):
    assert read(**values).suv == pytest.approx(expected(elapsed_s, 1.0), rel=1e-6)


def test_a_frame_refers_to_the_time_of_its_average_counts(read):
    duration_s = 1800.0
    decay = math.log(2) / HALF_LIFE_S * duration_s
    average_s = HALF_LIFE_S / math.log(2) * math.log(decay / (1 - math.exp(-decay)))
    volume = read(
        SeriesTime="180000", ActualFrameDuration=1000 * duration_s, FrameReferenceTime=1000 * 900.0
    )
    assert volume.suv == pytest.approx(expected(3600 - 900 + average_s, 1.0), rel=1e-6)


@pytest.mark.parametrize(
    ("values", "reported"),
    [
        ({"PatientWeight": None}, "has no patient weight"),
        ({"PatientWeight": 0}, "has no patient weight"),
        ({"Units": "PROPCPS"}, "units are PROPCPS, not BQML"),
        ({"Units": None}, "units are missing, not BQML"),
        ({"Units": "CNTS"}, r"counts without a factor for SUV \(7053,1000\)"),
        ({"CorrectedImage": ["ATTN"]}, "not corrected for attenuation and decay"),
        ({"CorrectedImage": "DECY"}, "not corrected for attenuation and decay"),
        ({"CorrectedImage": None}, "not corrected for attenuation and decay"),
        ({"DecayCorrection": "NONE"}, "decay is corrected to NONE"),
        ({"RadiopharmaceuticalInformationSequence": None}, "no radiopharmaceutical information"),
        ({"RadiopharmaceuticalInformationSequence": given(RadionuclideTotalDose=None)}, "the dose"),
        ({"RadiopharmaceuticalInformationSequence": given(RadionuclideTotalDose=370)},
         "370, cannot be in becquerel"),
        ({"RadiopharmaceuticalInformationSequence": given(RadionuclideHalfLife=None)},
         "the half-life"),
        ({"RadiopharmaceuticalInformationSequence": given(RadiopharmaceuticalStartTime=None)},
         "no injection time"),
        ({"SeriesTime": None, "AcquisitionTime": None}, "no scan start time"),
    ],
)  # fmt: skip
def test_it_is_reported_why_there_is_no_suv(read, values, reported):
    volume = read(**values)
    stated = {"PROPCPS": "{propcounts}/s", None: "", "CNTS": "{counts}"}
    unit = stated[values["Units"]] if "Units" in values else "Bq/ml"
    assert (volume.suv, volume.unit, volume.scale) == (None, unit, 1.0)
    (note,) = [n for n in volume.notes if "SUV" in n]
    assert re.search(reported, note), note
    assert measure(volume, Mask.of(INSIDE)).mean == (STORED[INSIDE] * SLOPE).mean()


def test_units_of_suv_and_counts_with_a_factor_are_taken(tmp_path, read):
    assert read(Units="GML").suv == 1.0
    for path in (tmp_path / "pet").iterdir():
        made = dcmread(path)
        made.Units = "CNTS"
        block = made.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x00, "DS", "0.000551")
        made.save_as(path)
    assert nmv.read_volume(tmp_path / "pet").suv == pytest.approx(0.000551)


@pytest.mark.parametrize(
    ("units", "kind", "code"),
    [
        ("GML", "BW", codes.UCUM.StandardizedUptakeValueBodyWeight),
        ("GML", "LBM", codes.UCUM.StandardizedUptakeValueLeanBodyMassJames),
        ("GML", "LBMJAMES128", codes.UCUM.StandardizedUptakeValueLeanBodyMassJames128Multiplier),
        ("GML", "LBMJANMA", codes.UCUM.StandardizedUptakeValueLeanBodyMassJanma),
        ("GML", "IBW", codes.UCUM.StandardizedUptakeValueIdealBodyWeight),
        ("CM2ML", "BSA", codes.UCUM.StandardizedUptakeValueBodySurfaceArea),
        ("BQML", None, codes.UCUM.BecquerelsPerMilliliter),
    ],
)
def test_uptake_is_by_body_weight_only_where_the_header_says_so(read, units, kind, code):
    volume = read(Units=units, SUVType=kind, PatientWeight=None)
    assert volume.unit == code.value
    assert volume.suv == (1.0 if kind == "BW" else None)
    assert bool(volume.notes) == (kind != "BW")
    found = measure(volume, Mask.of(INSIDE))
    assert (found.unit, found.mean) == (code.value, (STORED[INSIDE] * SLOPE).mean())


def test_a_report_has_the_unit_of_uptake_by_lean_body_mass(read, tmp_path):
    volume = read(Units="GML", SUVType="LBMJAMES128")
    seg, report = tmp_path / "seg.dcm", tmp_path / "sr.dcm"
    nmv.write_mask(seg, INSIDE, volume, {1: Segment("lesion")})
    values = row("lesion", Mask.of(INSIDE), volume).values
    write_sr(report, seg, {1: dict(values)}, volume)
    text = dcmread(report).to_json()
    assert '"g/ml{SUVlbm(James128)}"' in text
    assert '"126402"' in text
    assert '"126401"' not in text
    assert read_sr(report)[0]["mean"] == pytest.approx(values["mean"], abs=1e-4)


def test_other_images_have_no_suv(tmp_path):
    write_series(tmp_path, STORED, **PATIENT)
    volume = nmv.read_volume(tmp_path)
    assert (volume.suv, volume.unit) == (None, "HU")
    assert not [n for n in volume.notes if "SUV" in n]


def test_a_report_and_the_command_line_tell_suv(read, tmp_path):
    volume = read()
    seg, report = tmp_path / "seg.dcm", tmp_path / "sr.dcm"
    nmv.write_mask(seg, INSIDE, volume, {1: Segment("lesion")})
    made = row("lesion", Mask.of(INSIDE), volume)
    write_sr(report, seg, {1: dict(made.values)}, volume)
    (back,) = read_sr(report)
    assert back["mean"] == pytest.approx(made.mean, abs=1e-4)
    assert back["maximum"] == pytest.approx(made.maximum, abs=1e-4)
    checked = subprocess.run(
        ["dciodvfy", "-new", report], capture_output=True, text=True, check=False
    )
    assert checked.stderr.strip().endswith("Comprehensive3DSR")
    text = dcmread(report).to_json()
    assert '"126401"' in text
    assert f'"{SUV_UNIT}"' in text
    arguments = ["measure", str(tmp_path / "pet"), "--mask", str(seg)]
    (reported,) = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)["objects"]
    assert (reported["unit"], reported["mean"]) == (SUV_UNIT, pytest.approx(made.mean, abs=1e-5))
    assert json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)["notes"] == []
    assert brightness(made.values) in CliRunner().invoke(app, arguments).stdout


def test_a_question_about_a_voxel_is_answered_in_suv(read):
    volume = read()
    answer = nmv.ask(volume, "What is at 1,3,4?")
    assert f"the intensity is {expected(3600, 15_000.0):.3g}" in answer.text
    assert SUV_UNIT in answer.text


def test_a_worker_knows_it_too(read):
    parked = SharedVolumes()
    try:
        assert parked.run(1, Request("embedded", volume := read())).request.volume.suv == volume.suv
        by_lean_mass = read(Units="GML", SUVType="LBM")
        assert parked.run(2, Request("embedded", by_lean_mass)).request.volume.unit.endswith("lbm}")
    finally:
        parked.clear()
