"""Structure sets of pydicom, which join the rows of `object_rows`."""

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from tests.corpus.object_rows import (
    APART,
    BODY,
    CROSSING,
    MM,
    OBJECTS,
    POSITION,
    STUDY,
    TUMOR,
    Objects,
    box,
    sources,
)


def square(z, y, x, aside_mm=0.0):
    """The corners of a contour around the centres of half-open ranges of rows and columns."""
    (top, bottom), (left, right) = np.array(y) - 0.25, np.array(x) - 0.25
    corners = [
        (left, top, z),
        (right - 0.5, top, z),
        (right - 0.5, bottom - 0.5, z),
        (left, bottom - 0.5, z),
    ]
    lps = POSITION + np.array(corners) * MM + (0, 0, aside_mm)
    return [float(f"{value:.6f}") for value in lps.ravel()]


def structures(folder, rois, kind="CLOSED_PLANAR"):
    """A structure set of contours, by name; kinds other than one may come as pairs."""
    images = sources(folder)
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = RTStructureSetStorage, generate_uid()
    made.Modality, made.SeriesInstanceUID, made.SpecificCharacterSet = (
        "RTSTRUCT",
        "1.9",
        "ISO_IR 192",
    )
    for keyword, value in STUDY.items():
        setattr(made, keyword, value)
    made.StructureSetROISequence, made.ROIContourSequence, made.RTROIObservationsSequence = (
        [],
        [],
        [],
    )
    for number, (name, contours) in enumerate(rois.items(), 1):
        roi, drawn, observed = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, "1.2.8"
        drawn.ReferencedROINumber = observed.ReferencedROINumber = observed.ObservationNumber = (
            number
        )
        observed.RTROIInterpretedType = observed.ROIInterpreter = ""
        drawn.ContourSequence = [contour(data, kind) for data in contours]
        made.StructureSetROISequence.append(roi)
        made.ROIContourSequence.append(drawn)
        made.RTROIObservationsSequence.append(observed)
    assert images[0].FrameOfReferenceUID == "1.2.8"
    made.save_as(folder / "rtss.dcm", enforce_file_format=True)
    return folder / "rtss.dcm"


def contour(data, kind):
    made = Dataset()
    made.ContourGeometricType, made.NumberOfContourPoints = kind, len(data) // 3
    made.ContourData = data
    return made


def squares(z, y, x, **more):
    return [square(index, y, x, **more) for index in range(*z)]


@OBJECTS("io01-regions-in-each-other")
def nested(folder):
    path = structures(
        folder,
        {
            "BODY": squares((0, 5), (2, 20), (3, 30)),
            "PTV": squares((2, 4), (7, 15), (10, 34)),
            "GTV": squares((1, 3), (5, 9), (7, 12)),
        },
    )
    return Objects(
        path, {"BODY": BODY, "PTV": CROSSING, "GTV": TUMOR}, ("overlap",), folder / "series"
    )


@OBJECTS("io31-contour-twice")
def contour_twice(folder):
    path = structures(folder, {"GTV": 2 * squares((1, 3), (5, 9), (7, 12))})
    return Objects(path, {"GTV": TUMOR}, ("counted once",), folder / "series")


@OBJECTS("io31-pieces-that-overlap")
def pieces(folder):
    path = structures(folder, {"GTV": [square(1, (5, 10), (5, 10)), square(1, (5, 10), (8, 13))]})
    return Objects(path, {"GTV": box((1, 2), (5, 10), (5, 13))}, (), folder / "series")


@OBJECTS("io31-pieces-of-the-xor-kind")
def pieces_xor(folder):
    path = structures(
        folder,
        {"GTV": [square(1, (5, 10), (5, 10)), square(1, (5, 10), (8, 13))]},
        "CLOSEDPLANAR_XOR",
    )
    mask = box((1, 2), (5, 10), (5, 13)) & ~box((1, 2), (5, 10), (8, 10))
    return Objects(path, {"GTV": mask}, (), folder / "series")


@OBJECTS("io57-slices-without-a-contour")
def contour_gap(folder):
    drawn = [*squares((0, 1), (5, 9), (7, 12)), *squares((3, 5), (5, 9), (7, 12))]
    path = structures(folder, {"GTV": drawn, "PTV": squares((1, 3), (5, 9), (20, 25))})
    masks = {"GTV": APART, "PTV": box((1, 3), (5, 9), (20, 25))}
    return Objects(path, masks, ("rtss.dcm are read as empty: GTV 2.",), folder / "series")


@OBJECTS("io12-structures-without-a-frame-of-reference")
def structures_without_frame(folder):
    path = structures(folder, {"GTV": squares((1, 3), (5, 9), (7, 12))})
    made = dcmread(path)
    del made.FrameOfReferenceUID, made.StructureSetROISequence[0].ReferencedFrameOfReferenceUID
    made.save_as(path)
    return Objects(path, {"GTV": TUMOR}, ("states no frame of reference",), folder / "series")


@OBJECTS("io70-between-slices")
def between_slices(folder):
    path = structures(folder, {"GTV": squares((1, 3), (5, 9), (7, 12), aside_mm=1.0)})
    return Objects(path, {"GTV": TUMOR}, ("assigned to the nearest",), folder / "series")


@OBJECTS("io70-not-in-a-plane")
def tilted(folder):
    path = structures(folder, {"GTV": squares((1, 3), (5, 9), (7, 12))})
    made = dcmread(path)
    data = square(3, (5, 9), (7, 12))
    data[2] = float(data[2]) + 4.5
    made.ROIContourSequence[0].ContourSequence.append(contour(data, "CLOSED_PLANAR"))
    made.save_as(path)
    return Objects(path, {"GTV": TUMOR}, ("not in a plane",), folder / "series")


@OBJECTS("io31-hole")
def hole(folder):
    path = structures(folder, {"wall": [square(2, (4, 14), (4, 14)), square(2, (7, 10), (6, 11))]})
    mask = box((2, 3), (4, 14), (4, 14)) & ~box((2, 3), (7, 10), (6, 11))
    return Objects(path, {"wall": mask}, ("read as a hole",), folder / "series")


@OBJECTS("io70-beside-the-slice")
def beside_slice(folder):
    path = structures(folder, {"GTV": squares((1, 3), (5, 9), (7, 12), aside_mm=0.134)})
    return Objects(path, {"GTV": TUMOR}, (), folder / "series")


@OBJECTS("io70-first-point-repeated")
def first_point_repeated(folder):
    path = structures(folder, {"GTV": [s + s[:3] for s in squares((1, 3), (5, 9), (7, 12))]})
    return Objects(path, {"GTV": TUMOR}, (), folder / "series")


@OBJECTS("io01-names-in-any-script")
def roi_names(folder):
    path = structures(folder, {"肝臓": squares((1, 3), (5, 9), (7, 12))})
    return Objects(path, {"肝臓": TUMOR}, (), folder / "series")


@OBJECTS("points-and-open-contours")
def points(folder):
    path = structures(folder, {"GTV": squares((1, 3), (5, 9), (7, 12))})
    made = dcmread(path)
    made.ROIContourSequence[0].ContourSequence.append(contour([0.0, 20.0, 10.0], "POINT"))
    made.save_as(path)
    return Objects(path, {"GTV": TUMOR}, ("a single point",), folder / "series")
