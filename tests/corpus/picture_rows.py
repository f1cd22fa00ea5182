"""TIFF files that tifffile writes, and pictures that Pillow writes."""

import numpy as np
import tifffile
from PIL import Image as Pillow

from tests.corpus.rows import Image, Refused, Rows, counted

PICTURES = Rows()
STACK = counted((3, 16, 20), np.uint16)
PICTURE = (STACK[0] % 251).astype(np.uint8)
RGB = np.stack([PICTURE, 250 - PICTURE, (PICTURE * 7) % 251], -1).astype(np.uint8)
UNKNOWN, SLICES, THICKNESS = (
    "size of a pixel is unknown",
    "spacing of the slices is unknown",
    "thickness",
)


def spaced(z, y, x):
    """4 x 4 from ``(x, y, z)`` to millimetres."""
    return np.diag([x, y, z, 1.0])


def tiff(folder, data, name="a.tif", **keywords):
    tifffile.imwrite(folder / name, data, **keywords)
    return folder / name


def by_tifffile(path, notes, place=None):
    data = tifffile.imread(path)
    return Image(
        path, data.reshape(-1, *data.shape[-2:]), np.eye(4) if place is None else place, notes=notes
    )


def by_pillow(path, notes=(UNKNOWN,), pages=1):
    """Pixels as Pillow shows them, upright."""
    from PIL import ImageOps

    values = []
    with Pillow.open(path) as image:
        for page in range(pages):
            image.seek(page)
            values.append(np.asarray(ImageOps.exif_transpose(image)))
    return Image(path, np.stack(values), np.eye(4), notes=notes)


OME_UNITS = {"µm": 1e-3, "mm": 1.0, "nm": 1e-6, "cm": 10.0, "m": 1e3, "none": 1e-3}


@PICTURES.each("io14-ome-unit", {unit: (unit, factor) for unit, factor in OME_UNITS.items()})
def ome_unit(unit, factor, folder):
    sizes = {
        f"PhysicalSize{axis}": value for axis, value in zip("ZYX", (2.0, 0.5, 0.25), strict=True)
    }
    units = {} if unit == "none" else {f"{key}Unit": unit for key in sizes}
    path = tiff(folder, STACK, "a.ome.tif", metadata={"axes": "ZYX", **sizes, **units})
    return Image(path, STACK, spaced(2 * factor, 0.5 * factor, 0.25 * factor))


