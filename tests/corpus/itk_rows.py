"""NRRD and MetaImage files that SimpleITK writes, or with headers written by hand."""

import bz2
import gzip
import struct

import numpy as np
import SimpleITK as sitk

from tests.corpus.rows import NUMBER_TYPES, Image, Refused, Rows, counted, matrix

OTHERS = Rows()
DATA = counted((3, 4, 5))
"""``(z, y, x)``."""

RAW = DATA.astype("<i2").tobytes()
STEPS = [(1.2, 0.9, 0.0), (-0.96, 1.28, 1.2), (1.08, -1.44, 2.4)]
OBLIQUE = matrix(STEPS, (-20, 11.5, 7))
NRRD = {
    "type": "int16",
    "dimension": "3",
    "space": "left-posterior-superior",
    "sizes": "5 4 3",
    "space directions": "(1.2,0.9,0) (-0.96,1.28,1.2) (1.08,-1.44,2.4)",
    "kinds": "domain domain domain",
    "endian": "little",
    "encoding": "raw",
    "space origin": "(-20,11.5,7)",
}

ALIGNED = matrix([(1.5, 0, 0), (0, 2, 0), (0, 0, 3)], (-20, 11.5, 7))
ASSUMED = "1 mm is assumed"
NO_SIDES = "sides are unknown"


def nrrd(path, data=RAW, **changes):
    """A NRRD file; a field that is None is left out."""
    fields = NRRD | {name.replace("_", " "): value for name, value in changes.items()}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    path.write_bytes("\n".join(["NRRD0005", *lines, "", ""]).encode() + data)
    return path


def by_simpleitk(path, factor=1.0, notes=(), values=DATA):
    """The place that SimpleITK gives a file, in a unit of so many millimetres."""
    image = sitk.ReadImage(str(path))
    lps = np.eye(4)
    lps[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing() * factor
    lps[:3, 3] = np.array(image.GetOrigin()) * factor
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), values)
    return Image(path, values, lps, notes=notes)


def itk_image(data=DATA):
    image = sitk.GetImageFromArray(data)
    image.SetSpacing((1.5, 2.0, 3.0))
    image.SetOrigin((-20, 11.5, 7))
    image.SetDirection((0.8, -0.48, 0.36, 0.6, 0.64, -0.48, 0.0, 0.6, 0.8))
    return image


@OTHERS.each(
    "io62-simpleitk",
    {
        name: (name, compressed)
        for name, compressed in (
            ("a.nrrd", 0),
            ("b.nrrd", 1),
            ("a.mha", 0),
            ("b.mha", 1),
            ("a.mhd", 0),
            ("b.mhd", 1),
            ("a.nhdr", 0),
            ("b.nhdr", 1),
        )
    },
)
def simpleitk_files(name, compressed, folder):
    sitk.WriteImage(itk_image(), str(folder / name), useCompression=bool(compressed))
    return Image(folder / name, DATA, OBLIQUE)


@OTHERS.each("type", {f"{n}{e}": (n, e) for n in NUMBER_TYPES for e in (".nrrd", ".mha")})
def data_type(name, ending, folder):
    data = (DATA % 100).astype(name)
    data.flat[0] = np.iinfo(name).max if "int" in name else 0.1
    sitk.WriteImage(itk_image(data), str(folder / f"a{ending}"))
    return Image(folder / f"a{ending}", data, OBLIQUE)


UNITS = {
    "um": 1e-3,
    "µm": 1e-3,
    "microns": 1e-3,
    "mm": 1.0,
    "cm": 10.0,
    "m": 1000.0,
    "nm": 1e-6,
    "meters": 1000.0,
}


@OTHERS.each("io19-nrrd-unit", {unit: (unit, factor) for unit, factor in UNITS.items()})
def nrrd_unit(unit, factor, folder):
    path = nrrd(folder / "a.nrrd", space_units=" ".join([f'"{unit}"'] * 3))
    return by_simpleitk(path, factor, () if factor == 1 else ("converted to mm",))


@OTHERS("io19-nrrd-units-of-axes")
def nrrd_units_of_axes(folder):
    path = nrrd(
        folder / "a.nrrd",
        space=None,
        space_directions=None,
        space_origin=None,
        spacings="0.5 0.5 2",
        units='"um" "um" "um"',
    )
    return by_simpleitk(path, 1e-3, ("converted to mm", NO_SIDES))


@OTHERS("io19-nrrd-units-that-differ")
def nrrd_units_differ(folder):
    path = nrrd(folder / "a.nrrd", space_units='"um" "um" "mm"')
    return by_simpleitk(path, notes=("taken as mm",))


