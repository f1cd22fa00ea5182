"""Segmentations of highdicom, structure sets of pydicom, label images of nibabel and SimpleITK."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import highdicom as hd
import nibabel
import numpy as np
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

import napari_medvlm as nmv
from napari_medvlm.io.label_images import read_masks
from tests.corpus.dicom_files import slices
from tests.corpus.rows import Rows, counted

OBJECTS = Rows()
DATA = counted((5, 23, 38))
"""23 x 38 pixels of one bit do not end at a byte."""
SHAPE = DATA.shape
STUDY = {
    "PatientID": "1",
    "PatientName": "",
    "PatientBirthDate": "",
    "PatientSex": "O",
    "StudyID": "1",
    "StudyDate": "20260101",
    "StudyTime": "120000",
    "AccessionNumber": "",
    "ReferringPhysicianName": "",
    "Manufacturer": "maker",
    "StudyInstanceUID": "1.2.7",
    "FrameOfReferenceUID": "1.2.8",
}


def box(z, y, x):
    """The voxels in half-open ranges of the three indices."""
    mask = np.zeros(SHAPE, bool)
    mask[slice(*z), slice(*y), slice(*x)] = True
    return mask


POSITION, MM = np.array([-20.0, 11.5, 7.0]), np.array([1.5, 2.0, 3.0])
BODY, TUMOR = box((0, 5), (2, 20), (3, 30)), box((1, 3), (5, 9), (7, 12))
CROSSING = box((2, 4), (7, 15), (10, 34))


@dataclass(frozen=True, eq=False)
class Objects:
    """What has to be read of a file: a mask for each name, and parts of the notes."""

    path: Path
    masks: dict[str, Any]
    notes: tuple[str, ...] = ()
    folder: Path = field(default=Path())

    def check(self):
        volume = nmv.read_volume(self.folder)
        named = read_masks(self.path, volume.grid)
        assert {named.names[value] for value in named.present} == set(self.masks)
        for value in named.present:
            mask = named.mask_of(value).full()
            np.testing.assert_array_equal(mask, self.masks[named.names[value]])
        assert len(named.notes) == len(self.notes), named.notes
        for part, note in zip(self.notes, named.notes, strict=True):
            assert part in note


def sources(folder, **values):
    """The data sets of a series, in the order of its slices."""
    slices(folder / "series", DATA, **{**STUDY, **values})
    headers = [dcmread(path) for path in (folder / "series").iterdir()]
    return sorted(headers, key=lambda header: header.ImagePositionPatient[2])


def seg(folder, images, array, kind="BINARY", names=("body", "tumor"), **more):
    """A segmentation; `array` is ``(z, y, x)`` labels or ``(z, y, x, segment)``."""
    described = [
        hd.seg.SegmentDescription(n, name, codes.SCT.Tissue, codes.SCT.Tissue, "MANUAL")
        for n, name in enumerate(names, 1)
    ]
    made = hd.seg.Segmentation(
        images,
        array,
        kind,
        described,
        generate_uid(),
        7,
        generate_uid(),
        1,
        "m",
        "m",
        "1",
        "1",
        **more,
    )
    made.save_as(folder / "seg.dcm")
    return folder / "seg.dcm"


@OBJECTS.each(
    "io02-overlap",
    {
        "in-each-other": (TUMOR, ("body, tumor",)),
        "crossing": (CROSSING, ("body, tumor",)),
        "equal": (BODY, ("body, tumor",)),
        "apart": (box((0, 5), (21, 23), (0, 38)), ()),
    },
)
def seg_overlap(second, notes, folder):
    path = seg(folder, sources(folder), np.stack([BODY, second], -1).astype(np.uint8))
    return Objects(path, {"body": BODY, "tumor": second}, notes, folder / "series")


@OBJECTS.each("io57-sparse", {"empty-frames-left-out": (True,), "all-frames": (False,)})
def seg_sparse(omit, folder):
    path = seg(
        folder,
        sources(folder),
        np.stack([BODY, TUMOR], -1).astype(np.uint8),
        omit_empty_frames=omit,
    )
    return Objects(path, {"body": BODY, "tumor": TUMOR}, ("overlap",), folder / "series")


APART = box((0, 1), (5, 9), (7, 12)) | box((3, 5), (5, 9), (7, 12))
"""On the first slice and the last two, none between."""


@OBJECTS.each(
    "io57-gap",
    {
        "frames-left-out": (True, ("seg.dcm are read as empty: tumor 2.",)),
        "empty-frames": (False, ()),
    },
)
def seg_gap(omit, notes, folder):
    array = APART.astype(np.uint8)
    path = seg(folder, sources(folder), array, names=("tumor",), omit_empty_frames=omit)
    return Objects(path, {"tumor": APART}, notes, folder / "series")


@OBJECTS("io12-segmentation-without-a-frame-of-reference")
def seg_without_frame(folder):
    path = seg(folder, sources(folder), TUMOR.astype(np.uint8), names=("tumor",))
    made = dcmread(path)
    del made.FrameOfReferenceUID
    made.save_as(path)
    return Objects(path, {"tumor": TUMOR}, ("states no frame of reference",), folder / "series")


@OBJECTS("io57-one-slice")
def seg_one_slice(folder):
    image = sources(folder)[3]
    array = np.stack([BODY[3:4], CROSSING[3:4]], -1).astype(np.uint8)
    path = seg(folder, [image], array)
    on = box((3, 4), (0, 23), (0, 38))
    return Objects(
        path, {"body": BODY & on, "tumor": CROSSING & on}, ("overlap",), folder / "series"
    )


@OBJECTS("io57-images-in-reverse")
def seg_reverse(folder):
    array = np.stack([BODY, TUMOR], -1).astype(np.uint8)[::-1]
    path = seg(folder, sources(folder)[::-1], array)
    return Objects(path, {"body": BODY, "tumor": TUMOR}, ("overlap",), folder / "series")


@OBJECTS("io57-fractional")
def seg_fractional(folder):
    array = np.stack([BODY * 0.6, np.where(TUMOR, 0.8, 0.3)], -1).astype(np.float32)
    path = seg(folder, sources(folder), array, "FRACTIONAL", fractional_type="PROBABILITY")
    return Objects(
        path, {"body": BODY, "tumor": TUMOR}, ("holds fractions", "overlap"), folder / "series"
    )


@OBJECTS("io57-label-map")
def seg_label_map(folder):
    labels = np.where(TUMOR, 2, BODY).astype(np.uint8)
    path = seg(folder, sources(folder), labels, "LABELMAP")
    return Objects(path, {"body": BODY & ~TUMOR, "tumor": TUMOR}, (), folder / "series")


@OBJECTS("io35-label-map-with-another-background")
def seg_label_map_padding(folder):
    labels = np.where(TUMOR, 2, BODY).astype(np.uint8)
    path = seg(folder, sources(folder), labels, "LABELMAP")
    made = dcmread(path)
    made.PixelPaddingValue = 1
    segment = made.SegmentSequence[0]
    if int(segment.SegmentNumber) == 1:
        segment.SegmentNumber, segment.SegmentLabel = 0, "outside"
    else:
        made.SegmentSequence = [s for s in made.SegmentSequence if int(s.SegmentNumber) != 1]
        made.SegmentSequence[0].SegmentLabel = "outside"
    made.save_as(path)
    return Objects(path, {"outside": ~BODY, "tumor": TUMOR}, ("Segment 0",), folder / "series")


@OBJECTS.each("io18-names", {"japanese": ("肝臓",), "czech": ("Žlučník",), "arabic": ("كبد",)})
def seg_names(name, folder):
    images = sources(folder)
    images[0].SpecificCharacterSet = "ISO_IR 192"
    path = seg(folder, images, TUMOR.astype(np.uint8), names=(name,))
    return Objects(path, {name: TUMOR}, (), folder / "series")


# Label images with names.


def labels_as(folder, name, write):
    sources(folder)
    image = sitk.GetImageFromArray(np.where(TUMOR, 2, BODY).astype(np.uint8))
    image.SetSpacing(MM.tolist())
    image.SetOrigin(POSITION.tolist())
    write(image, folder / name)
    return Objects(folder / name, {"body": BODY & ~TUMOR, "tumor": TUMOR}, (), folder / "series")


TABLES = {
    "json": ("a.json", '{"1": "body", "2": "tumor"}'),
    "nnunet": ("a.json", '{"labels": {"background": 0, "body": 1, "tumor": 2}}'),
    "bids": ("a.tsv", "index\tname\n1\tbody\n2\ttumor\n"),
    "csv": ("a.csv", "value,name\n1,body\n2,tumor\n"),
    "itk-snap": (
        "a.txt",
        '0 0 0 0 0 0 0 "Clear Label"\n1 255 0 0 1 1 1 "body"\n2 0 255 0 1 1 1 "tumor"\n',
    ),
    "freesurfer": ("a.txt", "#No. Label\n1 body 1 2 3 0\n2 tumor 4 5 6 0\n"),
    "semicolons": ("a.csv", "id;name\n1;body\n2;tumor\n"),
    "byte-order-mark": ("a.csv", "\ufeffvalue,name\n1,body\n2,tumor\n"),
}


@OBJECTS.each("io41-table", TABLES)
def table_beside(name, text, folder):
    (folder / name).write_text(text, encoding="utf-8")
    return labels_as(folder, "a.nii.gz", lambda image, path: sitk.WriteImage(image, str(path)))


@OBJECTS("io41-slicer")
def slicer(folder):
    def write(image, path):
        for number, segment in enumerate(("body", "tumor")):
            image.SetMetaData(f"Segment{number}_Name", segment)
            image.SetMetaData(f"Segment{number}_LabelValue", str(number + 1))
        sitk.WriteImage(image, str(path))

    return labels_as(folder, "a.seg.nrrd", write)


@OBJECTS("io41-total-segmentator")
def total_segmentator(folder):
    def write(image, path):
        sitk.WriteImage(image, str(path))
        loaded = nibabel.load(path, mmap=False)  # the file is written again
        xml = '<CaretExtension><VolumeInformation Index="0"><LabelTable><Label Key="1">body</Label>'
        xml += '<Label Key="2">tumor</Label></LabelTable></VolumeInformation></CaretExtension>'
        loaded.header.extensions.append(nibabel.nifti1.Nifti1Extension(0, xml.encode()))
        nibabel.save(
            nibabel.Nifti1Image(np.asarray(loaded.dataobj), loaded.affine, loaded.header), path
        )

    return labels_as(folder, "a.nii", write)
