"""TIFF, PNG and other pictures of rarer layouts, by tifffile and Pillow."""

import numpy as np
import tifffile
from PIL import Image as Pillow

from tests.corpus.picture_rows import PICTURE, RGB, SLICES, STACK, UNKNOWN, spaced, tiff
from tests.corpus.rows import Image, Refused, Rows

LAYOUTS = Rows()
BITS = PICTURE > 100


@LAYOUTS.each(
    "bilevel-white-is-0",
    {
        "plain": ({},),
        "zlib": ({"compression": "zlib"},),
        "packbits-strips": ({"compression": "packbits", "rowsperstrip": 3},),
    },
)
def bilevel(keywords, folder):
    path = tiff(folder, BITS, photometric="miniswhite", metadata=None, **keywords)
    with Pillow.open(path) as image:
        values = np.asarray(image)
    return Image(path, values[None], np.eye(4), notes=(UNKNOWN,))


@LAYOUTS.each(
    "bilevel-by-pillow",
    {n: (n,) for n in ("raw", "group3", "group4", "tiff_ccitt", "packbits", "tiff_lzw")},
)
def bilevel_by_pillow(name, folder):
    Pillow.fromarray(BITS).save(path := folder / "a.tif", compression=name)
    return Image(path, BITS[None], np.eye(4), notes=(UNKNOWN,))


@LAYOUTS("white-is-0-12-bits")
def white_12(folder):
    path = tiff(
        folder,
        PICTURE.astype(np.uint16),
        photometric="miniswhite",
        metadata=None,
        extratags=[],
        bitspersample=12,
    )
    return Image(path, 4095 - PICTURE[None].astype(int), np.eye(4), notes=(UNKNOWN,))


@LAYOUTS.each("palette-of-bits", {str(n): (n,) for n in (2, 4)})
def palette_bits(bits, folder):
    image = Pillow.fromarray(RGB).quantize(2**bits)
    image.save(path := folder / "a.tif", bits=bits)
    return Image(path, np.asarray(image.convert("RGB"))[None], np.eye(4), notes=(UNKNOWN,))


@LAYOUTS("ome-several-series")
def ome_series(folder):
    with tifffile.TiffWriter(path := folder / "a.ome.tif", ome=True) as file:
        file.write(PICTURE, metadata={"axes": "YX", "PhysicalSizeX": 9.0, "PhysicalSizeY": 9.0})
        file.write(
            STACK,
            photometric="minisblack",
            metadata={
                "axes": "ZYX",
                "PhysicalSizeX": 250.0,
                "PhysicalSizeY": 500.0,
                "PhysicalSizeZ": 2000.0,
            },
        )
    return Image(path, STACK, spaced(2.0, 0.5, 0.25), notes=("1 page of another size",))


@LAYOUTS("ome-big-tiff")
def ome_big(folder):
    sizes = {f"PhysicalSize{a}": v for a, v in zip("ZYX", (2.0, 0.5, 0.25), strict=True)}
    units = {f"PhysicalSize{a}Unit": "mm" for a in "ZYX"}
    path = tiff(
        folder, STACK, "a.ome.tif", bigtiff=True, metadata={"axes": "ZYX", **sizes, **units}
    )
    return Image(path, STACK, spaced(2.0, 0.5, 0.25))


@LAYOUTS("ome-zyx-in-time-of-one")
def ome_5d(folder):
    data = STACK[None, :, None]
    path = tiff(
        folder,
        data,
        "a.ome.tif",
        metadata={"axes": "TZCYX", "PhysicalSizeX": 250.0, "PhysicalSizeY": 500.0},
    )
    return Image(path, STACK, spaced(1.0, 0.5, 0.25), notes=(SLICES,))


@LAYOUTS.each("imagej-axes", {"T": ("TYX", "frames in time"), "C": ("CYX", "channels")})
def imagej_axes(axes, note, folder):
    path = tiff(
        folder,
        STACK,
        imagej=True,
        resolution=(4, 2),
        metadata={"unit": "mm", "axes": axes, "spacing": 2.0},
    )
    return Image(path, STACK, spaced(2.0, 0.5, 0.25), notes=(f"3 {note}",))


@LAYOUTS("imagej-hyperstack-two-axes")
def imagej_two(folder):
    path = tiff(folder, np.stack([STACK, STACK]), imagej=True, metadata={"axes": "TZYX"})
    return Refused(path, ("axes",))


@LAYOUTS("imagej-big-endian-float")
def imagej_float(folder):
    data = STACK.astype(np.float32) / 8
    path = tiff(
        folder,
        data,
        imagej=True,
        byteorder=">",
        resolution=(4, 2),
        metadata={"unit": "mm", "axes": "ZYX", "spacing": 2.0},
    )
    return Image(path, data, spaced(2.0, 0.5, 0.25))


@LAYOUTS("rgb-planar-stack")
def rgb_planar(folder):
    data = np.stack([np.moveaxis(RGB, -1, 0)] * 2)
    path = tiff(folder, data, photometric="rgb", planarconfig="separate", metadata=None)
    return Image(path, np.stack([RGB, RGB]), np.eye(4), notes=(UNKNOWN,))


