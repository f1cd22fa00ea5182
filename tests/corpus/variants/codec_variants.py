"""Compressed and oddly stored DICOM pixels, against what was compressed or SimpleITK."""

import numpy as np
from pydicom.uid import (
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
    UltrasoundMultiFrameImageStorage,
)

from tests.corpus.dicom_files import DATA, POSITION, UPRIGHT, image, placed, saved, slices
from tests.corpus.rows import Image, Refused, Rows, counted

CODECS = Rows()
SYNTAXES = {"rle": RLELossless, "jpeg-ls": JPEGLSLossless, "jpeg-2000": JPEG2000Lossless}
AT = {"ImagePositionPatient": POSITION.tolist(), "ImageOrientationPatient": list(UPRIGHT)}
WIDE = counted((64, 72))
KINDS = {
    "int16": (WIDE - 500, 16),
    "uint16": ((WIDE * 100).astype(np.uint16), 16),
    "uint12": ((WIDE * 9 % 4096).astype(np.uint16), 12),
    "int12": (((WIDE * 9 % 4096) - 2048).astype(np.int16), 12),
    "uint8": ((WIDE % 256).astype(np.uint8), 8),
    "int8": ((WIDE % 256 - 128).astype(np.int8), 8),
}


def stored(values, bits, **more):
    allocated = 8 * values.dtype.itemsize
    made = image(
        values.astype(values.dtype),
        MRImageStorage,
        "MR",
        BitsAllocated=allocated,
        BitsStored=bits,
        HighBit=bits - 1,
        **AT,
        **more,
    )
    if values.dtype.kind == "i" and bits < allocated:
        unsigned = values.view(np.uint16) & (2**bits - 1)
        made.PixelData = unsigned.astype("<u2").tobytes()
    return made


@CODECS.each(
    "compressed",
    {
        f"{syntax}-{kind}": (syntax, kind)
        for syntax in SYNTAXES
        for kind in KINDS
        if (syntax, kind) != ("jpeg-ls", "int8")
    },
)
def compressed(syntax, kind, folder):
    values, bits = KINDS[kind]
    made = stored(values, bits)
    made.compress(SYNTAXES[syntax])
    return Image(saved(made, folder / "a.dcm"), values[None], placed())


@CODECS.each("frames", {name: (uid,) for name, uid in SYNTAXES.items()})
def frames(uid, folder):
    data = counted((5, 64, 72))
    made = image(data, UltrasoundMultiFrameImageStorage, "MR", SpacingBetweenSlices=3.0, **AT)
    made.compress(uid)
    return Image(saved(made, folder / "a.dcm"), data, placed())


@CODECS.each("colour", {name: (uid,) for name, uid in SYNTAXES.items()})
def colour(uid, folder):
    rgb = np.stack([WIDE % 256, WIDE % 241, WIDE % 13], -1).astype(np.uint8)
    made = image(
        WIDE,
        SecondaryCaptureImageStorage,
        "OT",
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
        PixelData=rgb.tobytes(),
        **AT,
    )
    made.compress(uid)
    return Image(saved(made, folder / "a.dcm"), rgb[None], placed())


@CODECS.each("big-endian-8-bits", {"OB": ("OB",), "OW": ("OW",)})
def big_endian_8(vr, folder):
    """In words of 16 bits the bytes stand in pairs turned round."""
    values = (WIDE % 256).astype(np.uint8)
    made = stored(values, 8)
    made.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    raw = values.tobytes()
    made.PixelData = raw if vr == "OB" else np.frombuffer(raw, "<u2").astype(">u2").tobytes()
    made["PixelData"].VR = vr
    return Image(saved(made, folder / "a.dcm"), values[None], placed())


@CODECS("signs-that-differ-by-slice")
def signs(folder):
    """A slice of negative values, and one of values beyond those of 16 signed bits."""
    low = counted((5, 6)) - 900
    high = (counted((5, 6), np.int32) + 40000).astype(np.uint16)

    def of(z):
        pixels = low if z % 2 == 0 else high
        return {
            "PixelRepresentation": int(z % 2 == 0),
            "PixelData": pixels.astype(pixels.dtype.newbyteorder("<")).tobytes(),
        }

    made = slices(folder, of_slice=of, sop_class=MRImageStorage, modality="MR")
    return Image(made, np.stack([low, high.astype(int)] * 2), placed())


@CODECS("bits-that-differ-by-slice")
def bits(folder):
    narrow = (counted((5, 6)) % 200).astype(np.uint8)

    def of(z):
        if z:
            return {"PixelRepresentation": 0}
        return {
            "PixelRepresentation": 0,
            "BitsAllocated": 8,
            "BitsStored": 8,
            "HighBit": 7,
            "PixelData": narrow.tobytes(),
        }

    made = slices(folder, DATA + 300, of_slice=of, sop_class=MRImageStorage, modality="MR")
    return Image(made, np.concatenate([narrow[None], DATA[1:] + 300]), placed())


@CODECS("bits-at-the-top-of-the-word")
def high_bit(folder):
    """Twelve bits that end at bit 15, as ACR-NEMA files have them."""
    values = (WIDE * 9 % 4096).astype(np.uint16)
    made = stored(values, 12)
    made.PixelData, made.HighBit = (values << 4).astype("<u2").tobytes(), 15
    return Image(saved(made, folder / "a.dcm"), values[None], placed())


@CODECS.each("32-bits", {"signed": (np.int32,), "unsigned": (np.uint32,)})
def wide(dtype, folder):
    values = (WIDE.astype(dtype) * 5000) - (7 if dtype is np.int32 else 0)
    made = stored(values, 32)
    return Image(saved(made, folder / "a.dcm"), values[None], placed())


@CODECS("cut-off-pixels")
def cut(folder):
    made = stored(*KINDS["int16"])
    made.PixelData = made.PixelData[:-40]
    return Refused(saved(made, folder / "a.dcm"), ("a.dcm",))


@CODECS("more-pixels-than-stated")
def more(folder):
    values, bits_ = KINDS["int16"]
    made = stored(values, bits_)
    made.PixelData = made.PixelData + b"\0\0\0\0"
    return Image(saved(made, folder / "a.dcm"), values[None], placed())
