"""NIfTI, Analyze and MGH files that nibabel writes, or whose header is set byte by byte."""

import gzip
import struct

import nibabel
import numpy as np

from tests.corpus.rows import RAS, Image, Refused, Rows, counted, matrix

NIFTI = Rows()
SHAPE = (5, 4, 3)
OBLIQUE = matrix([(1.2, 0.9, 0.0), (-0.96, 1.28, 1.2), (1.08, -1.44, 2.4)], (-20, 11.5, 7))
NO_SIDES = "sides are unknown"


def written(folder, name="image.nii.gz", affine=OBLIQUE, kind=nibabel.Nifti1Image, **header):
    """A file of `SHAPE` with its header's fields set, and its values ``(x, y, z)``."""
    data = counted(SHAPE)
    image = kind(data, affine)
    for field, value in header.items():
        image.header[field] = value
    nibabel.save(image, folder / name)
    return folder / name, data


def patched(path, offset, form, *values):
    """The file with a field of its header overwritten, whatever the library would write."""
    content = bytearray(
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    )
    struct.pack_into(form, content, offset, *values)
    path.write_bytes(gzip.compress(bytes(content)) if path.suffix == ".gz" else bytes(content))


def without_codes(folder):
    path, data = written(folder, "a.nii")
    patched(path, 252, "<hh", 0, 0)
    return path, data


def by_nibabel(path, notes=(), **options):
    """What nibabel reads of a file."""
    image = nibabel.load(path)
    values = np.asarray(image.dataobj)
    if "frame" in options:
        values = values[..., options["frame"]]
    return Image(path, values.T, RAS @ image.affine, notes=notes, options=options)


@NIFTI.each(
    "io03-unit",
    {
        "metres": (1, 1000.0, ("in meters",)),
        "mm": (2, 1.0, ()),
        "microns": (3, 0.001, ("in microns",)),
        "none": (0, 1.0, ()),
        "metres-seconds": (1 | 8, 1000.0, ("in meters",)),
        "mm-milliseconds": (2 | 16, 1.0, ()),
        "microns-hz": (3 | 32, 0.001, ("in microns",)),
        "mm-microseconds": (2 | 24, 1.0, ()),
        "unknown-code": (4, 1.0, ()),
    },
)
def unit_of_space(code, factor, notes, folder):
    path, data = written(folder, affine=np.diag([1, 1, 2, 1.0]) / factor, xyzt_units=code)
    return Image(path, data.T, RAS @ np.diag([1, 1, 2, 1.0]), notes=notes)


@NIFTI("io10-sform-of-another-size")
def sform_of_another_size(folder):
    image = nibabel.Nifti1Image(counted(SHAPE), None)
    image.set_qform(np.diag([0.5078, 0.5078, 0.5078, 1]), 1)
    nibabel.save(image, path := folder / "a.nii")
    patched(path, 254, "<h", 1)
    for row in range(3):
        patched(path, 280 + 16 * row + 4 * row, "<f", 1.0)
    return Image(path, counted(SHAPE).T, RAS @ np.diag([0.5078] * 3 + [1]), notes=("0.5078",))


@NIFTI("io10-sform-shifted")
def sform_shifted(folder):
    image = nibabel.Nifti1Image(counted(SHAPE), OBLIQUE)
    moved = OBLIQUE.copy()
    moved[:3, 3] += (0, 6, 8)
    image.set_qform(moved, 1)
    image.set_sform(OBLIQUE, 2)
    nibabel.save(image, path := folder / "a.nii")
    return by_nibabel(path, ("10.0 mm apart",))


@NIFTI.each("io10-only", {"sform": (0, 1), "qform": (1, 0), "talairach": (0, 3), "both": (1, 4)})
def one_transform(qform_code, sform_code, folder):
    image = nibabel.Nifti1Image(counted(SHAPE), OBLIQUE)
    image.set_qform(OBLIQUE, qform_code)
    image.set_sform(OBLIQUE, sform_code)
    nibabel.save(image, path := folder / "a.nii.gz")
    return Image(path, counted(SHAPE).T, RAS @ OBLIQUE)


@NIFTI("io10-quaternion-longer-than-1")
def quaternion_longer_than_1(folder):
    path, data = written(folder, "a.nii", sform_code=1, qform_code=1)
    patched(path, 256, "<f", 1.2)
    return Image(path, data.T, RAS @ OBLIQUE)


@NIFTI("io10-qfac-0")
def qfac_0(folder):
    affine = np.diag([1.5, 2.0, 3.0, 1.0])
    image = nibabel.Nifti1Image(counted(SHAPE), None)
    image.set_qform(affine, 1)
    nibabel.save(image, path := folder / "a.nii")
    patched(path, 76, "<f", 0.0)
    return Image(path, counted(SHAPE).T, RAS @ affine)


