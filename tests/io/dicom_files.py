"""DICOM files with known pixels and places."""

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid


def dataset(pixels, sop_class=CTImageStorage, **values):
    """A data set with pixels ``(rows, columns)`` or ``(frames, rows, columns)``."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = sop_class
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid()
    made.PatientName = "Secret^Name"
    made.Modality, made.SeriesDescription, made.SeriesNumber = "CT", "AX", 3
    made.Rows, made.Columns = pixels.shape[-2:]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 16, 15
    made.PixelRepresentation = 1
    made.PixelData = pixels.astype("<i2").tobytes()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def save(made, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)


def write_series(
    folder, data, origin=(5, -7, 30), row=(1, 0, 0), column=(0, 1, 0), step=None, **values
):
    """Slices of ``data`` (z, y, x), 0.7 x 0.9 mm, 2.5 mm apart unless ``step`` says otherwise."""
    normal = np.cross(row, column)
    step = normal * 2.5 if step is None else np.asarray(step)
    uid = generate_uid()
    order = np.random.default_rng(0).permutation(len(data))
    for name, z in enumerate(order):
        position = np.asarray(origin) + z * step
        made = dataset(
            data[z],
            **{
                "SeriesInstanceUID": uid,
                "ImagePositionPatient": [float(f"{v:.9g}") for v in position],
                "ImageOrientationPatient": [float(f"{v:.9g}") for v in (*row, *column)],
                "PixelSpacing": [0.7, 0.9],
                "SliceThickness": 2.5,
                "InstanceNumber": int(z) + 1,
                **values,
            },
        )
        save(made, folder / f"{name:03d}.dcm")
    return uid


def enhanced(path, data, step=2.5, **values):
    """One file with a functional group for each slice."""
    made = dataset(data, EnhancedCTImageStorage, NumberOfFrames=len(data), **values)
    shared, frames = Dataset(), []
    orientation, measures = Dataset(), Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [0.7, 0.9], step
    shared.PlaneOrientationSequence = Sequence([orientation])
    shared.PixelMeasuresSequence = Sequence([measures])
    for z in range(len(data)):
        frame, place, scale = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [5, -7, 30 + step * z]
        scale.RescaleSlope, scale.RescaleIntercept = 1, -10 * z
        frame.PlanePositionSequence = Sequence([place])
        frame.PixelValueTransformationSequence = Sequence([scale])
        frames.append(frame)
    made.SharedFunctionalGroupsSequence = Sequence([shared])
    made.PerFrameFunctionalGroupsSequence = Sequence(frames)
    save(made, path)