@OTHERS("io19-nrrd-unknown-unit")
def nrrd_unknown_unit(folder):
    return by_simpleitk(
        nrrd(folder / "a.nrrd", space_units='"px" "px" "px"'), notes=("taken as mm",)
    )


@OTHERS("io19-nrrd-no-size")
def nrrd_no_size(folder):
    path = nrrd(folder / "a.nrrd", space=None, space_directions=None, space_origin=None)
    return by_simpleitk(path, notes=(ASSUMED, NO_SIDES))


@OTHERS("io19-nrrd-spacing-nan")
def nrrd_spacing_nan(folder):
    path = nrrd(
        folder / "a.nrrd",
        space=None,
        space_directions=None,
        space_origin=None,
        spacings="nan nan nan",
    )
    return by_simpleitk(path, notes=(ASSUMED, NO_SIDES))


@OTHERS("io44-bzip2")
def bzip2(folder):
    path = nrrd(folder / "a.nrrd", bz2.compress(RAW), encoding="bzip2")
    return Refused(path, ("bzip2", "gzip"))


@OTHERS.each(
    "io62-encoding",
    {
        "gzip": ("gzip", gzip.compress(RAW)),
        "gz": ("gz", gzip.compress(RAW)),
        "text": ("text", " ".join(map(str, DATA.ravel())).encode()),
        "ascii": ("ascii", "\n".join(map(str, DATA.ravel())).encode()),
        "hex": ("hex", RAW.hex().encode()),
    },
)
def nrrd_encoding(encoding, data, folder):
    return by_simpleitk(nrrd(folder / "a.nrrd", data, encoding=encoding))


@OTHERS.each(
    "io62-detached",
    {
        "nhdr": ({}, b""),
        "line-skip": ({"line_skip": "2"}, b"one\ntwo\n"),
        "byte-skip": ({"byte_skip": "5"}, b"12345"),
        "byte-skip-from-end": ({"byte_skip": "-1"}, b"123456789"),
    },
)
def nrrd_detached(skips, before, folder):
    (folder / "data.raw").write_bytes(before + RAW)
    return by_simpleitk(nrrd(folder / "a.nhdr", b"", **skips, data_file="data.raw"))


@OTHERS("io62-detached-sub-folder")
def nrrd_sub_folder(folder):
    (folder / "data").mkdir()
    (folder / "data" / "a.raw").write_bytes(RAW)
    return by_simpleitk(nrrd(folder / "a.nhdr", b"", data_file="data/a.raw"))


@OTHERS("io62-detached-a-file-for-each-slice")
def nrrd_numbered(folder):
    for z, values in enumerate(DATA, 1):
        (folder / f"a{z:02d}.raw").write_bytes(values.tobytes())
    return by_simpleitk(nrrd(folder / "a.nhdr", b"", data_file="a%02d.raw 1 3 1 2"))


@OTHERS("sec25-detached-outside")
def nrrd_outside(folder):
    (folder / "data.raw").write_bytes(RAW)
    (folder / "inner").mkdir()
    path = nrrd(folder / "inner" / "a.nhdr", b"", data_file="../data.raw")
    return Refused(path, ("outside its folder",))


def space(name):
    """The factors of the axes from a space of NRRD to LPS."""
    words = name.split("-")
    return np.array(
        [1.0 if w in ("left", "posterior", "superior") else -1.0 for w in words] + [1.0]
    )


SPACES = ("left-posterior-superior", "right-anterior-superior", "left-anterior-superior")


@OTHERS.each("io62-space", {name: (name,) for name in SPACES})
def nrrd_space(name, folder):
    path = nrrd(folder / "a.nrrd", space=name)
    return Image(path, DATA, space(name)[:, None] * OBLIQUE)


@OTHERS.each(
    "io62-space-short",
    {"RAS": ("RAS", SPACES[1]), "LAS": ("LAS", SPACES[2]), "LPS": ("LPS", SPACES[0])},
)
def nrrd_short_space(short, name, folder):
    return Image(nrrd(folder / "a.nrrd", space=short), DATA, space(name)[:, None] * OBLIQUE)


@OTHERS("io62-left-handed")
def nrrd_left_handed(folder):
    path = nrrd(folder / "a.nrrd", space_directions="(1.5,0,0) (0,2,0) (0,0,-3)")
    return Image(path, DATA, matrix([(1.5, 0, 0), (0, 2, 0), (0, 0, -3)], (-20, 11.5, 7)))


