"""Files of several frames of rarer kinds: concatenations, tilted frames, stacks, falling slices."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import (
    BreastTomosynthesisImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    EnhancedUSVolumeStorage,
    NuclearMedicineImageStorage,
    RTDoseStorage,
    XRay3DAngiographicImageStorage,
)

from tests.corpus.dicom_files import DATA, POSITION, UPRIGHT, frames, placed
from tests.corpus.dicom_frame_rows import nuclear
from tests.corpus.enhanced_rows import at, enhanced
from tests.corpus.rows import Image, Refused, Rows, matrix

MULTI = Rows()


@MULTI("concatenation")
def concatenation(folder):
    """An image of many frames in two files of one series."""
    for part, z in ((0, (0, 1)), (1, (2, 3))):
        enhanced(
            folder / str(part),
            DATA[list(z)],
            [at(k) for k in z],
            EnhancedCTImageStorage,
            "CT",
            ConcatenationUID="1.2.9",
            InConcatenationNumber=part + 1,
            InstanceNumber=part + 1,
        )
    return Image(folder, DATA, placed(), "HU")


@MULTI("tilted")
def tilted(folder):
    positions = [
        {"PlanePositionSequence": {"ImagePositionPatient": [-20.0, 11.5 + 1.5 * z, 7.0 + 3.0 * z]}}
        for z in range(4)
    ]
    path = enhanced(folder, DATA, positions, EnhancedCTImageStorage, "CT")
    place = matrix([(1.5, 0, 0), (0, 2, 0), (0, 1.5, 3)], POSITION)
    return Image(path, DATA, place, "HU", ("gantry tilt",))


@MULTI("stacks-of-two-orientations")
def two_stacks(folder):
    turned = {"PlaneOrientationSequence": {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}}
    groups = [at(0), at(1), {**at(2), **turned}, {**at(3), **turned}]
    return Refused(enhanced(folder, DATA, groups, EnhancedMRImageStorage), ("2 orientations",))


@MULTI("frame-missing")
def frame_missing(folder):
    path = enhanced(folder, DATA, [at(z) for z in (0, 1, 3, 4)], EnhancedCTImageStorage, "CT")
    return Refused(path, ("1 slice is missing",))


@MULTI("frame-twice")
def frame_twice(folder):
    path = enhanced(folder, DATA, [at(z) for z in (0, 1, 1, 2)], EnhancedCTImageStorage, "CT")
    return Refused(path, ("more than once",))


@MULTI("signed-frames")
def signed(folder):
    path = enhanced(folder, DATA - 60, [at(z) for z in range(4)], EnhancedCTImageStorage, "CT")
    return Image(path, DATA - 60, placed(), "HU")


@MULTI.each(
    "modality",
    {
        "tomosynthesis": (BreastTomosynthesisImageStorage, "MG"),
        "angiography": (XRay3DAngiographicImageStorage, "XA"),
    },
)
def volumes_of_projections(sop_class, modality, folder):
    path = enhanced(folder, DATA, [at(z) for z in range(4)], sop_class, modality)
    return Image(path, DATA, placed())


@MULTI("enhanced-pet")
def enhanced_pet(folder):
    """Its unit stands in a mapping of real world values, which is not the SUV."""
    path = enhanced(folder, DATA, [at(z) for z in range(4)], EnhancedPETImageStorage, "PT")
    return Image(path, DATA, placed(), notes=("No SUV",))


@MULTI("ultrasound-volume")
def ultrasound_volume(folder):
    """Its frames lie in the space of the transducer, not of the patient."""
    groups = [
        {"PlanePositionVolumeSequence": {"ImagePositionVolume": [0.0, 0.0, 3.0 * z]}}
        for z in range(4)
    ]
    path = enhanced(folder, DATA, groups, EnhancedUSVolumeStorage, "US")
    return Image(path, DATA, np.diag([1.5, 2, 3, 1]), notes=("relative to the transducer",))


@MULTI("nm-negative-spacing")
def nm_negative(folder):
    """Negative spacing: the slices follow against the normal."""
    path = nuclear(folder, ["RECON TOMO", "EMISSION"], {"SliceVector": [1, 2, 3, 4]}, DATA)
    from pydicom import dcmread

    header = dcmread(path)
    header.SpacingBetweenSlices = -3.0
    header.save_as(path)
    return Image(path, DATA[::-1], placed(position=POSITION - (0, 0, 9)))


@MULTI("nm-bone-scan-of-two-detectors")
def nm_two_detectors(folder):
    path = nuclear(
        folder,
        ["WHOLE BODY", "EMISSION"],
        {"EnergyWindowVector": [1, 1], "DetectorVector": [1, 2]},
        DATA[:2],
    )
    return Image(path, DATA[:2], placed(), notes=("detectors or energy windows",))


@MULTI("dose-of-absolute-heights")
def dose(folder):
    path = frames(
        folder,
        RTDoseStorage,
        "RTDOSE",
        ImagePositionPatient=POSITION.tolist(),
        ImageOrientationPatient=list(UPRIGHT),
        GridFrameOffsetVector=[7.0 + 2.5 * z for z in range(4)],
        DoseGridScaling=0.25,
        DoseUnits="RELATIVE",
        FrameIncrementPointer=0x3004000C,
    )
    return Image(path, DATA * 0.25, placed(step=2.5))


@MULTI("dose-of-uneven-heights")
def uneven_dose(folder):
    path = frames(
        folder,
        RTDoseStorage,
        "RTDOSE",
        ImagePositionPatient=POSITION.tolist(),
        ImageOrientationPatient=list(UPRIGHT),
        GridFrameOffsetVector=[0.0, 2.5, 6.4, 9.0],
        DoseGridScaling=0.25,
        DoseUnits="GY",
    )
    return Refused(path, ("unevenly spaced",))


@MULTI("nm-without-a-place")
def nm_unplaced(folder):
    path = frames(
        folder,
        NuclearMedicineImageStorage,
        "NM",
        ImageType=["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"],
        DetectorInformationSequence=[Dataset()],
    )
    notes = ("no image position", "detectors or energy windows")
    return Image(path, DATA, np.diag([1.5, 2, 3, 1]), notes=notes)
