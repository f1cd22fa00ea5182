"""NIfTI, NRRD and MetaImage files of rarer kinds, by nibabel and SimpleITK."""

import gzip

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from tests.corpus.rows import RAS, Image, Refused, Rows, counted, matrix

VOLUMES = Rows()
DATA = counted((4, 5, 6))
"""``(z, y, x)``."""
OBLIQUE = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1.0]])
SPACING, ORIGIN = (1.5, 2.0, 3.0), (-20.0, 11.5, 7.0)


def itk(data=DATA, direction=OBLIQUE):
    image = sitk.GetImageFromArray(data)
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN)
    image.SetDirection(direction.ravel().tolist())
    return image


PLACE = matrix((OBLIQUE * SPACING).T, ORIGIN)


@VOLUMES.each(
    "compressed", {f"{e}-{c}": (e, c) for e in (".mha", ".mhd", ".nrrd", ".nhdr") for c in (0, 1)}
)
def compressed(ending, use, folder):
    sitk.WriteImage(itk(), str(folder / f"a{ending}"), bool(use))
    return Image(folder / f"a{ending}", DATA, PLACE)


@VOLUMES.each("compressed-nifti", {e: (e,) for e in (".nii", ".nii.gz", ".hdr", ".img", ".img.gz")})
def nifti(ending, folder):
    sitk.WriteImage(itk(), str(folder / f"a{ending}"))
    return Image(folder / f"a{ending}", DATA, PLACE)


@VOLUMES.each(
    "several-values",
    {f"{n}{e}": (n, e) for n in (2, 3) for e in (".mha", ".nrrd", ".nii.gz")},
)
def several_values(count, ending, folder):
    vector = sitk.Compose([itk(DATA + 100 * n) for n in range(count)])
    sitk.WriteImage(vector, str(folder / f"a{ending}"))
    return Refused(folder / f"a{ending}", (f"a{ending}",))


def by_sitk(path):
    image = sitk.ReadImage(str(path))
    place = matrix(
        (np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()).T, image.GetOrigin()
    )
    return sitk.GetArrayFromImage(image), place


@VOLUMES.each("left-handed", {e: (e,) for e in (".mha", ".nrrd", ".nii.gz")})
def left_handed(ending, folder):
    turned = OBLIQUE @ np.diag([1.0, 1.0, -1.0])
    sitk.WriteImage(itk(direction=turned), str(folder / f"a{ending}"))
    return Image(folder / f"a{ending}", DATA, matrix((turned * SPACING).T, ORIGIN))


@VOLUMES.each("permuted", {e: (e,) for e in (".mha", ".nrrd", ".nii.gz")})
def permuted(ending, folder):
    axes = np.eye(3)[[2, 0, 1]]
    sitk.WriteImage(itk(direction=axes), str(folder / f"a{ending}"))
    return Image(folder / f"a{ending}", DATA, matrix((axes * SPACING).T, ORIGIN))


NAMES = {
    "TransformMatrix": "Rotation",
    "Offset": "Origin",
}


@VOLUMES.each(
    "mha-name", {old: (old, new) for old, new in {**NAMES, "Offset ": "Position"}.items()}
)
def mha_names(old, new, folder):
    sitk.WriteImage(itk(), str(path := folder / "a.mha"))
    path.write_bytes(
        path.read_bytes().replace(old.strip().encode() + b" =", new.encode() + b" =", 1)
    )
    return Image(path, *by_sitk(path))


@VOLUMES("mha-4d")
def mha_4d(folder):
    image = sitk.JoinSeries([itk(direction=np.eye(3)), itk(DATA + 100, np.eye(3))])
    sitk.WriteImage(image, str(folder / "a.mha"))
    return Image(
        folder / "a.mha",
        DATA + 100,
        matrix(np.diag(SPACING), ORIGIN),
        options={"frame": 1},
    )


@VOLUMES.each("mha-types", {n: (n,) for n in ("MET_LONG_LONG", "MET_ULONG_LONG", "MET_UINT")})
def mha_types(name, folder):
    dtype = {"MET_LONG_LONG": np.int64, "MET_ULONG_LONG": np.uint64, "MET_UINT": np.uint32}[name]
    data = DATA.astype(dtype) * 7
    sitk.WriteImage(itk(data), str(folder / "a.mha"))
    return Image(folder / "a.mha", data, PLACE)


SPACES = {
    "left-posterior-superior": np.eye(3),
    "LPS": np.eye(3),
    "right-anterior-superior": np.diag([-1, -1, 1]),
    "RAS": np.diag([-1, -1, 1]),
    "left-anterior-superior": np.diag([1, -1, 1]),
    "LAS": np.diag([1, -1, 1]),
    "Right-Anterior-Superior": np.diag([-1, -1, 1]),
    "right anterior superior": np.diag([-1, -1, 1]),
}


