"""DICOM files with functional groups, mosaics and maps of numbers, by pydicom and highdicom."""

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import (
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    MRImageStorage,
    generate_uid,
)

from tests.corpus.dicom_files import DATA, POSITION, UPRIGHT, image, placed, saved
from tests.corpus.object_rows import sources
from tests.corpus.rows import Image, Refused, Rows

ENHANCED = Rows()


def group(**sequences):
    """A functional group: a sequence of one item with some values for each keyword."""
    made = Dataset()
    for keyword, values in sequences.items():
        inner = Dataset()
        for name, value in values.items():
            setattr(inner, name, value)
        setattr(made, keyword, [inner])
    return made


def at(z):
    return {"PlanePositionSequence": {"ImagePositionPatient": (POSITION + (0, 0, 3 * z)).tolist()}}


def enhanced(folder, pixels, frames, sop_class=EnhancedMRImageStorage, modality="MR", **values):
    """A file of frames, each with groups of its own; orientation and size of pixels are shared."""
    shared = group(
        PlaneOrientationSequence={"ImageOrientationPatient": list(UPRIGHT)},
        PixelMeasuresSequence={"PixelSpacing": [2.0, 1.5], "SliceThickness": 3.0},
    )
    made = image(
        pixels,
        sop_class,
        modality,
        PixelSpacing=None,
        SliceThickness=None,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=[group(**frame) for frame in frames],
        **values,
    )
    return saved(made, folder / "a.dcm")


@ENHANCED.each(
    "io56-order", {"rising": ([0, 1, 2, 3],), "falling": ([3, 2, 1, 0],), "mixed": ([2, 0, 3, 1],)}
)
def order_of_frames(order, folder):
    path = enhanced(folder, DATA[order], [at(z) for z in order], EnhancedCTImageStorage, "CT")
    return Image(path, DATA, placed(), "HU")


@ENHANCED("io56-rescale-of-each-frame")
def rescale_of_frames(folder):
    frames = [
        {
            **at(z),
            "PixelValueTransformationSequence": {
                "RescaleSlope": 1 + z,
                "RescaleIntercept": -z,
                "RescaleType": "HU",
            },
        }
        for z in range(4)
    ]
    path = enhanced(folder, DATA, frames, EnhancedCTImageStorage, "CT")
    factor = np.arange(4)[:, None, None]
    return Image(path, DATA * (1.0 + factor) - factor, placed(), "HU")


REAL_WORLD = {
    "activity": ("Bq/ml", 2.5, "Bq/ml", ("in Bq/ml",)),
    "uptake": ("g/ml{SUVbw}", 2.5, "g/ml{SUVbw}", ()),
    "lean-body-mass": ("g/ml{SUVlbm}", 2.5, "g/ml{SUVlbm}", ("SUVlbm",)),
    "another-slope": ("Bq/ml", 3.5, "", ("stored values",)),
}


@ENHANCED.each("io07-enhanced-pet", REAL_WORLD)
def enhanced_pet(code, real_slope, unit, notes, folder):
    """Enhanced PET has no Units: a Real World Value Mapping states what the intensities are."""
    units = Dataset()
    units.CodeValue, units.CodingSchemeDesignator, units.CodeMeaning = code, "UCUM", code
    frames = [
        {
            **at(z),
            "PixelValueTransformationSequence": {
                "RescaleSlope": 2.5,
                "RescaleIntercept": 0.0,
                "RescaleType": "US",
            },
            "RealWorldValueMappingSequence": {
                "RealWorldValueSlope": real_slope,
                "RealWorldValueIntercept": 0.0,
                "MeasurementUnitsCodeSequence": [units],
            },
        }
        for z in range(4)
    ]
    path = enhanced(folder, DATA, frames, EnhancedPETImageStorage, "PT")
    return Image(path, DATA * 2.5, placed(), unit, notes)


TELLING = {
    "EchoTime": ("MREchoSequence", "EffectiveEchoTime", (4.6, 9.2)),
    "DiffusionBValue": ("MRDiffusionSequence", "DiffusionBValue", (0.0, 1000.0)),
    "ImageType": (
        "MRImageFrameTypeSequence",
        "FrameType",
        (["O", "P", "T1", "M"], ["O", "P", "T1", "P"]),
    ),
    "TriggerTime": (
        "CardiacSynchronizationSequence",
        "NominalCardiacTriggerDelayTime",
        (0.0, 40.0),
    ),
    "TemporalPositionIdentifier": ("FrameContentSequence", "TemporalPositionIndex", (1, 2)),
    "FlipAngle": ("MRTimingAndRelatedParametersSequence", "FlipAngle", (5.0, 20.0)),
    "RepetitionTime": ("MRTimingAndRelatedParametersSequence", "RepetitionTime", (500.0, 2000.0)),
    "KVP": ("CTXRayDetailsSequence", "KVP", (80.0, 140.0)),
    "ConvolutionKernel": ("CTReconstructionSequence", "ConvolutionKernel", ("B30", "B60")),
}