@OTHERS("io62-sheared")
def nrrd_sheared(folder):
    path = nrrd(folder / "a.nrrd", space_directions="(1,0,0) (0,1,0) (0.3,0,2)")
    return Image(path, DATA, matrix([(1, 0, 0), (0, 1, 0), (0.3, 0, 2)], (-20, 11.5, 7)))


@OTHERS("io62-big-endian")
def nrrd_big_endian(folder):
    return by_simpleitk(nrrd(folder / "a.nrrd", DATA.astype(">i2").tobytes(), endian="big"))


@OTHERS("io62-comments-and-keys")
def nrrd_comments(folder):
    path = nrrd(folder / "a.nrrd", **{"#": "a comment: with a colon"})
    content = (
        path.read_bytes()
        .replace(b"#: a comment", b"# a comment")
        .replace(b"endian", b"spacings:=9 9 9\nendian", 1)
    )
    path.write_bytes(content)
    return by_simpleitk(path)


@OTHERS("io62-windows-lines")
def nrrd_windows_lines(folder):
    path = nrrd(folder / "a.nrrd", b"")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + RAW)
    return by_simpleitk(path)


@OTHERS("io63-4d-list-not-chosen")
def nrrd_list_not_chosen(folder):
    return Refused(nrrd_4d(folder), ("2 volumes", "frame=1"))


@OTHERS("io63-4d-time-with-spacings")
def nrrd_time_chosen(folder):
    raw = np.stack([DATA, DATA + 7]).astype("<i2").tobytes()
    path = nrrd(
        folder / "a.nrrd",
        raw,
        dimension="4",
        sizes="5 4 3 2",
        kinds="domain domain domain time",
        space=None,
        space_directions=None,
        space_origin=None,
        spacings="1.5 2 3 1",
    )
    return Image(path, DATA + 7, np.diag([1.5, 2, 3, 1]), "", (NO_SIDES,), {"frame": 1})


@OTHERS("io63-4d-time-without-direction")
def nrrd_time_without_direction(folder):
    return Refused(nrrd_4d(folder, "time"), ("axis of time", "kind of that axis to list"))


def nrrd_4d(folder, kind="list"):
    raw = np.stack([DATA, DATA + 7]).astype("<i2").tobytes()
    return nrrd(
        folder / "a.nrrd",
        raw,
        dimension="4",
        sizes="5 4 3 2",
        kinds=f"domain domain domain {kind}",
        space_directions=NRRD["space directions"] + " none",
    )


@OTHERS.each("io63-values-of-a-voxel", {"vector": ("vector",), "rgb": ("RGB-color",)})
def nrrd_vector(kind, folder):
    raw = np.repeat(DATA[..., None], 3, -1).astype("<i2").tobytes()
    path = nrrd(
        folder / "a.nrrd",
        raw,
        dimension="4",
        sizes="3 5 4 3",
        kinds=f"{kind} domain domain domain",
        space_directions="none " + NRRD["space directions"],
    )
    return Refused(path, ("several values a voxel",))


@OTHERS.each("io63-4d-list", {"first": (True,), "last": (False,)})
def nrrd_list(is_first, folder):
    """3D Slicer's sequences have the axis of volumes first, diffusion images mostly last."""
    if not is_first:
        return Image(nrrd_4d(folder), DATA + 7, OBLIQUE, options={"frame": 1})
    path = nrrd(
        folder / "a.seq.nrrd",
        np.stack([DATA, DATA + 7], -1).astype("<i2").tobytes(),
        dimension="4",
        sizes="2 5 4 3",
        kinds="list domain domain domain",
        space_directions="none " + NRRD["space directions"],
    )
    return Image(path, DATA + 7, OBLIQUE, options={"frame": 1})


@OTHERS("two-axes-nrrd")
def nrrd_two_axes(folder):
    image = sitk.GetImageFromArray(DATA[0])
    image.SetSpacing((1.5, 2.0))
    sitk.WriteImage(image, str(folder / "a.nrrd"))
    return Image(folder / "a.nrrd", DATA[:1], np.diag([1.5, 2, 1, 1]))


@OTHERS("cut-off")
def cut_off(folder):
    return Refused(nrrd(folder / "a.nrrd", RAW[:-20]), ("a.nrrd", "Copy or download"))


@OTHERS("nan-voxels")
def nan_voxels(folder):
    data = DATA.astype(np.float32)
    data[0, 1, 2] = np.nan
    path = nrrd(folder / "a.nrrd", struct.pack("<60f", *data.ravel()), type="float")
    return Image(path, np.nan_to_num(data), OBLIQUE, notes=("1 ",))
