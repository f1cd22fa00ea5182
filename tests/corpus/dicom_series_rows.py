"""Series of DICOM slices: positions, gaps, names, several volumes at one position."""

import numpy as np
from pydicom.uid import (
    MRImageStorage,
)

from tests.corpus.dicom_files import (
    DATA,
    POSITION,
    UPRIGHT,
    image,
    placed,
    saved,
    slices,
)
from tests.corpus.rows import Image, Refused, Rows, matrix

SERIES = Rows()
ROW, COLUMN = (0.8, 0.6, 0.0), (-0.48, 0.64, 0.6)


@SERIES.each(
    "io47-orientation",
    {
        "axial": (UPRIGHT,),
        "coronal": ((1, 0, 0, 0, 0, -1),),
        "sagittal": ((0, 1, 0, 0, 0, -1),),
        "oblique": ((*ROW, *COLUMN),),
        "feet-first": ((-1, 0, 0, 0, 1, 0),),
        "prone": ((-1, 0, 0, 0, -1, 0),),
        "upside-down": ((1, 0, 0, 0, -1, 0),),
        "turned": ((0, 1, 0, -1, 0, 0),),
    },
)
def orientation_of_series(orientation, folder):
    return Image(slices(folder, orientation=orientation), DATA, placed(orientation), "HU")


@SERIES("io47-tilt")
def tilt(folder):
    def shifted(z):
        return {"ImagePositionPatient": [-20.0, 11.5 + 1.5 * z, 7.0 + 3 * z]}

    place = matrix([(1.5, 0, 0), (0, 2, 0), (0, 1.5, 3)], POSITION)
    return Image(slices(folder, of_slice=shifted), DATA, place, "HU", ("gantry tilt of 26.6",))


@SERIES("io65-positions-rounded")
def rounded(folder):
    orientation = (*ROW, *COLUMN)
    normal = np.cross(ROW, COLUMN)

    def position(z):
        return {"ImagePositionPatient": np.round(POSITION + 6.4956 * z * normal, 2).tolist()}

    made = slices(folder, orientation=orientation, of_slice=position)
    last = np.round(POSITION + 6.4956 * 3 * normal, 2)
    place = placed(orientation)
    place[:3, 2] = (last - POSITION) / 3
    return Image(made, DATA, place, "HU")


@SERIES("io66-slice-missing")
def slice_missing(folder):
    made = slices(folder, of_slice=lambda z: {"ImagePositionPatient": [0, 0, 1.6 * (z + (z > 1))]})
    return Refused(made, ("1 slice is missing between 1.6 and 4.8 mm", "gaps='fill'"))


@SERIES("io66-slice-missing-filled")
def slice_filled(folder):
    made = slices(
        folder,
        DATA * 2,
        of_slice=lambda z: {"ImagePositionPatient": [0, 0, 1.6 * (z + (z > 1))]},
    )
    between = (DATA[1:2] + DATA[2:3]).astype(float)
    values = np.concatenate([DATA[:2] * 2, between, DATA[2:] * 2])
    return Image(
        made,
        values,
        placed(step=1.6, position=(0, 0, 0)),
        "HU",
        ("1 slice was missing",),
        {"gaps": "fill"},
    )


@SERIES("io30-uneven")
def uneven(folder):
    made = slices(folder, of_slice=lambda z: {"ImagePositionPatient": [0, 0, (0, 3, 7.4, 10)[z]]})
    return Refused(made, ("unevenly spaced, from 2.60 to 4.40 mm", "--gaps"))


@SERIES("io32-slice-twice")
def slice_twice(folder):
    slices(folder)
    copy = image(
        DATA[1],
        ImagePositionPatient=[-20, 11.5, 10],
        ImageOrientationPatient=list(UPRIGHT),
        InstanceNumber=9,
    )
    saved(copy, folder / "copy.dcm")
    return Refused(folder, ("copy.dcm", "10.0 mm"))


@SERIES("io32-file-twice")
def file_twice(folder):
    slices(folder)
    (folder / "copy").write_bytes((folder / "07.dcm").read_bytes())
    return Image(folder, DATA, placed(), "HU")