def nrrd(folder, *lines, data=DATA, extra=()):
    """A NRRD file written by its specification."""
    shape = " ".join(map(str, data.shape[::-1]))
    header = [
        "NRRD0004",
        "type: short",
        f"dimension: {data.ndim}",
        f"sizes: {shape}",
        "encoding: raw",
        "endian: little",
        *lines,
    ]
    path = folder / "a.nrrd"
    path.write_bytes(("\n".join(header) + "\n\n").encode() + data.astype("<i2").tobytes())
    return path


DIRECTIONS = "space directions: (1.2,0.9,0) (-1.2,1.6,0) (0,0,3)"


@VOLUMES.each(
    "nrrd-space", {name: (name, turn) for name, turn in SPACES.items() if " " not in name}
)
def space(name, turn, folder):
    path = nrrd(folder, f"space: {name}", DIRECTIONS, "space origin: (-20,11.5,7)")
    expected = np.eye(4)
    expected[:3] = turn @ PLACE[:3]
    return Image(path, DATA, expected)


@VOLUMES.each(
    "nrrd-space-unknown",
    {
        "dimension": ("space dimension: 3",),
        "scanner": ("space: scanner-xyz",),
        "3d-right": ("space: 3D-right-handed",),
        "3d-left": ("space: 3D-left-handed",),
    },
)
def space_unknown(line, folder):
    """A space that has no sides of a patient: they are noted as unknown."""
    path = nrrd(folder, line, DIRECTIONS, "space origin: (-20,11.5,7)")
    return Image(path, DATA, PLACE, notes=("sides",))


@VOLUMES("nrrd-no-origin")
def no_origin(folder):
    path = nrrd(folder, "space: left-posterior-superior", DIRECTIONS)
    expected = PLACE.copy()
    expected[:3, 3] = 0
    return Image(path, DATA, expected)


@VOLUMES("nrrd-with-time-in-its-space")
def space_time(folder):
    lines = (
        "space: left-posterior-superior-time",
        "space directions: (1.5,0,0,0) (0,2,0,0) (0,0,3,0) (0,0,0,5)",
        "space origin: (-20,11.5,7,0)",
        "kinds: domain domain domain time",
    )
    path = nrrd(folder, *lines, data=np.stack([DATA, DATA + 100]))
    return Image(path, DATA + 100, matrix(np.diag(SPACING), ORIGIN), options={"frame": 1})


def by_nibabel(path, notes=(), **options):
    image = nib.load(path)
    values = np.asarray(image.dataobj)
    if values.ndim == 4:
        values = values[..., options["frame"]]
    return Image(path, values.T, RAS @ image.affine, notes=notes, options=options)


AFFINE = RAS @ PLACE


def saved(image, folder, name="a.nii"):
    nib.save(image, folder / name)
    return folder / name


@VOLUMES.each(
    "nifti-scaled",
    {
        "slope": (0.5, 3.0),
        "negative": (-2.0, 1.0),
        "intercept": (1.0, -1024.0),
        "zero-slope": (0.0, 5.0),
    },
)
def scaled(slope, intercept, folder):
    path = saved(nib.Nifti1Image(DATA.T, AFFINE), folder)
    raw = bytearray(path.read_bytes())
    raw[112:120] = np.array([slope, intercept], "<f4").tobytes()
    path.write_bytes(bytes(raw))
    return by_nibabel(path)


@VOLUMES.each("nifti2", {"little": ("<",), "big": (">",)})
def nifti2(order, folder):
    header = nib.Nifti2Header(endianness=order)
    return by_nibabel(saved(nib.Nifti2Image(DATA.T, AFFINE, header), folder))


@VOLUMES.each("nifti-4d", {str(n): (n,) for n in range(3)})
def nifti_4d(index, folder):
    data = np.stack([DATA.T + 100 * n for n in range(3)], -1)
    image = nib.Nifti1Image(data, AFFINE)
    image.header.set_xyzt_units("mm", "sec")
    return by_nibabel(saved(image, folder), frame=index)