@NIFTI("io10-qfac-minus-1")
def qfac_minus_1(folder):
    affine = np.diag([-1.5, 2.0, 3.0, 1.0])
    image = nibabel.Nifti1Image(counted(SHAPE), None)
    image.set_qform(affine, 1)
    nibabel.save(image, path := folder / "a.nii")
    return Image(path, counted(SHAPE).T, RAS @ affine)


@NIFTI("io10-sheared-sform")
def sheared_sform(folder):
    affine = matrix([(1, 0, 0), (0, 1, 0), (0.2, -0.3, 2)], (1, 2, 3))
    image = nibabel.Nifti1Image(counted(SHAPE), affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 0)
    nibabel.save(image, path := folder / "a.nii")
    return Image(path, counted(SHAPE).T, RAS @ affine)


@NIFTI("io11-no-codes")
def no_codes(folder):
    path, data = without_codes(folder)
    return by_nibabel(path, (NO_SIDES,))


@NIFTI.each(
    "io22-slope",
    {
        "1-intercept-nan": (1.0, np.nan, 1, 0),
        "nan": (np.nan, np.nan, 1, 0),
        "inf": (np.inf, 0, 1, 0),
        "0": (0.0, 5.0, 1, 0),
        "negative": (-2.0, 100.0, -2, 100),
        "half": (0.5, -3.0, 0.5, -3),
        "1-intercept-1000": (1.0, -1000.0, 1, -1000),
    },
)
def slope_and_intercept(slope, intercept, true_slope, true_intercept, folder):
    path, data = written(folder, "a.nii")
    patched(path, 112, "<f", slope)
    patched(path, 116, "<f", intercept)
    values = data.T * np.float64(true_slope) + true_intercept
    notes = ()
    if slope == 1 and np.isnan(intercept):
        notes = ("The header is not valid",)
    elif np.isinf(slope):
        notes = ("The header has a slope of inf",)
    return Image(path, values, RAS @ OBLIQUE, notes=notes)


@NIFTI("io22-offset-contradicts-size")
def offset_contradicts_size(folder):
    path, _ = written(folder, "a.nii")
    patched(path, 108, "<f", 348.0)
    return Refused(path, ("348", "352", "vox_offset"))


@NIFTI("io22-float128")
def float128(folder):
    path, _ = written(folder, "a.nii")
    patched(path, 70, "<hh", 1536, 128)
    path.write_bytes(path.read_bytes() + bytes(14 * int(np.prod(SHAPE))))
    return Refused(path, ("1536 not supported", "32-bit numbers"))


@NIFTI("io22-1-bit")
def one_bit(folder):
    path, _ = written(folder, "a.nii")
    patched(path, 70, "<hh", 1, 1)
    return Refused(path, ("header is not valid",))


@NIFTI("io22-negative-dim")
def negative_dim(folder):
    path, _ = written(folder, "a.nii")
    patched(path, 42, "<h", -11)
    return Refused(path, ("-11",))


@NIFTI("io23-cifti")
def cifti(folder):
    from nibabel import cifti2

    brain = cifti2.BrainModelAxis.from_mask(
        np.ones(SHAPE, bool), affine=OBLIQUE, name="thalamus_left"
    )
    axis = cifti2.ScalarAxis(["one"])
    image = cifti2.Cifti2Image(counted((1, brain.size), np.float32), (axis, brain))
    nibabel.save(image, path := folder / "a.dscalar.nii")
    return Refused(path, ("CIFTI", "wb_command"))


@NIFTI("io29-4d-not-chosen")
def four_axes(folder):
    nibabel.save(nibabel.Nifti1Image(counted((*SHAPE, 6)), OBLIQUE), path := folder / "a.nii.gz")
    return Refused(path, ("6 volumes", "frame=5"))


@NIFTI.each("io29-4d-frame", {"0": (0,), "5": (5,)})
def frame_of_4d(frame, folder):
    nibabel.save(nibabel.Nifti1Image(counted((*SHAPE, 6)), OBLIQUE), path := folder / "a.nii.gz")
    return by_nibabel(path, frame=frame)


@NIFTI("io29-4d-of-one")
def four_axes_of_one(folder):
    nibabel.save(nibabel.Nifti1Image(counted((*SHAPE, 1)), OBLIQUE), path := folder / "a.nii.gz")
    return Image(path, counted((*SHAPE, 1))[..., 0].T, RAS @ OBLIQUE)