@PICTURES("io14-ome-without-z")
def ome_without_z(folder):
    metadata = {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    path = tiff(folder, STACK, "a.ome.tif", metadata=metadata)
    return Image(path, STACK, spaced(1, 5e-4, 5e-4), notes=(SLICES,))


@PICTURES("io14-ome-without-sizes")
def ome_without_sizes(folder):
    path = tiff(folder, STACK, "a.ome.tif", metadata={"axes": "ZYX"})
    return Image(path, STACK, np.eye(4), notes=(UNKNOWN,))


@PICTURES("io14-ome-in-pixels")
def ome_in_pixels(folder):
    metadata = {"axes": "ZYX"} | {f"PhysicalSize{a}": 1 for a in "ZYX"}
    metadata |= {f"PhysicalSize{a}Unit": "pixel" for a in "ZYX"}
    return Image(
        tiff(folder, STACK, "a.ome.tif", metadata=metadata), STACK, np.eye(4), notes=(UNKNOWN,)
    )


@PICTURES.each(
    "io14-ome-axis", {"time": ("TYX", "3 frames in time"), "channel": ("CYX", "3 channels")}
)
def ome_axis(axes, note, folder):
    path = tiff(
        folder,
        STACK,
        "a.ome.tif",
        metadata={
            "axes": axes,
            "PhysicalSizeX": 1,
            "PhysicalSizeY": 1,
            "PhysicalSizeXUnit": "mm",
            "PhysicalSizeYUnit": "mm",
        },
    )
    return Image(path, STACK, np.eye(4), notes=(SLICES, note))


@PICTURES("io14-ome-several-axes")
def ome_several_axes(folder):
    data = counted((2, 3, 8, 9), np.uint16)
    return Refused(tiff(folder, data, "a.ome.tif", metadata={"axes": "TZYX"}), ("4 axes", "TZYX"))


@PICTURES("io14-ome-rgb")
def ome_rgb(folder):
    path = tiff(folder, RGB, "a.ome.tif", photometric="rgb", metadata={"axes": "YXS"})
    return Image(path, RGB[None], np.eye(4), notes=(UNKNOWN,))


IMAGEJ = {
    "um": 1e-3,
    "\\u00B5m": 1e-3,
    "micron": 1e-3,
    "mm": 1.0,
    "cm": 10.0,
    "nm": 1e-6,
    "inch": 25.4,
}


@PICTURES.each("io14-imagej-unit", {unit.strip("\\"): (unit, f) for unit, f in IMAGEJ.items()})
def imagej_unit(unit, factor, folder):
    metadata = {"unit": unit, "spacing": 3.0, "axes": "ZYX"}
    path = tiff(folder, STACK, imagej=True, resolution=(4.0, 2.0), metadata=metadata)
    return Image(path, STACK, spaced(3 * factor, 0.5 * factor, 0.25 * factor))


@PICTURES.each("io14-imagej-without", {"unit": ({},), "pixel": ({"unit": "pixel"},)})
def imagej_without(metadata, folder):
    path = tiff(folder, STACK, imagej=True, metadata={"axes": "ZYX", **metadata})
    return Image(path, STACK, np.eye(4), notes=(UNKNOWN,))


@PICTURES.each(
    "io14-imagej-axis", {"time": ("TYX", "3 frames in time"), "channel": ("CYX", "3 channels")}
)
def imagej_axis(axes, note, folder):
    path = tiff(folder, STACK, imagej=True, metadata={"axes": axes})
    return Image(path, STACK, np.eye(4), notes=(UNKNOWN, note))


@PICTURES("io14-imagej-hyperstack")
def imagej_hyperstack(folder):
    data = counted((2, 3, 2, 8, 9), np.uint16)
    return Refused(tiff(folder, data, imagej=True, metadata={"axes": "TZCYX"}), ("5 axes", "TZCYX"))


@PICTURES.each(
    "io14-resolution",
    {
        "cm": ("CENTIMETER", (200, 400), (0.025, 0.05)),
        "inch": ("INCH", (254, 508), (0.05, 0.1)),
    },
)
def resolution(unit, per_unit, mm, folder):
    path = tiff(folder, PICTURE, resolution=per_unit, resolutionunit=unit, metadata=None)
    return Image(path, PICTURE[None], spaced(1, *mm), notes=("from the resolution", THICKNESS))


@PICTURES.each("io14-resolution-of-a-screen", {"72": (72,), "96": (96,)})
def screen(dpi, folder):
    path = tiff(folder, PICTURE, resolution=(dpi, dpi), resolutionunit="INCH", metadata=None)
    return Image(path, PICTURE[None], np.eye(4), notes=(UNKNOWN,))


@PICTURES("io16-thumbnail-first")
def thumbnail_first(folder):
    with tifffile.TiffWriter(path := folder / "a.tif") as file:
        file.write(PICTURE[:4, :5], metadata=None)
        for page in STACK:
            file.write(page, metadata=None, contiguous=False)
    return Image(path, STACK, np.eye(4), notes=(UNKNOWN, "1 page of another size (4 x 5)"))


@PICTURES("io16-pyramid")
def pyramid(folder):
    with tifffile.TiffWriter(path := folder / "a.tif") as file:
        file.write(RGB, subifds=1, photometric="rgb", tile=(16, 16))
        file.write(RGB[::2, ::2], subfiletype=1, photometric="rgb", tile=(16, 16))
    return Image(path, RGB[None], np.eye(4), notes=(UNKNOWN,))


@PICTURES.each("io17-orientation", {str(n): (n,) for n in range(1, 9)})
def orientation(value, folder):
    """Compressed: Pillow 13 reads others of the orientations 5 to 8 by wrong rows."""
    tags = [(274, "H", 1, value, True)]
    return by_pillow(tiff(folder, PICTURE, metadata=None, extratags=tags, compression="zlib"))


@PICTURES("io17-orientation-of-a-stack")
def orientation_of_stack(folder):
    path = tiff(
        folder, STACK, metadata=None, extratags=[(274, "H", 1, 2, True)], photometric="minisblack"
    )
    return Image(path, STACK[:, :, ::-1], np.eye(4), notes=(UNKNOWN,))


@PICTURES.each(
    "io38-compression",
    {name: (name,) for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")},
)
def compression(name, folder):
    Pillow.fromarray(PICTURE).save(path := folder / "a.tif", compression=name)
    return by_pillow(path)


@PICTURES("io38-fax")
def fax(folder):
    Pillow.fromarray(PICTURE > 100).save(path := folder / "a.tif", compression="group4")
    return by_pillow(path)


@PICTURES("io38-jpeg-colour")
def jpeg_colour(folder):
    Pillow.fromarray(np.kron(RGB, np.ones((8, 8, 1), np.uint8))).save(
        path := folder / "a.tif", compression="jpeg"
    )
    return by_pillow(path)


LAYOUTS = {
    "big-tiff": {"bigtiff": True},
    "big-endian": {"byteorder": ">"},
    "tiles": {"tile": (16, 16)},
    "strips": {"rowsperstrip": 3},
    "predictor": {"compression": "zlib", "predictor": True},
    "deflate": {"compression": "zlib"},
    "no-metadata": {"metadata": None},
}


@PICTURES.each("layout", {name: (keywords,) for name, keywords in LAYOUTS.items()})
def layout(keywords, folder):
    path = tiff(folder, STACK, photometric="minisblack", **keywords)
    return Image(path, STACK, np.eye(4), notes=(UNKNOWN,))


@PICTURES.each(
    "layout-colour",
    {
        "planar": ("separate",),
        "contiguous": ("contig",),
    },
)
def planar(config, folder):
    data = np.moveaxis(RGB, -1, 0) if config == "separate" else RGB
    path = tiff(folder, data, photometric="rgb", planarconfig=config, metadata=None)
    return Image(path, RGB[None], np.eye(4), notes=(UNKNOWN,))


@PICTURES("layout-colour-stack")
def colour_stack(folder):
    data = np.stack([RGB, RGB[::-1]])
    path = tiff(folder, data, photometric="rgb", metadata=None)
    return Image(path, data, np.eye(4), notes=(UNKNOWN,))


@PICTURES("layout-transparency")
def transparency(folder):
    data = np.concatenate([RGB, np.full((*PICTURE.shape, 1), 9, np.uint8)], -1)
    path = tiff(folder, data, photometric="rgb", extrasamples=["unassalpha"], metadata=None)
    return Image(path, RGB[None], np.eye(4), notes=(UNKNOWN,))


@PICTURES("layout-palette")
def palette(folder):
    colormap = (
        np.stack([np.arange(256), np.arange(256)[::-1], np.full(256, 40)]).astype(np.uint16) * 257
    )
    path = tiff(folder, PICTURE, photometric="palette", colormap=colormap, metadata=None)
    return Image(
        path, np.moveaxis(colormap[:, PICTURE] // 257, 0, -1)[None], np.eye(4), notes=(UNKNOWN,)
    )


@PICTURES.each("layout-white-is-0", {"8": (np.uint8, 255), "16": (np.uint16, 65535)})
def white_is_0(dtype, high, folder):
    path = tiff(folder, PICTURE.astype(dtype), photometric="miniswhite", metadata=None)
    return Image(path, high - PICTURE[None].astype(int), np.eye(4), notes=(UNKNOWN,))


@PICTURES("layout-cmyk")
def cmyk(folder):
    Pillow.fromarray(RGB).convert("CMYK").save(path := folder / "a.tif")
    with Pillow.open(path) as image:
        values = np.asarray(image.convert("RGB"))
    return Image(path, values[None], np.eye(4), notes=(UNKNOWN,))


TYPES = (
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "float16",
    "float32",
    "float64",
    "bool",
)


@PICTURES.each("type", {name: (name,) for name in TYPES})
def data_type(name, folder):
    data = (PICTURE % 100).astype(name)
    path = tiff(folder, data, metadata=None, photometric="minisblack")
    return Image(path, data[None], np.eye(4), notes=(UNKNOWN,))


@PICTURES("type-rgb-16")
def rgb_16(folder):
    path = tiff(folder, RGB.astype(np.uint16) * 257, photometric="rgb", metadata=None)
    values = (RGB * np.float32(257) * np.float32(255 / (257 * float(RGB.max())))).astype(np.uint8)
    return Image(path, values[None], np.eye(4), notes=(UNKNOWN, "converted to 8 bits"))


@PICTURES("several-channels")
def several_channels(folder):
    data = np.zeros((8, 9, 6), np.uint8)
    path = tiff(folder, data, photometric="minisblack", planarconfig="contig", metadata=None)
    return Refused(path, ("6 channels a pixel",))


@PICTURES.each("cut-off", {"pages": (None,), "data": ({"axes": "ZYX"},)})
def cut_off(metadata, folder):
    path = tiff(folder, STACK, metadata=metadata, photometric="minisblack")
    path.write_bytes(path.read_bytes()[:-900])
    return Refused(path, ("a.tif", "Copy or download"))