@SERIES("io34-one-position")
def one_position(folder):
    made = slices(
        folder, of_slice=lambda z: {"ImagePositionPatient": [1, 2, 3], "SliceLocation": 3.0 * z}
    )
    return Refused(made, ("same ImagePositionPatient", "from 0.0 to 9.0 mm"))


@SERIES.each(
    "io36-name",
    {
        "no-ending": ("I10",),
        "img": ("a.img",),
        "tif": ("a.tif",),
        "number": ("a.1234",),
        "nii": ("a.nii",),
    },
)
def name_of_file(name, folder):
    made = image(
        DATA[0], ImagePositionPatient=POSITION.tolist(), ImageOrientationPatient=list(UPRIGHT)
    )
    return Image(saved(made, folder / name), DATA[:1], placed(), "HU")


@SERIES("io37-cd-with-a-viewer")
def cd_with_a_viewer(folder):
    for number in range(60):
        (folder / f"{number:02d}.dll").write_bytes(b"MZ" * 200)
    slices(folder / "DICOM" / "PAT1")
    return Image(folder, DATA, placed(), "HU")


@SERIES("io45-directions-off")
def directions_off(folder):
    made = slices(
        folder, of_slice=lambda z: {"ImageOrientationPatient": [1, 0.0005 * (z == 2), 0, 0, 1, 0]}
    )
    return Image(made, DATA, placed(), "HU")


def volumes(folder, name, values, shared=None, **fixed):
    """Two volumes at one place that differ in an element."""
    for index, value in enumerate(values):
        slices(
            folder / str(index),
            DATA + 100 * index,
            of_slice=lambda z, i=index, v=value: {
                "InstanceNumber": z + 1 + len(DATA) * i,
                name: v(z) if callable(v) else v,
                **(shared or {}),
            },
            sop_class=MRImageStorage,
            modality="MR",
            **fixed,
        )
    return folder


TELLING = {
    "EchoTime": (4.6, 9.2),
    "TemporalPositionIdentifier": (1, 2),
    "DiffusionBValue": (0.0, 1000.0),
    "TriggerTime": (0.0, 50.0),
    "AcquisitionNumber": (1, 2),
    "AcquisitionTime": ("101010.5", "101020.5"),
    "ImageType": (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"]),
}

BEYOND = {
    "InversionTime": (400.0, 2500.0),
    "FlipAngle": (5.0, 20.0),
    "EchoNumbers": (1, 2),
    "ContentTime": ("101010", "101020"),
    "DiffusionGradientOrientation": ([1.0, 0, 0], [0, 1.0, 0]),
    "ConvolutionKernel": ("B30f", "B60f"),
    "RepetitionTime": (500.0, 2000.0),
    "KVP": (80.0, 140.0),
    "NominalPercentageOfCardiacPhase": (30.0, 70.0),
}


@SERIES.each(
    "io28-volumes",
    {
        f"{name}-{i}": (name, values, i)
        for name, values in {**TELLING, **BEYOND}.items()
        for i in (0, 1)
    },
)
def volumes_by(keyword, values, index, folder):
    made = volumes(folder, keyword, values)
    return Image(made, DATA + 100 * index, placed(), options={"frame": index})


@SERIES.each("io28-named", {k: (k, v) for k, v in {**TELLING, **BEYOND}.items()})
def volumes_named(keyword, values, folder):
    """The message names what varies, not the number of the file."""
    return Refused(
        volumes(folder, keyword, values), (f"2 volumes of 4 slices differ in {keyword}", "frame=1")
    )


@SERIES("io28-echoes-microns-apart")
def echoes_apart(folder):
    for index in (0, 1):
        slices(
            folder / str(index),
            DATA + 100 * index,
            sop_class=MRImageStorage,
            modality="MR",
            of_slice=lambda z, i=index: {
                "EchoTime": 4.6 * (i + 1),
                "ImagePositionPatient": [-20, 11.5, 7 + 3 * z + 0.002 * i],
            },
        )
    return Image(
        folder, DATA + 100, placed(position=POSITION + (0, 0, 0.002)), options={"frame": 1}
    )


@SERIES("io67-trigger-times-of-slices")
def trigger_times(folder):
    made = volumes(folder, "TriggerTime", (lambda z: 10.0 + z, lambda z: 60.0 + 2 * z))
    return Image(made, DATA + 100, placed(), options={"frame": 1})
