"""PNG and JPEG pictures that Pillow writes."""

import numpy as np
from PIL import Image as Pillow
from PIL import PngImagePlugin

from tests.corpus.picture_rows import PICTURE, RGB, STACK, UNKNOWN, by_pillow
from tests.corpus.rows import Image, Rows

RASTERS = Rows()


@RASTERS.each("io69-exif", {str(n): (n,) for n in range(1, 9)})
def exif(value, folder):
    image = Pillow.fromarray(np.kron(RGB, np.ones((8, 8, 1), np.uint8)))
    tags = Pillow.Exif()
    tags[274] = value
    image.save(path := folder / "a.jpg", exif=tags, quality=95)
    return by_pillow(path)


@RASTERS.each("io69-exif-png", {str(n): (n,) for n in (3, 6)})
def exif_png(value, folder):
    tags = Pillow.Exif()
    tags[274] = value
    Pillow.fromarray(RGB).save(path := folder / "a.png", exif=tags)
    return by_pillow(path)


def as_png(folder, image, values, notes=(UNKNOWN,), **keywords):
    image.save(path := folder / "a.png", **keywords)
    return Image(path, np.asarray(values)[None], np.eye(4), notes=notes)


@RASTERS("io69-png-16-bit")
def png_16(folder):
    return as_png(folder, Pillow.fromarray(STACK[0]), STACK[0])


@RASTERS("io69-png-rgba")
def png_rgba(folder):
    image = Pillow.fromarray(RGB)
    image.putalpha(Pillow.fromarray(PICTURE))
    return as_png(folder, image, RGB)


@RASTERS("io69-png-grey-and-transparency")
def png_la(folder):
    image = Pillow.fromarray(PICTURE)
    image.putalpha(Pillow.fromarray(PICTURE))
    return as_png(folder, image, PICTURE)


@RASTERS("io69-png-1-bit")
def png_1(folder):
    return as_png(folder, Pillow.fromarray(PICTURE > 90), PICTURE > 90)


@RASTERS("io69-png-palette")
def png_palette(folder):
    image = Pillow.fromarray(RGB).quantize(200)
    return as_png(folder, image, image.convert("RGB"))


@RASTERS("io69-png-animated")
def png_animated(folder):
    image = Pillow.fromarray(PICTURE)
    others = [Pillow.fromarray(PICTURE[::-1])]
    notes = (UNKNOWN, "first of 2 frames")
    return as_png(folder, image, PICTURE, notes, save_all=True, append_images=others)


@RASTERS("io69-png-resolution")
def png_resolution(folder):
    """A PNG's resolution is that of a screen or a printer, not of the patient."""
    return as_png(
        folder, Pillow.fromarray(PICTURE), PICTURE, dpi=(300, 300), pnginfo=PngImagePlugin.PngInfo()
    )


@RASTERS.each("io69-jpeg", {"grey": ("L",), "cmyk": ("CMYK",), "progressive": ("RGB",)})
def jpeg(mode, folder):
    Pillow.fromarray(RGB).convert(mode).save(path := folder / "a.jpeg", progressive=True)
    with Pillow.open(path) as image:
        values = np.asarray(image if mode != "CMYK" else image.convert("RGB"))
    return Image(path, values[None], np.eye(4), notes=(UNKNOWN,))