@VOLUMES.each(
    "nifti-not-scalar",
    {"rgb": ("rgb",), "complex": ("complex",), "vector": ("vector",)},
)
def not_scalar(kind, folder):
    if kind == "rgb":
        data = np.zeros(DATA.T.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    elif kind == "complex":
        data = DATA.T.astype(np.complex64)
    else:
        data = np.zeros((*DATA.T.shape, 1, 3), np.float32)
    return Refused(saved(nib.Nifti1Image(data, AFFINE), folder), ("a.nii",))


@VOLUMES("nifti-micrometres-and-qform-alone")
def micro(folder):
    image = nib.Nifti1Image(DATA.T, None)
    image.header.set_xyzt_units("micron")
    image.set_qform(np.diag([1500, 2000, 3000, 1.0]), 1)
    image.set_sform(None, 0)
    place = RAS @ np.diag([1.5, 2, 3, 1])
    return Image(saved(image, folder), DATA, place, notes=("converted to mm",))


@VOLUMES("nifti-zero-spacing")
def zero_spacing(folder):
    path = saved(nib.Nifti1Image(DATA.T, np.diag([1.5, 2, 3, 1])), folder)
    raw = bytearray(path.read_bytes())
    raw[80:92] = np.zeros(3, "<f4").tobytes()
    path.write_bytes(bytes(raw))
    return Image(path, DATA, RAS @ np.diag([1.5, 2, 3, 1]))


@VOLUMES("nifti-singular-sform")
def singular(folder):
    image = nib.Nifti1Image(DATA.T, np.diag([1.5, 2, 3, 1]))
    image.set_qform(np.diag([1.5, 2, 3, 1]), 1)
    path = saved(image, folder)
    raw = bytearray(path.read_bytes())
    raw[280:328] = np.zeros(12, "<f4").tobytes()
    path.write_bytes(bytes(raw))
    return Image(path, DATA, RAS @ np.diag([1.5, 2, 3, 1]), notes=("qform",))


@VOLUMES("nifti-two-gzip-members")
def gzip_members(folder):
    path = saved(nib.Nifti1Image(DATA.T, AFFINE), folder)
    raw = path.read_bytes()
    (folder / "b.nii.gz").write_bytes(gzip.compress(raw[:400]) + gzip.compress(raw[400:]))
    return Image(folder / "b.nii.gz", DATA, PLACE)


@VOLUMES("spm-analyze")
def spm(folder):
    """SPM stores the place in a file of MATLAB's of the same name."""
    nib.save(nib.Spm99AnalyzeImage(DATA.T, AFFINE), folder / "a.img")
    assert (folder / "a.mat").exists()
    return by_nibabel(folder / "a.img", ("sides are unknown",))


@VOLUMES("minc")
def minc(folder):
    (folder / "a.mnc").write_bytes(b"CDF\x01" + bytes(200))
    return Refused(folder / "a.mnc", ("a.mnc",))


@VOLUMES.each("bytes-behind", {"zeros": (bytes(700), 0), "others": (b"garbage!" * 20, 1)})
def bytes_behind(behind, notes, folder):
    sitk.WriteImage(itk(), str(folder / "a.nii.gz"))
    path = folder / "a.nii.gz"
    path.write_bytes(path.read_bytes() + behind)
    return Image(path, DATA, PLACE, notes=("behind the compressed data",)[:notes])


@VOLUMES.each("mha-scale", {"slope": ("Slope = 2",), "offset": ("Offset = -5",)})
def mha_scale(field, folder):
    path = folder / "a.mha"
    sitk.WriteImage(itk(), str(path), useCompression=False)
    added = f"ElementToIntensityFunction{field}\nElementDataFile".encode()
    path.write_bytes(path.read_bytes().replace(b"ElementDataFile", added))
    return Image(path, *by_sitk(path), notes=("does not apply; they are as stored.",))


@VOLUMES.each(
    "nrrd-size-of-some-axes", {"z": ("1.5 2 nan", (1.5, 2, 1)), "x": ("nan 2 3", (1, 2, 3))}
)
def nrrd_size_of_some_axes(spacings, spacing, folder):
    head = (
        f"NRRD0005\ntype: int16\ndimension: 3\nsizes: 6 5 4\nspacings: {spacings}\nendian: little"
    )
    path = folder / "a.nrrd"
    path.write_bytes(f"{head}\nencoding: raw\n\n".encode() + DATA.astype("<i2").tobytes())
    axis = "xyz"[spacings.split().index("nan")]
    notes = (f"no voxel size along {axis}; 1 mm is assumed.", "sides are unknown")
    return Image(path, DATA, np.diag([*spacing, 1.0]), notes=notes)


@VOLUMES.each("files-of-slices", {e: (e,) for e in ("pattern", "list")})
def files_of_slices(kind, folder):
    for z, plane in enumerate(DATA):
        (folder / f"s{z}.raw").write_bytes(plane.astype("<i2").tobytes())
    files = "s%d.raw 0 3 1" if kind == "pattern" else "LIST\ns0.raw\ns1.raw\ns2.raw\ns3.raw"
    (folder / "a.mhd").write_text(
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nDimSize = 6 5 4\n"
        "ElementType = MET_SHORT\nElementSpacing = 1.5 2 3\n"
        f"TransformMatrix = 1 0 0 0 1 0 0 0 1\nElementDataFile = {files}\n"
    )
    return Image(folder / "a.mhd", *by_sitk(folder / "a.mhd"))
