"""DICOM images that pydicom writes; pixels and places are those that were written."""

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
    RLELossless,
    RTDoseStorage,
    UltrasoundMultiFrameImageStorage,
    XRayAngiographicImageStorage,
    generate_uid,
)

from tests.corpus.rows import Image, Refused, Rows, counted, matrix

DICOM = Rows()
DATA = counted((4, 5, 6))
"""``(z, y, x)``."""
POSITION = np.array([-20.0, 11.5, 7.0])
ROW, COLUMN = (0.8, 0.6, 0.0), (-0.48, 0.64, 0.6)
UPRIGHT = (1, 0, 0, 0, 1, 0)
IN_TIME = "follow each other in time"


def image(pixels, sop_class=CTImageStorage, modality="CT", **values):
    """A data set with pixels of 16 bits, ``(y, x)`` or ``(frames, y, x)``."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = sop_class, generate_uid()
    made.Modality, made.SeriesNumber, made.SeriesInstanceUID = modality, 3, "1.2.3"
    made.Rows, made.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        made.NumberOfFrames = len(pixels)
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 16, 15
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    made.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    made.PixelSpacing, made.SliceThickness = [2.0, 1.5], 3.0
    for keyword, value in values.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    return made


def saved(made, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)
    return path


def placed(orientation=UPRIGHT, mm=(2.0, 1.5), step=3.0, position=POSITION):
    """4 x 4 from ``(x, y, z)`` to LPS millimetres of slices along their normal."""
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    return matrix([row * mm[1], column * mm[0], np.cross(row, column) * step], position)


def slices(folder, data=DATA, orientation=UPRIGHT, step=3.0, of_slice=lambda z: {}, **values):
    """A file for each slice, along the normal; the names are in another order."""
    normal = np.cross(orientation[:3], orientation[3:])
    for z, pixels in enumerate(data):
        at = POSITION + z * step * normal
        of_it = {
            "ImagePositionPatient": [round(float(mm), 9) for mm in at],
            "ImageOrientationPatient": list(orientation),
            "InstanceNumber": z + 1,
        }
        saved(image(pixels, **{**of_it, **values, **of_slice(z)}), folder / f"{(7 * z) % 31:02d}.dcm")
    return folder


@DICOM.each("io47-orientation", {
    "axial": (UPRIGHT,), "coronal": ((1, 0, 0, 0, 0, -1),), "sagittal": ((0, 1, 0, 0, 0, -1),),
    "oblique": ((*ROW, *COLUMN),), "feet-first": ((-1, 0, 0, 0, 1, 0),), "prone": ((-1, 0, 0, 0, -1, 0),),
    "upside-down": ((1, 0, 0, 0, -1, 0),), "turned": ((0, 1, 0, -1, 0, 0),),
})  # fmt: skip
def orientation_of_series(orientation, folder):
    return Image(slices(folder, orientation=orientation), DATA, placed(orientation), "HU")


@DICOM("io47-tilt")
def tilt(folder):
    def shifted(z):
        return {"ImagePositionPatient": [-20.0, 11.5 + 1.5 * z, 7.0 + 3 * z]}

    place = matrix([(1.5, 0, 0), (0, 2, 0), (0, 1.5, 3)], POSITION)
    return Image(slices(folder, of_slice=shifted), DATA, place, "HU", ("gantry tilt of 26.6",))


@DICOM("io65-positions-rounded")
def rounded(folder):
    orientation = (*ROW, *COLUMN)
    normal = np.cross(ROW, COLUMN)

    def position(z):
        return {"ImagePositionPatient": np.round(POSITION + 6.4956 * z * normal, 2).tolist()}

    made = slices(folder, orientation=orientation, of_slice=position)
    last = np.round(POSITION + 6.4956 * 3 * normal, 2)
    place = placed(orientation)
    place[:3, 2] = (last - POSITION) / 3
    return Image(made, DATA, place, "HU")


@DICOM("io66-slice-missing")
def slice_missing(folder):
    made = slices(folder, of_slice=lambda z: {"ImagePositionPatient": [0, 0, 1.6 * (z + (z > 1))]})
    return Refused(made, ("1 slice is missing between 1.6 and 4.8 mm", "gaps='fill'"))


@DICOM("io66-slice-missing-filled")
def slice_filled(folder):
    made = slices(
        folder,
        DATA * 2,
        of_slice=lambda z: {"ImagePositionPatient": [0, 0, 1.6 * (z + (z > 1))]},
    )
    between = (DATA[1:2] + DATA[2:3]).astype(float)
    values = np.concatenate([DATA[:2] * 2, between, DATA[2:] * 2])
    return Image(
        made, values, placed(step=1.6, position=(0, 0, 0)), "HU", ("1 slice was missing",), {"gaps": "fill"}
    )


@DICOM("io30-uneven")
def uneven(folder):
    made = slices(folder, of_slice=lambda z: {"ImagePositionPatient": [0, 0, (0, 3, 7.4, 10)[z]]})
    return Refused(made, ("unevenly spaced, from 2.60 to 4.40 mm", "--gaps"))


@DICOM("io32-slice-twice")
def slice_twice(folder):
    slices(folder)
    copy = image(
        DATA[1], ImagePositionPatient=[-20, 11.5, 10], ImageOrientationPatient=list(UPRIGHT), InstanceNumber=9
    )
    saved(copy, folder / "copy.dcm")
    return Refused(folder, ("copy.dcm", "10.0 mm"))


@DICOM("io32-file-twice")
def file_twice(folder):
    slices(folder)
    (folder / "copy").write_bytes((folder / "07.dcm").read_bytes())
    return Image(folder, DATA, placed(), "HU")


@DICOM("io34-one-position")
def one_position(folder):
    made = slices(
        folder, of_slice=lambda z: {"ImagePositionPatient": [1, 2, 3], "SliceLocation": 3.0 * z}
    )
    return Refused(made, ("same ImagePositionPatient", "from 0.0 to 9.0 mm"))


@DICOM.each("io36-name", {"no-ending": ("I10",), "img": ("a.img",), "tif": ("a.tif",), "number": ("a.1234",), "nii": ("a.nii",)})
def name_of_file(name, folder):
    made = image(DATA[0], ImagePositionPatient=POSITION.tolist(), ImageOrientationPatient=list(UPRIGHT))
    return Image(saved(made, folder / name), DATA[:1], placed(), "HU")


@DICOM("io37-cd-with-a-viewer")
def cd_with_a_viewer(folder):
    for number in range(60):
        (folder / f"{number:02d}.dll").write_bytes(b"MZ" * 200)
    slices(folder / "DICOM" / "PAT1")
    return Image(folder, DATA, placed(), "HU")


@DICOM("io45-directions-off")
def directions_off(folder):
    made = slices(
        folder, of_slice=lambda z: {"ImageOrientationPatient": [1, 0.0005 * (z == 2), 0, 0, 1, 0]}
    )
    return Image(made, DATA, placed(), "HU")


# Volumes at one place.


def volumes(folder, name, values, shared=None, **fixed):
    """Two volumes at one place that differ in an element."""
    for index, value in enumerate(values):
        slices(
            folder / str(index), DATA + 100 * index,
            of_slice=lambda z, i=index, v=value: {
                "InstanceNumber": z + 1 + len(DATA) * i, name: v(z) if callable(v) else v, **(shared or {}),
            },
            sop_class=MRImageStorage, modality="MR", **fixed,
        )  # fmt: skip
    return folder


TELLING = {
    "EchoTime": (4.6, 9.2), "TemporalPositionIdentifier": (1, 2), "DiffusionBValue": (0.0, 1000.0),
    "TriggerTime": (0.0, 50.0), "AcquisitionNumber": (1, 2), "AcquisitionTime": ("101010.5", "101020.5"),
    "ImageType": (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"]),
}  # fmt: skip
BEYOND = {
    "InversionTime": (400.0, 2500.0), "FlipAngle": (5.0, 20.0), "EchoNumbers": (1, 2),
    "ContentTime": ("101010", "101020"), "DiffusionGradientOrientation": ([1.0, 0, 0], [0, 1.0, 0]),
    "ConvolutionKernel": ("B30f", "B60f"), "RepetitionTime": (500.0, 2000.0), "KVP": (80.0, 140.0),
    "NominalPercentageOfCardiacPhase": (30.0, 70.0),
}  # fmt: skip


@DICOM.each("io28-volumes", {
    f"{name}-{i}": (name, values, i) for name, values in {**TELLING, **BEYOND}.items() for i in (0, 1)
})  # fmt: skip
def volumes_by(keyword, values, index, folder):
    made = volumes(folder, keyword, values)
    return Image(made, DATA + 100 * index, placed(), options={"frame": index})


@DICOM.each("io28-named", {k: (k, v) for k, v in {**TELLING, **BEYOND}.items()})
def volumes_named(keyword, values, folder):
    """The message names what varies, not the number of the file."""
    return Refused(volumes(folder, keyword, values), (f"2 volumes of 4 slices differ in {keyword}", "frame=1"))


@DICOM("io28-echoes-microns-apart")
def echoes_apart(folder):
    for index in (0, 1):
        slices(
            folder / str(index), DATA + 100 * index, sop_class=MRImageStorage, modality="MR",
            of_slice=lambda z, i=index: {
                "EchoTime": 4.6 * (i + 1), "ImagePositionPatient": [-20, 11.5, 7 + 3 * z + 0.002 * i],
            },
        )  # fmt: skip
    return Image(folder, DATA + 100, placed(position=POSITION + (0, 0, 0.002)), options={"frame": 1})


@DICOM("io67-trigger-times-of-slices")
def trigger_times(folder):
    made = volumes(folder, "TriggerTime", (lambda z: 10.0 + z, lambda z: 60.0 + 2 * z))
    return Image(made, DATA + 100, placed(), options={"frame": 1})


# Intensities.


def one(folder, pixels=DATA[0], **values):
    made = image(
        pixels, **{"ImagePositionPatient": POSITION.tolist(), "ImageOrientationPatient": list(UPRIGHT), **values}
    )
    return saved(made, folder / "a.dcm")


RESCALE = {
    "HU": "HU", "US": "", "OD": "{mOD}", "MGML": "mg/ml", "PCT": "%", "Z_EFF": "{Zeff}", "ED": "10*23/ml",
    "EDW": "{EDW}", "HU_MOD": "{HU_MOD}", "nonsense": "",
}  # fmt: skip


@DICOM.each("io07-rescale-type", {name: (name, unit) for name, unit in RESCALE.items()})
def type_of_rescale(name, unit, folder):
    path = one(folder, RescaleSlope=0.5, RescaleIntercept=-1024, RescaleType=name)
    notes = () if name == "HU" else (f"Rescale Type is {name}",)
    return Image(path, DATA[:1] * 0.5 - 1024, placed(), unit, notes)


@DICOM("io07-rescale-differs-by-slice")
def rescale_by_slice(folder):
    made = slices(folder, of_slice=lambda z: {"RescaleSlope": 1.0 + z, "RescaleIntercept": -z})
    factor = np.arange(4)[:, None, None]
    return Image(made, DATA * (1.0 + factor) - factor, placed(), "HU")


SUV_TYPES = {
    "LBM": "g/ml{SUVlbm}", "LBMJAMES128": "g/ml{SUVlbm(James128)}", "LBMJANMA": "g/ml{SUVlbm(Janma)}",
    "IBW": "g/ml{SUVibw}", "BW": "g/ml{SUVbw}", "": "g/ml{SUVbw}",
}  # fmt: skip


@DICOM.each("io07-suv-type", {name or "none": (name, unit) for name, unit in SUV_TYPES.items()})
def suv_type(name, unit, folder):
    path = one(
        folder, sop_class=PositronEmissionTomographyImageStorage, modality="PT", Units="GML", SUVType=name
    )
    notes = () if name in ("", "BW") else (f"SUV Type is {name}",)
    return Image(path, DATA[:1], placed(), unit, notes)


@DICOM("io07-suv-bsa")
def suv_bsa(folder):
    path = one(
        folder, sop_class=PositronEmissionTomographyImageStorage, modality="PT", Units="CM2ML", SUVType="BSA"
    )
    return Image(path, DATA[:1], placed(), "cm2/ml{SUVbsa}", ("CM2ML",))


@DICOM.each("io06-modality-lut", {
    "16-bit": (16, "US", "<u2", 65535), "8-bit": (8, "US", "<u1", 255), "hu": (16, "HU", "<u2", 4095),
})  # fmt: skip
def modality_lut(bits, kind, dtype, high, folder):
    values = np.linspace(0, high, 256).astype(dtype)
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [256, 0, bits], kind
    table.add_new("LUTData", "OW", values.tobytes())
    pixels = (DATA[0] % 256).astype(np.uint16)
    path = one(folder, pixels, ModalityLUTSequence=[table], modality="CT")
    notes = () if kind == "HU" else ("not Hounsfield units",)
    return Image(path, values[pixels][None], placed(), "HU" if kind == "HU" else "", notes)


@DICOM("io06-lut-beyond-its-ends")
def lut_ends(folder):
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [4, 10, 16], "US"
    table.add_new("LUTData", "OW", np.array([5, 6, 7, 9], "<u2").tobytes())
    pixels = np.array([[0, 10, 11], [12, 13, 900]], np.uint16)
    path = one(folder, pixels, ModalityLUTSequence=[table], modality="MR", sop_class=MRImageStorage)
    return Image(path, np.array([[[5, 5, 6], [7, 9, 9]]]), placed())


SYNTAXES = {
    "implicit": ImplicitVRLittleEndian, "deflated": DeflatedExplicitVRLittleEndian,
    "explicit": ExplicitVRLittleEndian,
}  # fmt: skip


@DICOM.each("io52-syntax", {name: (uid,) for name, uid in SYNTAXES.items()})
def transfer_syntax(uid, folder):
    made = image(DATA[0], ImagePositionPatient=POSITION.tolist(), ImageOrientationPatient=list(UPRIGHT))
    made.file_meta.TransferSyntaxUID = uid
    return Image(saved(made, folder / "a.dcm"), DATA[:1], placed(), "HU")


@DICOM("io52-big-endian")
def big_endian(folder):
    made = image(DATA[0], ImagePositionPatient=POSITION.tolist(), ImageOrientationPatient=list(UPRIGHT))
    made.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    made.PixelData = DATA[0].astype(">i2").tobytes()
    made["PixelData"].VR = "OW"
    return Image(saved(made, folder / "a.dcm"), DATA[:1], placed(), "HU")


@DICOM("io52-rle")
def rle(folder):
    made = image(DATA[0], ImagePositionPatient=POSITION.tolist(), ImageOrientationPatient=list(UPRIGHT))
    made.compress(RLELossless)
    return Image(saved(made, folder / "a.dcm"), DATA[:1], placed(), "HU")


@DICOM.each("io52-bits", {"12-signed": (12, 1), "12-unsigned": (12, 0), "10-unsigned": (10, 0)})
def bits_stored(bits, signed, folder):
    """Bits above those stored hold an overlay, which is no intensity."""
    low = -(2 ** (bits - 1)) if signed else 0
    values = (DATA[0].astype(int) % 2**bits) + low
    stored = (values % 2**bits).astype(np.uint16) | np.uint16(0x8000)
    path = one(folder, stored, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=signed)
    return Image(path, values[None], placed(), "HU")


@DICOM("monochrome1")
def monochrome1(folder):
    path = one(folder, PhotometricInterpretation="MONOCHROME1")
    return Image(path, DATA[:1], placed(), "HU", ("MONOCHROME1",))


def color(folder, planar, **values):
    rgb = np.stack([DATA[0] % 256, (DATA[0] + 50) % 256, (DATA[0] + 90) % 256], -1).astype(np.uint8)
    stored = np.moveaxis(rgb, -1, 0) if planar else rgb
    made = image(
        DATA[0], SamplesPerPixel=3, PhotometricInterpretation="RGB", BitsAllocated=8, BitsStored=8, HighBit=7,
        PixelRepresentation=0, PlanarConfiguration=planar, PixelData=stored.tobytes(), PixelSpacing=None,
        SliceThickness=None, modality="US", **values,
    )  # fmt: skip
    return saved(made, folder / "a.dcm"), rgb[None]


@DICOM.each("io54-colour", {"by-pixel": (0,), "by-plane": (1,)})
def colour(planar, folder):
    path, rgb = color(folder, planar)
    return Image(path, rgb, np.eye(4), notes=("1 mm is assumed", "no image position"))


@DICOM("us-region-in-cm")
def us_region(folder):
    region = Dataset()
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.02, 0.03
    path, rgb = color(folder, 0, SequenceOfUltrasoundRegions=[region])
    return Image(path, rgb, np.diag([0.2, 0.3, 1, 1]), notes=("no image position",))


@DICOM("io54-palette")
def palette(folder):
    tables = [np.arange(256)[:: 1 - 2 * i] * 257 for i in range(2)] + [np.full(256, 40 * 257)]
    values = {}
    for name, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        values[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        values[f"{name}PaletteColorLookupTableData"] = table.astype("<u2").tobytes()
    pixels = (DATA[0] % 256).astype(np.uint8)
    path = one(
        folder, pixels, PhotometricInterpretation="PALETTE COLOR", BitsAllocated=8, BitsStored=8, HighBit=7,
        modality="US", **values,
    )  # fmt: skip
    rgb = np.stack([table[pixels] // 257 for table in tables], -1)
    return Image(path, rgb[None], placed())


@DICOM.each("spacing-of", {
    "detector": ("ImagerPixelSpacing", "spacing at the detector"), "film": ("NominalScannedPixelSpacing", "scanned film"),
})  # fmt: skip
def spacing_of(keyword, note, folder):
    path = one(folder, PixelSpacing=None, modality="DX", **{keyword: [0.2, 0.1]})
    place = placed(mm=(0.2, 0.1))
    return Image(path, DATA[:1], place, notes=(note,))


@DICOM.each("spacing-0", {"zero": ([0.0, 0.0],), "absent": (None,)})
def spacing_0(value, folder):
    return Image(one(folder, PixelSpacing=value), DATA[:1], placed(mm=(1, 1)), "HU", ("1 mm is assumed",))


# Several frames in one file.


def frames(folder, sop_class, modality, pixels=DATA, **values):
    return saved(image(pixels, sop_class, modality, **values), folder / "a.dcm")


@DICOM("io33-xa-cine")
def xa_cine(folder):
    path = frames(folder, XRayAngiographicImageStorage, "XA", PixelSpacing=None, FrameTime=66.7,
                  ImagerPixelSpacing=[0.2, 0.1], FrameIncrementPointer=0x00181063)  # fmt: skip
    notes = ("at the detector", "no image position", IN_TIME)
    return Image(path, DATA, np.diag([0.1, 0.2, 3, 1]), notes=notes)


@DICOM("io33-us-cine")
def us_cine(folder):
    path = frames(folder, UltrasoundMultiFrameImageStorage, "US", FrameTime=40, FrameIncrementPointer=0x00181063)
    return Image(path, DATA, np.diag([1.5, 2, 3, 1]), notes=("no image position", IN_TIME))


def nuclear(folder, kind, vectors, pixels):
    detector = Dataset()
    detector.ImagePositionPatient, detector.ImageOrientationPatient = POSITION.tolist(), list(UPRIGHT)
    tags = {"SliceVector": 0x00540080, "TimeSlotVector": 0x00540070, "AngularViewVector": 0x00540090,
            "PhaseVector": 0x00540030, "DetectorVector": 0x00540020, "EnergyWindowVector": 0x00540010,
            "TimeSliceVector": 0x00540100, "RotationVector": 0x00540050, "RRIntervalVector": 0x00540060}  # fmt: skip
    return frames(
        folder, NuclearMedicineImageStorage, "NM", pixels, ImageType=["ORIGINAL", "PRIMARY", *kind],
        DetectorInformationSequence=[detector], SpacingBetweenSlices=3.0,
        FrameIncrementPointer=[tags[name] for name in vectors], **vectors,
    )  # fmt: skip


@DICOM.each("io05-nm-gated", {"0": (0,), "1": (1,)})
def nm_gated(index, folder):
    pixels = np.concatenate([DATA, DATA + 100])
    vectors = {"TimeSlotVector": [1] * 4 + [2] * 4, "SliceVector": [1, 2, 3, 4] * 2}
    path = nuclear(folder, ["RECON GATED TOMO", "EMISSION"], vectors, pixels)
    return Image(path, DATA + 100 * index, placed(), options={"frame": index})


@DICOM("io05-nm-slices-falling")
def nm_falling(folder):
    path = nuclear(folder, ["RECON TOMO", "EMISSION"], {"SliceVector": [4, 3, 2, 1]}, DATA)
    place = placed(position=POSITION - (0, 0, 9))
    return Image(path, DATA[::-1], place)


@DICOM.each("io05-nm", {
    "projections": ("AngularViewVector", ["TOMO", "EMISSION"], "projections"),
    "dynamic": ("TimeSliceVector", ["DYNAMIC", "EMISSION"], IN_TIME),
    "phases": ("PhaseVector", ["DYNAMIC", "EMISSION"], IN_TIME),
    "detectors": ("DetectorVector", ["STATIC", "EMISSION"], "detectors or energy windows"),
    "windows": ("EnergyWindowVector", ["WHOLE BODY", "EMISSION"], "detectors or energy windows"),
})  # fmt: skip
def nm_frames(vector, kind, note, folder):
    path = nuclear(folder, kind, {vector: [1, 2, 3, 4]}, DATA)
    return Image(path, DATA, placed(), notes=(note,))


@DICOM.each("io58-dose", {"rising": (1,), "falling": (-1,)})
def dose(sign, folder):
    path = frames(
        folder, RTDoseStorage, "RTDOSE", ImagePositionPatient=POSITION.tolist(), DoseUnits="GY",
        ImageOrientationPatient=list(UPRIGHT), GridFrameOffsetVector=[sign * 2.5 * z for z in range(4)],
        DoseGridScaling=0.5, FrameIncrementPointer=0x3004000C,
    )  # fmt: skip
    first = POSITION if sign > 0 else POSITION - (0, 0, 7.5)
    return Image(path, DATA[::sign] * 0.5, placed(step=2.5, position=first), "Gy")


@DICOM.each("io69-names", {
    "japan": ("\\ISO 2022 IR 87", "肝臓"), "china": ("GB18030", "肝脏"), "russia": ("ISO_IR 144", "Печень"),
    "korea": ("\\ISO 2022 IR 149", "간"), "utf-8": ("ISO_IR 192", "Žlučník 肝臓"), "greek": ("ISO_IR 126", "ήπαρ"),
    "arabic": ("ISO_IR 127", "كبد"), "hebrew": ("ISO_IR 138", "כבד"), "thai": ("ISO_IR 166", "ตับ"),
    "latin-2": ("ISO_IR 101", "Žlučník"), "latin-5": ("ISO_IR 148", "karaciğer"), "gbk": ("GBK", "肝脏"),
})  # fmt: skip
def names_of_series(charset, name, folder):
    path = one(folder, SpecificCharacterSet=charset.split("\\"), SeriesDescription=name)
    return Named(path, name)


@DICOM("io69-names-china-2022")
def names_with_escapes(folder):
    """The escape sequence before the Chinese set, which pydicom reads and does not write."""
    path = one(folder, SpecificCharacterSet=["", "ISO 2022 IR 58"], SeriesDescription="x" * 8)
    encoded = b"\x1b$)A" + "肝脏".encode("gb2312")
    path.write_bytes(path.read_bytes().replace(b"x" * 8, encoded))
    return Named(path, "肝脏")


class Named:
    """A file whose series has a name in some character set."""

    def __init__(self, path, name):
        self.path, self.name = path, name

    def check(self):
        import napari_medvlm as nmv

        assert nmv.read_volume(self.path).name == self.name