@LAYOUTS("rgb-float")
def rgb_float(folder):
    path = tiff(folder, RGB.astype(np.float32) / 255, photometric="rgb", metadata=None)
    return Image(path, RGB[None], np.eye(4), notes=(UNKNOWN, "converted to 8 bits"))


@LAYOUTS("nan-in-float")
def nan_float(folder):
    data = STACK.astype(np.float32)
    data[0, 0, 0] = np.nan
    path = tiff(folder, data, photometric="minisblack", metadata=None)
    data[0, 0, 0] = np.nanmin(data)
    return Image(path, data, np.eye(4), notes=(UNKNOWN, "NaN or infinite"))


@LAYOUTS("premultiplied-alpha")
def premultiplied(folder):
    data = np.concatenate([RGB // 2, np.full((*PICTURE.shape, 1), 128, np.uint8)], -1)
    path = tiff(folder, data, photometric="rgb", extrasamples=["assocalpha"], metadata=None)
    return Image(path, (RGB // 2)[None], np.eye(4), notes=(UNKNOWN,))


@LAYOUTS("grey-and-alpha")
def grey_alpha(folder):
    data = np.stack([PICTURE, np.full_like(PICTURE, 9)], -1)
    path = tiff(
        folder,
        data,
        photometric="minisblack",
        planarconfig="contig",
        extrasamples=["unassalpha"],
        metadata=None,
    )
    return Image(path, PICTURE[None], np.eye(4), notes=(UNKNOWN,))


@LAYOUTS("lab")
def lab(folder):
    image = Pillow.fromarray(RGB).convert("RGB")
    from PIL import ImageCms

    profile = ImageCms.createProfile("LAB")
    out = ImageCms.profileToProfile(
        image, ImageCms.createProfile("sRGB"), profile, outputMode="LAB"
    )
    out.save(path := folder / "a.tif")
    with Pillow.open(path) as again:
        values = np.asarray(again.convert("RGB"))
    return Image(path, values[None], np.eye(4), notes=(UNKNOWN,))


@LAYOUTS("resolution-differs-along-axes")
def resolution(folder):
    path = tiff(
        folder,
        PICTURE,
        metadata=None,
        resolution=(100, 50),
        resolutionunit="CENTIMETER",
    )
    return Image(
        path, PICTURE[None], spaced(1, 0.2, 0.1), notes=("is from the resolution", "thickness")
    )


@LAYOUTS("resolution-turned")
def resolution_turned(folder):
    path = tiff(
        folder,
        PICTURE,
        metadata=None,
        resolution=(100, 50),
        resolutionunit="CENTIMETER",
        extratags=[(274, "H", 1, 6, True)],
    )
    return Image(
        path,
        np.rot90(PICTURE, -1)[None],
        spaced(1, 0.1, 0.2),
        notes=("is from the resolution", "thickness"),
    )


@LAYOUTS.each("png-16-colour", {"rgb": (2,), "rgba": (6,)})
def png_16_rgb(kind, folder):
    """Written by hand, as no library here does: a colour of 16 bits is cut to 8."""
    import struct
    import zlib

    samples = 3 if kind == 2 else 4
    wide = np.full((*PICTURE.shape, samples), 65535, np.uint16)
    wide[..., :3] = RGB.astype(np.uint16) * 257
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)

    def chunk(name, body):
        check = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)

    height, width = PICTURE.shape
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    path = folder / "a.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return Image(path, RGB[None], np.eye(4), notes=(UNKNOWN, "converted to 8 bits"))


@LAYOUTS("png-palette-with-transparency")
def png_p(folder):
    image = Pillow.fromarray(RGB).quantize(100)
    image.save(path := folder / "a.png", transparency=3)
    return Image(path, np.asarray(image.convert("RGB"))[None], np.eye(4), notes=(UNKNOWN,))


@LAYOUTS.each("png-grey-of-bits", {str(n): (n,) for n in (1, 2, 4)})
def png_bits(bits, folder):
    small = PICTURE // (2 ** (8 - bits))
    image = Pillow.fromarray(small)
    image.putpalette([v for g in range(2**bits) for v in [g * 255 // (2**bits - 1)] * 3])
    image.save(path := folder / "a.png", bits=bits)
    with Pillow.open(path) as again:
        values = np.asarray(again.convert("RGB"))
    return Image(path, values[None], np.eye(4), notes=(UNKNOWN,))


@LAYOUTS.each("not-read", {e: (e,) for e in ("bmp", "gif", "webp", "ppm")})
def not_read(ending, folder):
    Pillow.fromarray(RGB).save(folder / f"a.{ending}")
    return Refused(folder / f"a.{ending}", ("picture", "Save it as PNG or TIFF"))


@LAYOUTS("tiff-16-colour")
def tiff_16_rgb(folder):
    """The highest value becomes 255, and that is noted."""
    wide = RGB.astype(np.uint16) * 16
    tifffile.imwrite(folder / "a.tif", wide, photometric="rgb")
    right = (wide.astype(np.float32) * (255 / wide.max())).astype(np.uint8)
    note = f"with the highest value, {wide.max()}, as 255."
    return Image(folder / "a.tif", right[None], spaced(1, 1, 1), notes=("1 mm", note))
