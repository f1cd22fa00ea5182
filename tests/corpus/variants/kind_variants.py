"""Secondary captures, radiographs, slides and other images that are no plain series."""

import numpy as np
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    MRImageStorage,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    RTImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
    VLWholeSlideMicroscopyImageStorage,
)

from tests.corpus.dicom_files import (
    DATA,
    frames,
    image,
    one,
    placed,
    saved,
    slices,
)
from tests.corpus.rows import Image, Refused, Rows

KINDS = Rows()
BYTES = (DATA % 256).astype(np.uint8)
EIGHT = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}


@KINDS.each(
    "capture-of-ct",
    {"8-bit": (BYTES[0], EIGHT), "16-bit": (DATA[0], {})},
)
def capture_of_ct(pixels, values, folder):
    """A picture of a screen has the modality of what it shows, and no Hounsfield units."""
    path = one(
        folder, pixels, sop_class=SecondaryCaptureImageStorage, SliceThickness=None, **values
    )
    return Image(path, pixels[None], placed(step=1), notes=("not Hounsfield units",))


@KINDS("capture-of-ct-rescaled")
def capture_rescaled(folder):
    """Reformatted slices that a workstation writes as secondary captures, in HU."""
    path = one(
        folder,
        sop_class=SecondaryCaptureImageStorage,
        RescaleType="HU",
        RescaleSlope=1,
        RescaleIntercept=-1024,
    )
    return Image(path, DATA[:1] - 1024, placed(), "HU")


@KINDS("capture-of-ct-frames")
def capture_frames(folder):
    path = frames(folder, MultiFrameGrayscaleByteSecondaryCaptureImageStorage, "CT", BYTES, **EIGHT)
    notes = ("no image position", "not Hounsfield units")
    return Image(path, BYTES, np.diag([1.5, 2, 3, 1]), notes=notes)


@KINDS.each(
    "detector-spacing-repeated",
    {"DX": ("DX",), "CR": ("CR",), "MG": ("MG",)},
)
def detector(modality, folder):
    """Pixel spacing equal to that of the detector is not corrected for magnification."""
    path = one(
        folder,
        sop_class=DigitalXRayImageStorageForPresentation,
        modality=modality,
        PixelSpacing=[0.2, 0.1],
        ImagerPixelSpacing=[0.2, 0.1],
    )
    return Image(path, DATA[:1], placed(mm=(0.2, 0.1)), notes=("at the detector",))


@KINDS("detector-spacing-calibrated")
def calibrated(folder):
    path = one(
        folder,
        sop_class=DigitalXRayImageStorageForPresentation,
        modality="DX",
        PixelSpacing=[0.18, 0.09],
        ImagerPixelSpacing=[0.2, 0.1],
        PixelSpacingCalibrationType="GEOMETRY",
    )
    return Image(path, DATA[:1], placed(mm=(0.18, 0.09)))


@KINDS("portal-image")
def portal(folder):
    path = one(
        folder,
        sop_class=RTImageStorage,
        modality="RTIMAGE",
        PixelSpacing=None,
        ImagePlanePixelSpacing=[0.4, 0.3],
    )
    return Image(path, DATA[:1], placed(mm=(0.4, 0.3)), notes=("image plane",))


@KINDS.each("aspect", {"2-1": ([2, 1],), "3-4": ([3, 4],)})
def aspect(ratio, folder):
    """Pixels that are not square and of an unknown size keep their shape."""
    path = one(
        folder,
        modality="US",
        sop_class=UltrasoundImageStorage,
        PixelSpacing=None,
        PixelAspectRatio=ratio,
    )
    height, width = (value / min(ratio) for value in ratio)
    return Image(path, DATA[:1], placed(mm=(height, width)), notes=("is unknown",))


@KINDS("slide")
def slide(folder):
    """The frames of a whole slide are tiles of one picture, no slices."""
    path = frames(
        folder,
        VLWholeSlideMicroscopyImageStorage,
        "SM",
        BYTES,
        DimensionOrganizationType="TILED_FULL",
        TotalPixelMatrixColumns=12,
        TotalPixelMatrixRows=10,
        **EIGHT,
    )
    return Refused(path, ("tiles",))


@KINDS("frames-of-reference-differ")
def frames_of_reference(folder):
    """Slices in two frames of reference do not lie in one space."""
    made = slices(
        folder, of_slice=lambda z: {"FrameOfReferenceUID": "1.2.3.4" if z < 2 else "1.2.3.5"}
    )
    return Refused(made, ("frames of reference",))


@KINDS("scout-in-the-series")
def scout(folder):
    slices(folder)
    extra = image(
        DATA[0],
        CTImageStorage,
        "CT",
        ImagePositionPatient=[0, -100, 50],
        ImageOrientationPatient=[1, 0, 0, 0, 0, -1],
        InstanceNumber=99,
    )
    saved(extra, folder / "scout.dcm")
    return Refused(folder, ("scout.dcm", "orientations"))


@KINDS.each("reversed", {"instances": (True,), "positions": (False,)})
def reversed_order(by_instance, folder):
    made = slices(
        folder,
        DATA if by_instance else DATA[::-1],
        of_slice=lambda z: (
            {"InstanceNumber": 40 - z}
            if by_instance
            else {"ImagePositionPatient": [-20.0, 11.5, 7.0 + 3 * (3 - z)]}
        ),
    )
    return Image(made, DATA, placed(), "HU")


@KINDS("thickness-is-not-the-distance")
def overlapping_slices(folder):
    """Slices of 5 mm every 3 mm: the distance counts."""
    return Image(slices(folder, SliceThickness=5.0, SpacingBetweenSlices=2.0), DATA, placed(), "HU")


@KINDS("tilt-and-a-slice-missing")
def tilt_missing(folder):
    def at(z):
        step = z + (z > 1)
        return {"ImagePositionPatient": [-20.0, 11.5 + 1.5 * step, 7.0 + 3 * step]}

    return Refused(slices(folder, of_slice=at), ("1 slice is missing",))


@KINDS("philips-private-scale")
def philips(folder):
    """The rescaled value is the display value; the private slope is no part of it."""

    def of(z):
        return {"RescaleSlope": 1.5, "RescaleIntercept": 2.0, "RescaleType": "normalized"}

    made = slices(folder, of_slice=of, sop_class=MRImageStorage, modality="MR")
    return Image(made, DATA * 1.5 + 2, placed())
