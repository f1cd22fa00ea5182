"""DICOM files of several frames without functional groups, and texts in many scripts."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import (
    NuclearMedicineImageStorage,
    RTDoseStorage,
    UltrasoundMultiFrameImageStorage,
    XRayAngiographicImageStorage,
)

from tests.corpus.dicom_files import (
    DATA,
    POSITION,
    UPRIGHT,
    frames,
    one,
    placed,
)
from tests.corpus.rows import Image, Rows

FRAMES = Rows()
IN_TIME = "follow each other in time"


@FRAMES("io33-xa-cine")
def xa_cine(folder):
    path = frames(
        folder,
        XRayAngiographicImageStorage,
        "XA",
        PixelSpacing=None,
        FrameTime=66.7,
        ImagerPixelSpacing=[0.2, 0.1],
        FrameIncrementPointer=0x00181063,
    )
    notes = ("at the detector", "no image position", IN_TIME)
    return Image(path, DATA, np.diag([0.1, 0.2, 3, 1]), notes=notes)


@FRAMES("io33-us-cine")
def us_cine(folder):
    path = frames(
        folder,
        UltrasoundMultiFrameImageStorage,
        "US",
        FrameTime=40,
        FrameIncrementPointer=0x00181063,
    )
    return Image(path, DATA, np.diag([1.5, 2, 3, 1]), notes=("no image position", IN_TIME))


def nuclear(folder, kind, vectors, pixels):
    detector = Dataset()
    detector.ImagePositionPatient, detector.ImageOrientationPatient = (
        POSITION.tolist(),
        list(UPRIGHT),
    )
    tags = {
        "SliceVector": 0x00540080,
        "TimeSlotVector": 0x00540070,
        "AngularViewVector": 0x00540090,
        "PhaseVector": 0x00540030,
        "DetectorVector": 0x00540020,
        "EnergyWindowVector": 0x00540010,
        "TimeSliceVector": 0x00540100,
        "RotationVector": 0x00540050,
        "RRIntervalVector": 0x00540060,
    }
    return frames(
        folder,
        NuclearMedicineImageStorage,
        "NM",
        pixels,
        ImageType=["ORIGINAL", "PRIMARY", *kind],
        DetectorInformationSequence=[detector],
        SpacingBetweenSlices=3.0,
        FrameIncrementPointer=[tags[name] for name in vectors],
        **vectors,
    )


@FRAMES.each("io05-nm-gated", {"0": (0,), "1": (1,)})
def nm_gated(index, folder):
    pixels = np.concatenate([DATA, DATA + 100])
    vectors = {"TimeSlotVector": [1] * 4 + [2] * 4, "SliceVector": [1, 2, 3, 4] * 2}
    path = nuclear(folder, ["RECON GATED TOMO", "EMISSION"], vectors, pixels)
    return Image(path, DATA + 100 * index, placed(), options={"frame": index})


@FRAMES("io05-nm-slices-falling")
def nm_falling(folder):
    path = nuclear(folder, ["RECON TOMO", "EMISSION"], {"SliceVector": [4, 3, 2, 1]}, DATA)
    place = placed(position=POSITION - (0, 0, 9))
    return Image(path, DATA[::-1], place)


@FRAMES.each(
    "io05-nm",
    {
        "projections": ("AngularViewVector", ["TOMO", "EMISSION"], "projections"),
        "dynamic": ("TimeSliceVector", ["DYNAMIC", "EMISSION"], IN_TIME),
        "phases": ("PhaseVector", ["DYNAMIC", "EMISSION"], IN_TIME),
        "detectors": ("DetectorVector", ["STATIC", "EMISSION"], "detectors or energy windows"),
        "windows": (
            "EnergyWindowVector",
            ["WHOLE BODY", "EMISSION"],
            "detectors or energy windows",
        ),
    },
)
def nm_frames(vector, kind, note, folder):
    path = nuclear(folder, kind, {vector: [1, 2, 3, 4]}, DATA)
    return Image(path, DATA, placed(), notes=(note,))


@FRAMES.each("io58-dose", {"rising": (1,), "falling": (-1,)})
def dose(sign, folder):
    path = frames(
        folder,
        RTDoseStorage,
        "RTDOSE",
        ImagePositionPatient=POSITION.tolist(),
        DoseUnits="GY",
        ImageOrientationPatient=list(UPRIGHT),
        GridFrameOffsetVector=[sign * 2.5 * z for z in range(4)],
        DoseGridScaling=0.5,
        FrameIncrementPointer=0x3004000C,
    )
    first = POSITION if sign > 0 else POSITION - (0, 0, 7.5)
    return Image(path, DATA[::sign] * 0.5, placed(step=2.5, position=first), "Gy")


@FRAMES.each(
    "io69-names",
    {
        "japan": ("\\ISO 2022 IR 87", "肝臓"),
        "china": ("GB18030", "肝脏"),
        "russia": ("ISO_IR 144", "Печень"),
        "korea": ("\\ISO 2022 IR 149", "간"),
        "utf-8": ("ISO_IR 192", "Žlučník 肝臓"),
        "greek": ("ISO_IR 126", "ήπαρ"),
        "arabic": ("ISO_IR 127", "كبد"),
        "hebrew": ("ISO_IR 138", "כבד"),
        "thai": ("ISO_IR 166", "ตับ"),
        "latin-2": ("ISO_IR 101", "Žlučník"),
        "latin-5": ("ISO_IR 148", "karaciğer"),
        "gbk": ("GBK", "肝脏"),
    },
)
def names_of_series(charset, name, folder):
    path = one(folder, SpecificCharacterSet=charset.split("\\"), SeriesDescription=name)
    return Named(path, name)


@FRAMES("io69-names-china-2022")
def names_with_escapes(folder):
    """The escape sequence before the Chinese set, which pydicom reads and does not write."""
    path = one(folder, SpecificCharacterSet=["", "ISO 2022 IR 58"], SeriesDescription="x" * 8)
    encoded = b"\x1b$)A" + "肝脏".encode("gb2312")
    path.write_bytes(path.read_bytes().replace(b"x" * 8, encoded))
    return Named(path, "肝脏")


class Named:
    """A file whose series has a name in some character set."""

    def __init__(self, path, name):
        self.path, self.name = path, name

    def check(self):
        import napari_medvlm as nmv

        assert nmv.read_volume(self.path).name == self.name
