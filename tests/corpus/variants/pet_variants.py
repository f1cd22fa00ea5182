"""PET series whose injection and scan are apart in rarer ways, and PET of other kinds."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import PositronEmissionTomographyImageStorage

import napari_medvlm as nmv
from tests.corpus.dicom_files import DATA, slices
from tests.corpus.rows import Rows

PET = Rows()
F18_S, ZR89_S, CU64_S = 6586.2, 282240.0, 45721.0
DOSE, WEIGHT_KG = 4e8, 80.0


class Uptake:
    """A series and its factor from Bq/ml to SUVbw; a reason where there is none."""

    def __init__(self, path, factor, note=""):
        self.path, self.factor, self.note = path, factor, note

    def check(self):
        volume = nmv.read_volume(self.path)
        if self.factor is None:
            assert volume.suv is None
            assert any(self.note in note for note in volume.notes), volume.notes
        else:
            assert volume.suv == pytest.approx(self.factor, rel=1e-6)


def decayed(seconds, half_life_s=F18_S):
    """SUVbw of a Bq/ml so long after the injection."""
    return WEIGHT_KG * 1000 / (DOSE * 2 ** (-seconds / half_life_s))


def series(folder, half_life_s=F18_S, start_time="100000", start=None, scan="110000", **values):
    given = Dataset()
    given.RadionuclideTotalDose, given.RadionuclideHalfLife = DOSE, half_life_s
    if start_time:
        given.RadiopharmaceuticalStartTime = start_time
    if start:
        given.RadiopharmaceuticalStartDateTime = start
    elements = {
        "Units": "BQML",
        "CorrectedImage": ["ATTN", "DECY", "NORM"],
        "DecayCorrection": "START",
        "PatientWeight": WEIGHT_KG,
        "SeriesDate": "20260106",
        "SeriesTime": scan,
        "AcquisitionDate": "20260106",
        "AcquisitionTime": scan,
        "RescaleSlope": 2.0,
        "RescaleIntercept": 0.0,
        "RadiopharmaceuticalInformationSequence": [given],
        **values,
    }
    return slices(
        folder, DATA, sop_class=PositronEmissionTomographyImageStorage, modality="PT", **elements
    )


@PET("an-hour")
def an_hour(folder):
    return Uptake(series(folder), decayed(3600))


@PET("over-midnight")
def midnight(folder):
    made = series(folder, start_time="233000", scan="003000")
    return Uptake(made, decayed(3600))


@PET.each(
    "injected-after-the-scan-began",
    {"time": ("100030", None), "date-and-time": (None, "20260106100030")},
)
def dynamic(clock, exact, folder):
    """A dynamic scan begins before the injection."""
    return Uptake(series(folder, start_time=clock, start=exact, scan="100000"), decayed(-30))


@PET("days-before-by-date")
def days_before(folder):
    made = series(folder, ZR89_S, start="20260101110000", start_time="110000")
    return Uptake(made, decayed(5 * 86400, ZR89_S))


@PET("date-shifted-by-anonymiser")
def shifted(folder):
    """The date of the injection is of another year; its time still counts."""
    return Uptake(series(folder, start="20190101100000"), decayed(3600))


@PET.each("long-lived-without-a-date", {"Zr-89": (ZR89_S,), "Cu-64": (CU64_S,)})
def long_lived(half_life_s, folder):
    return Uptake(series(folder, half_life_s), None, "day of the injection")


@PET("almost-a-day-before")
def almost_a_day(folder):
    """Thirteen half-lives after the injection nothing is left to be seen."""
    return Uptake(series(folder, start_time="113000", scan="090000"), None, "half-lives")


@PET.each("weight-not-in-kg", {"grams": (80000.0,), "negative": (-1.0,), "zero": (0.0,)})
def weight(value, folder):
    return Uptake(series(folder, PatientWeight=value), None, "weight")


@PET.each("half-life", {"minutes": (109.77,), "zero": (0.0,)})
def half_life(value, folder):
    return Uptake(series(folder, value), None, "half-li")


@PET("dose-in-mbq")
def dose(folder):
    made = series(folder)
    for path in made.iterdir():
        from pydicom import dcmread

        header = dcmread(path)
        header.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = 400.0
        header.save_as(path)
    return Uptake(made, None, "becquerel")


@PET("not-corrected-for-decay")
def not_corrected(folder):
    return Uptake(series(folder, CorrectedImage=["ATTN"]), None, "not corrected")


@PET("to-the-injection")
def admin(folder):
    return Uptake(series(folder, DecayCorrection="ADMIN"), decayed(0))


@PET("bed-positions")
def beds(folder):
    """Later bed positions are corrected to the start of the first, which began the series."""
    made = series(folder, of_slice=lambda z: {"AcquisitionTime": f"11{3 * z:02d}00"})
    return Uptake(made, decayed(3600))


@PET("slopes-differ-by-slice")
def slopes(folder):
    made = series(folder, of_slice=lambda z: {"RescaleSlope": 0.5 + z})
    volume = nmv.read_volume(made)
    expected = DATA * (0.5 + np.arange(4))[:, None, None]
    factor = decayed(3600)
    np.testing.assert_allclose(volume.data * np.float64(volume.scale), expected * factor, rtol=1e-5)
    return Uptake(made, decayed(3600))