def two_volumes(folder, sequence, keyword, values):
    """Frame by frame in turns: the first volume's, the second's."""
    pixels = np.stack([DATA, DATA + 100], 1).reshape(-1, *DATA.shape[1:])
    frames = [{**at(z), sequence: {keyword: value}} for z in range(4) for value in values]
    return enhanced(folder, pixels, frames)


@ENHANCED.each("io50-volumes", {f"{k}-{i}": (*v, i) for k, v in TELLING.items() for i in (0, 1)})
def volumes_of_frames(sequence, keyword, values, index, folder):
    path = two_volumes(folder, sequence, keyword, values)
    return Image(path, DATA + 100 * index, placed(), options={"frame": index})


@ENHANCED.each("io50-named", {name: (name, *values) for name, values in TELLING.items()})
def volumes_named(name, sequence, keyword, values, folder):
    return Refused(
        two_volumes(folder, sequence, keyword, values), (f"2 volumes of 4 slices differ in {name}",)
    )


@ENHANCED("io50-dimensions-of-its-own")
def dimensions(folder):
    defined = [Dataset(), Dataset()]
    for dimension, label in zip(defined, ("Slice", "Label and control"), strict=True):
        dimension.DimensionDescriptionLabel = label
    pixels = np.stack([DATA, DATA + 100], 1).reshape(-1, *DATA.shape[1:])
    frames = [
        {**at(z), "FrameContentSequence": {"DimensionIndexValues": [z + 1, label]}}
        for z in range(4)
        for label in (1, 2)
    ]
    path = enhanced(folder, pixels, frames, DimensionIndexSequence=defined)
    return Image(path, DATA + 100, placed(), options={"frame": 1})


@ENHANCED("io50-fewer-frames-described")
def frames_not_described(folder):
    return Refused(
        enhanced(folder, DATA, [at(z) for z in range(3)]), ("promises 4 frames and describes 3",)
    )


@ENHANCED.each("io55-map", {"float32": (np.float32,), "float64": (np.float64,)})
def parametric_map(dtype, folder):
    """A map of highdicom, on the first two slices of a series."""
    images = sources(folder)[:2]
    values = (np.arange(2 * 23 * 38).reshape(2, 23, 38) / 8).astype(dtype)
    mapping = hd.pm.RealWorldValueMapping(
        "a", "b", codes.UCUM.NoUnits, [0.0, 1e4], slope=1, intercept=0
    )
    made = hd.pm.ParametricMap(
        images,
        values,
        generate_uid(),
        1,
        generate_uid(),
        1,
        "m",
        "m",
        "1",
        "1",
        False,
        [mapping],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=5.0, window_width=10.0)],
    )
    made.save_as(folder / "map.dcm")
    return Image(folder / "map.dcm", values, placed())


def mosaic(folder, **values):
    """Four tiles of 5 x 6 pixels, two a row, and one of them without a slice."""
    tiles = np.concatenate(
        [np.concatenate([DATA[0], DATA[1]], 1), np.concatenate([DATA[2], 0 * DATA[3]], 1)]
    )
    return image(
        tiles,
        MRImageStorage,
        "MR",
        ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"],
        ImageOrientationPatient=list(UPRIGHT),
        ImagePositionPatient=(POSITION - (4.5, 5, 0)).tolist(),
        **values,
    )


@ENHANCED("io04-mosaic")
def mosaic_with_a_count(folder):
    """The header's position is that of a slice as large as the picture, half a slice out."""
    made = mosaic(folder)
    block = made.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0A, "US", 3)
    return Image(saved(made, folder / "a.dcm"), DATA[:3], placed(), notes=("is assumed",))


@ENHANCED("io04-mosaic-without-a-count")
def mosaic_without_a_count(folder):
    return Refused(saved(mosaic(folder), folder / "a.dcm"), ("Siemens mosaic", "dcm2niix"))