@NIFTI("io60-5d-frame")
def five_axes(folder):
    data = counted((*SHAPE, 2, 3))
    nibabel.save(nibabel.Nifti1Image(data, OBLIQUE), path := folder / "a.nii")
    return Image(path, data[..., 1, 2].T, RAS @ OBLIQUE, options={"frame": 1 + 2 * 2})


@NIFTI.each(
    "io43",
    {
        "plain-called-gz": ("a.nii", "b.nii.gz"),
        "pair": ("a.img", None),
        "pair-gz": ("a.img.gz", None),
        "header-of-pair": ("a.hdr", None),
    },
)
def name_and_compression(name, renamed, folder):
    kind = nibabel.Nifti1Pair if ".nii" not in name else nibabel.Nifti1Image
    path, data = written(folder, name, kind=kind)
    notes = ()
    if renamed:
        path, notes = path.rename(folder / renamed), ("not compressed by gzip",)
    return Image(path, data.T, RAS @ OBLIQUE, notes=notes)


@NIFTI("io43-gzip-called-nii")
def gzip_called_nii(folder):
    path, _ = written(folder, "a.nii.gz")
    return Refused(path.rename(folder / "b.nii"), ("compressed by gzip", "b.nii.gz"))


@NIFTI("io43-header-of-pair-gz")
def header_of_pair_gz(folder):
    path, data = written(folder, "a.img.gz", kind=nibabel.Nifti1Pair)
    return Image(folder / "a.hdr.gz", data.T, RAS @ OBLIQUE)


@NIFTI("io59-extension-of-3-mb")
def long_extension(folder):
    image = nibabel.Nifti1Image(counted(SHAPE), OBLIQUE)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"x" * 3_000_000))
    nibabel.save(image, path := folder / "a.nii")
    return Image(path, counted(SHAPE).T, RAS @ OBLIQUE)


@NIFTI.each(
    "io60",
    {
        "nifti-2": (nibabel.Nifti2Image, "a.nii"),
        "nifti-2-gz": (nibabel.Nifti2Image, "a.nii.gz"),
        "nifti-2-pair": (nibabel.Nifti2Pair, "a.img"),
    },
)
def nifti_2(kind, name, folder):
    path, data = written(folder, name, kind=kind)
    return Image(path, data.T, RAS @ OBLIQUE)


@NIFTI.each(
    "io60-big-endian", {"nifti-1": (nibabel.Nifti1Image,), "nifti-2": (nibabel.Nifti2Image,)}
)
def big_endian(kind, folder):
    header = kind.header_class(endianness=">")
    header.set_data_dtype(">i2")
    header.set_data_shape(SHAPE)
    image = kind(counted(SHAPE), OBLIQUE, header)
    nibabel.save(image, path := folder / "a.nii")
    assert nibabel.load(path).header.endianness == ">"
    return Image(path, counted(SHAPE).T, RAS @ OBLIQUE)


@NIFTI("io60-several-gzip-members")
def gzip_members(folder):
    path, data = written(folder, "a.nii")
    content = path.read_bytes()
    (folder / "b.nii.gz").write_bytes(gzip.compress(content[:400]) + gzip.compress(content[400:]))
    return Image(folder / "b.nii.gz", data.T, RAS @ OBLIQUE)


@NIFTI.each(
    "several-values", {"rgb": ([("R", "u1"), ("G", "u1"), ("B", "u1")],), "complex": ("c8",)}
)
def several_values(dtype, folder):
    nibabel.save(nibabel.Nifti1Image(np.zeros(SHAPE, dtype), OBLIQUE), path := folder / "a.nii")
    return Refused(path, ("several values a voxel",))


@NIFTI("nan-voxels")
def nan_voxels(folder):
    data = counted(SHAPE, np.float32)
    data[1, 2, 0], data[3, 3, 2] = np.nan, np.inf
    nibabel.save(nibabel.Nifti1Image(data, OBLIQUE), path := folder / "a.nii")
    values = np.where(np.isfinite(data), data, 0)
    return Image(path, values.T, RAS @ OBLIQUE, notes=("2 ",))


@NIFTI("size-0")
def size_0(folder):
    path, _ = without_codes(folder)
    for axis in range(3):
        patched(path, 80 + 4 * axis, "<f", 0.0)
    return by_nibabel(path, (NO_SIDES, "voxel size in the header is 0"))


@NIFTI("two-axes")
def two_axes(folder):
    data = counted((5, 4))
    nibabel.save(nibabel.Nifti1Image(data, OBLIQUE), path := folder / "a.nii")
    return Image(path, data.T[None], RAS @ OBLIQUE)
