"""Series against GDCM, volumes by their number, SUV of makers, and odd files of pydicom."""

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage, PositronEmissionTomographyImageStorage

import napari_medvlm as nmv
from tests.corpus.dicom_files import DATA, POSITION, UPRIGHT, image, one, placed, saved, slices
from tests.corpus.rows import Image, Rows

PLACES = Rows()
OBLIQUE = (0.8, 0.6, 0, -0.6, 0.8, 0)
TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


@PLACES.each("io42-dicom-called", {"img": ("a.img",), "tif": ("a.tif",), "nii": ("a.nii",)})
def called(name, folder):
    return Image(one(folder).rename(folder / name), DATA[:1], placed(), "HU")


@PLACES.each("io48-series", {"axial": (UPRIGHT,), "turned": (OBLIQUE,)})
def as_gdcm(orientation, folder):
    """All voxels and the place of a series of CT as SimpleITK reads them by GDCM."""
    made = slices(folder, orientation=orientation, RescaleSlope=2, RescaleIntercept=-1024)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(made)))
    read = reader.Execute()
    lps = np.eye(4)
    lps[:3, :3] = np.reshape(read.GetDirection(), (3, 3)) * read.GetSpacing()
    lps[:3, 3] = read.GetOrigin()
    return Image(made, sitk.GetArrayFromImage(read), lps, "HU")


@PLACES.each("io49-volumes-by-number", {str(n): (n,) for n in (0, 1, 4)})
def by_number(index, folder):
    """Volumes at one place that differ in Instance Number only, slices in alternating order."""
    order = [0, 2, 1, 3]
    for t in range(5):
        for k, z in enumerate(order):
            at = {
                "ImagePositionPatient": (POSITION + (0, 0, 3 * z)).tolist(),
                "ImageOrientationPatient": list(UPRIGHT),
                "InstanceNumber": 1 + k + 4 * t,
            }
            made = image(DATA[z] + 100 * t, MRImageStorage, "MR", **at)
            saved(made, folder / f"{(13 * (k + 4 * t)) % 23:02d}.dcm")
    return Image(folder, DATA + 100 * index, placed(), options={"frame": index})


class Uptake:
    """A PET series and its factor to SUVbw."""

    def __init__(self, path, factor):
        self.path, self.factor = path, factor

    def check(self):
        assert nmv.read_volume(self.path).suv == pytest.approx(self.factor, rel=1e-6)


DOSE, WEIGHT_KG, HALF_LIFE_S = 3.7e8, 70.0, 6586.2
MAKERS = {
    "start": ({"DecayCorrection": "START"}, WEIGHT_KG * 1000 / (DOSE * 2 ** (-3600 / HALF_LIFE_S))),
    "admin": ({"DecayCorrection": "ADMIN"}, WEIGHT_KG * 1000 / DOSE),
    "philips-counts": ({"Units": "CNTS", (0x7053, 0x1000): 0.00042}, 0.00042),
}


@PLACES.each("io51-suv", MAKERS)
def suv_of(elements, factor, folder):
    injection = Dataset()
    injection.RadionuclideTotalDose, injection.RadionuclideHalfLife = DOSE, HALF_LIFE_S
    injection.RadiopharmaceuticalStartTime = "100000"
    values = {
        "Units": "BQML",
        "CorrectedImage": ["ATTN", "DECY"],
        "PatientWeight": WEIGHT_KG,
        **{f"{kind}Date": "20260106" for kind in ("Series", "Acquisition")},
        **{f"{kind}Time": "110000" for kind in ("Series", "Acquisition")},
        "RadiopharmaceuticalInformationSequence": [injection],
        **{k: v for k, v in elements.items() if isinstance(k, str)},
    }
    made = slices(folder, sop_class=PositronEmissionTomographyImageStorage, modality="PT", **values)
    for tag, value in ((k, v) for k, v in elements.items() if not isinstance(k, str)):
        for path in made.iterdir():
            header = dcmread(path)
            header.private_block(tag[0], "Philips PET Private Group", create=True).add_new(
                tag[1] & 0xFF, "DS", str(value)
            )
            header.save_as(path)
    return Uptake(made, factor)


class AsPydicom:
    """A file of pydicom's wheel; the values that pydicom has of it, scaled by its header."""

    def __init__(self, path):
        self.path = path

    def check(self):
        header = dcmread(self.path)
        with warnings.catch_warnings():  # pydicom warns of padding
            warnings.simplefilter("ignore", UserWarning)
            pixels = np.asarray(header.pixel_array, float)
        slope, intercept = (
            float(header.get(f"Rescale{name}", default))
            for name, default in (("Slope", 1), ("Intercept", 0))
        )
        volume = nmv.read_volume(self.path)
        values = volume.data * np.float64(volume.scale)
        np.testing.assert_array_equal(values[0], pixels * slope + intercept)


@PLACES.each(
    "io53",
    {
        "jpeg-2000-of-another-sign": ("J2K_pixelrep_mismatch.dcm",),
        "jpeg-2000-of-colours": ("GDCMJ2K_TextGBR.dcm",),
        "pixels-padded": ("MR_small_padded.dcm",),
        "big-endian": ("MR_small_bigendian.dcm",),
    },
)
def odd(name, folder):
    return AsPydicom(TEST_FILES / name)


@PLACES.each("io68-overlay-in-upper-bits", {"series": (False,), "slice": (True,)})
def overlay(is_single, folder):
    """Twelve bits of pixels with an overlay in bits 12 and 15, and a slope of 2."""
    stored = DATA.astype(np.uint16)
    bits = np.where(DATA % 3 == 0, 0x9000, 0).astype(np.uint16)
    values = {
        "BitsStored": 12,
        "HighBit": 11,
        "RescaleSlope": 2,
        "RescaleIntercept": 0,
        "modality": "MR",
    }
    if not is_single:
        path = slices(folder, stored | bits, sop_class=MRImageStorage, **values)
        return Image(path, 2.0 * DATA, placed())
    path = one(folder, stored[0] | bits[0], sop_class=MRImageStorage, **values)
    return Image(path, 2.0 * DATA[:1], placed())
