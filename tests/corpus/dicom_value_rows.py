"""Intensities of DICOM images: rescaling, tables, units, compression, colours, pixel spacing."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    RLELossless,
)

from tests.corpus.dicom_files import (
    DATA,
    POSITION,
    UPRIGHT,
    image,
    one,
    placed,
    saved,
    slices,
)
from tests.corpus.rows import Image, Rows

VALUES = Rows()
RESCALE = {
    "HU": "HU",
    "US": "",
    "OD": "{mOD}",
    "MGML": "mg/ml",
    "PCT": "%",
    "Z_EFF": "{Zeff}",
    "ED": "10*23/ml",
    "EDW": "{EDW}",
    "HU_MOD": "{HU_MOD}",
    "nonsense": "",
}


@VALUES.each("io07-rescale-type", {name: (name, unit) for name, unit in RESCALE.items()})
def type_of_rescale(name, unit, folder):
    path = one(folder, RescaleSlope=0.5, RescaleIntercept=-1024, RescaleType=name)
    notes = () if name == "HU" else (f"Rescale Type is {name}",)
    return Image(path, DATA[:1] * 0.5 - 1024, placed(), unit, notes)


@VALUES("io07-rescale-differs-by-slice")
def rescale_by_slice(folder):
    made = slices(folder, of_slice=lambda z: {"RescaleSlope": 1.0 + z, "RescaleIntercept": -z})
    factor = np.arange(4)[:, None, None]
    return Image(made, DATA * (1.0 + factor) - factor, placed(), "HU")


SUV_TYPES = {
    "LBM": "g/ml{SUVlbm}",
    "LBMJAMES128": "g/ml{SUVlbm(James128)}",
    "LBMJANMA": "g/ml{SUVlbm(Janma)}",
    "IBW": "g/ml{SUVibw}",
    "BW": "g/ml{SUVbw}",
    "": "g/ml{SUVbw}",
}


@VALUES.each("io07-suv-type", {name or "none": (name, unit) for name, unit in SUV_TYPES.items()})
def suv_type(name, unit, folder):
    path = one(
        folder,
        sop_class=PositronEmissionTomographyImageStorage,
        modality="PT",
        Units="GML",
        SUVType=name,
    )
    notes = () if name in ("", "BW") else (f"SUV Type is {name}",)
    return Image(path, DATA[:1], placed(), unit, notes)


@VALUES("io07-suv-bsa")
def suv_bsa(folder):
    path = one(
        folder,
        sop_class=PositronEmissionTomographyImageStorage,
        modality="PT",
        Units="CM2ML",
        SUVType="BSA",
    )
    return Image(path, DATA[:1], placed(), "cm2/ml{SUVbsa}", ("CM2ML",))


@VALUES.each(
    "io06-modality-lut",
    {
        "16-bit": (16, "US", "<u2", 65535),
        "8-bit": (8, "US", "<u1", 255),
        "hu": (16, "HU", "<u2", 4095),
    },
)
def modality_lut(bits, kind, dtype, high, folder):
    values = np.linspace(0, high, 256).astype(dtype)
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [256, 0, bits], kind
    table.add_new("LUTData", "OW", values.tobytes())
    pixels = (DATA[0] % 256).astype(np.uint16)
    path = one(folder, pixels, ModalityLUTSequence=[table], modality="CT")
    notes = () if kind == "HU" else ("not Hounsfield units",)
    return Image(path, values[pixels][None], placed(), "HU" if kind == "HU" else "", notes)


@VALUES("io06-lut-beyond-its-ends")
def lut_ends(folder):
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [4, 10, 16], "US"
    table.add_new("LUTData", "OW", np.array([5, 6, 7, 9], "<u2").tobytes())
    pixels = np.array([[0, 10, 11], [12, 13, 900]], np.uint16)
    path = one(folder, pixels, ModalityLUTSequence=[table], modality="MR", sop_class=MRImageStorage)
    return Image(path, np.array([[[5, 5, 6], [7, 9, 9]]]), placed())


SYNTAXES = {
    "implicit": ImplicitVRLittleEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "explicit": ExplicitVRLittleEndian,
}


@VALUES.each("io52-syntax", {name: (uid,) for name, uid in SYNTAXES.items()})
def transfer_syntax(uid, folder):
    made = image(
        DATA[0], ImagePositionPatient=POSITION.tolist(), ImageOrientationPatient=list(UPRIGHT)
    )
    made.file_meta.TransferSyntaxUID = uid
    return Image(saved(made, folder / "a.dcm"), DATA[:1], placed(), "HU")


@VALUES("io52-big-endian")
def big_endian(folder):
    made = image(
        DATA[0], ImagePositionPatient=POSITION.tolist(), ImageOrientationPatient=list(UPRIGHT)
    )
    made.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    made.PixelData = DATA[0].astype(">i2").tobytes()
    made["PixelData"].VR = "OW"
    return Image(saved(made, folder / "a.dcm"), DATA[:1], placed(), "HU")


@VALUES("io52-rle")
def rle(folder):
    made = image(
        DATA[0], ImagePositionPatient=POSITION.tolist(), ImageOrientationPatient=list(UPRIGHT)
    )
    made.compress(RLELossless)
    return Image(saved(made, folder / "a.dcm"), DATA[:1], placed(), "HU")


@VALUES.each("io52-bits", {"12-signed": (12, 1), "12-unsigned": (12, 0), "10-unsigned": (10, 0)})
def bits_stored(bits, signed, folder):
    """Bits above those stored hold an overlay, which is no intensity."""
    low = -(2 ** (bits - 1)) if signed else 0
    values = (DATA[0].astype(int) % 2**bits) + low
    stored = (values % 2**bits).astype(np.uint16) | np.uint16(0x8000)
    path = one(folder, stored, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=signed)
    return Image(path, values[None], placed(), "HU")


@VALUES("monochrome1")
def monochrome1(folder):
    path = one(folder, PhotometricInterpretation="MONOCHROME1")
    return Image(path, DATA[:1], placed(), "HU", ("MONOCHROME1",))


def color(folder, planar, **values):
    rgb = np.stack([DATA[0] % 256, (DATA[0] + 50) % 256, (DATA[0] + 90) % 256], -1).astype(np.uint8)
    stored = np.moveaxis(rgb, -1, 0) if planar else rgb
    made = image(
        DATA[0],
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
        PlanarConfiguration=planar,
        PixelData=stored.tobytes(),
        PixelSpacing=None,
        SliceThickness=None,
        modality="US",
        **values,
    )
    return saved(made, folder / "a.dcm"), rgb[None]


@VALUES.each("io54-colour", {"by-pixel": (0,), "by-plane": (1,)})
def colour(planar, folder):
    path, rgb = color(folder, planar)
    return Image(path, rgb, np.eye(4), notes=("1 mm is assumed", "no image position"))


@VALUES("us-region-in-cm")
def us_region(folder):
    region = Dataset()
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.02, 0.03
    path, rgb = color(folder, 0, SequenceOfUltrasoundRegions=[region])
    return Image(path, rgb, np.diag([0.2, 0.3, 1, 1]), notes=("no image position",))


@VALUES("io54-palette")
def palette(folder):
    tables = [np.arange(256)[:: 1 - 2 * i] * 257 for i in range(2)] + [np.full(256, 40 * 257)]
    values = {}
    for name, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        values[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        values[f"{name}PaletteColorLookupTableData"] = table.astype("<u2").tobytes()
    pixels = (DATA[0] % 256).astype(np.uint8)
    path = one(
        folder,
        pixels,
        PhotometricInterpretation="PALETTE COLOR",
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        modality="US",
        **values,
    )
    rgb = np.stack([table[pixels] // 257 for table in tables], -1)
    return Image(path, rgb[None], placed())


@VALUES.each(
    "spacing-of",
    {
        "detector": ("ImagerPixelSpacing", "spacing at the detector"),
        "film": ("NominalScannedPixelSpacing", "scanned film"),
    },
)
def spacing_of(keyword, note, folder):
    path = one(folder, PixelSpacing=None, modality="DX", **{keyword: [0.2, 0.1]})
    place = placed(mm=(0.2, 0.1))
    return Image(path, DATA[:1], place, notes=(note,))


@VALUES.each("spacing-0", {"zero": ([0.0, 0.0],), "absent": (None,)})
def spacing_0(value, folder):
    return Image(
        one(folder, PixelSpacing=value), DATA[:1], placed(mm=(1, 1)), "HU", ("1 mm is assumed",)
    )
