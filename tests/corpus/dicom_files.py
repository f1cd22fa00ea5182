"""DICOM images that pydicom writes, with known pixels and positions."""

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    generate_uid,
)

from tests.corpus.rows import counted, matrix

DATA = counted((4, 5, 6))
"""``(z, y, x)``."""

POSITION = np.array([-20.0, 11.5, 7.0])
UPRIGHT = (1, 0, 0, 0, 1, 0)


def image(pixels, sop_class=CTImageStorage, modality="CT", **values):
    """A data set with pixels of 16 bits, ``(y, x)`` or ``(frames, y, x)``."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = sop_class, generate_uid()
    made.Modality, made.SeriesNumber, made.SeriesInstanceUID = modality, 3, "1.2.3"
    made.Rows, made.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        made.NumberOfFrames = len(pixels)
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 16, 15
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    made.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    made.PixelSpacing, made.SliceThickness = [2.0, 1.5], 3.0
    for keyword, value in values.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    return made


def saved(made, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)
    return path


def placed(orientation=UPRIGHT, mm=(2.0, 1.5), step=3.0, position=POSITION):
    """4 x 4 from ``(x, y, z)`` to LPS millimetres of slices along their normal."""
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    return matrix([row * mm[1], column * mm[0], np.cross(row, column) * step], position)


def slices(folder, data=DATA, orientation=UPRIGHT, step=3.0, of_slice=lambda z: {}, **values):
    """A file for each slice, along the normal; the names are in another order."""
    normal = np.cross(orientation[:3], orientation[3:])
    for z, pixels in enumerate(data):
        at = POSITION + z * step * normal
        of_it = {
            "ImagePositionPatient": [round(float(mm), 9) for mm in at],
            "ImageOrientationPatient": list(orientation),
            "InstanceNumber": z + 1,
        }
        saved(
            image(pixels, **{**of_it, **values, **of_slice(z)}), folder / f"{(7 * z) % 31:02d}.dcm"
        )
    return folder


def one(folder, pixels=DATA[0], **values):
    made = image(
        pixels,
        **{
            "ImagePositionPatient": POSITION.tolist(),
            "ImageOrientationPatient": list(UPRIGHT),
            **values,
        },
    )
    return saved(made, folder / "a.dcm")


def frames(folder, sop_class, modality, pixels=DATA, **values):
    return saved(image(pixels, sop_class, modality, **values), folder / "a.dcm")
