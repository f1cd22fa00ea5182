"""NIfTI, NRRD and MetaImage, read by SimpleITK and, where it declines, by nibabel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.array_checks import finite, require_memory
from napari_medvlm.data.errors import InvalidImage, SeveralVolumes
from napari_medvlm.data.geometry.frames import affine_from_lps, affine_from_ras
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.volume import Modality, Volume

if TYPE_CHECKING:
    from nibabel.spatialimages import SpatialImage

NIFTI = (".nii", ".nii.gz", ".hdr", ".img", ".img.gz")
OTHERS = (".nrrd", ".nhdr", ".mha", ".mhd")
BYTES = {"8-bit": 1, "16-bit": 2, "32-bit": 4, "64-bit": 8}


def read_image(path: Path, frame: int | None = None) -> Volume:
    """Read one volume.

    Parameters
    ----------
    frame
        Which volume of a 4D file, from 0.

    Raises
    ------
    InvalidImage
        If the file cannot be read, is damaged, has more than one volume and none is chosen, holds
        colours or vectors, or does not fit into memory.
    """
    is_nifti = path.name.lower().endswith(NIFTI)
    data, affine = _read_nifti(path, frame) if is_nifti else _read_itk(path, frame)
    mended, notes = finite(data)
    name = path.name.removesuffix(".gz")
    return Volume(
        mended, affine, Modality.UNKNOWN, name.rsplit(".", 1)[0], source=path, notes=notes
    )


def volume_from_nibabel(image: SpatialImage, name: str, modality: Modality) -> Volume:
    """A volume of an image that nibabel has."""
    data, affine = _of_nibabel(image)
    mended, notes = finite(data)
    return Volume(mended, affine, modality, name, notes=notes)


def _read_nifti(path: Path, frame: int | None) -> tuple[NDArray[Any], FloatArray]:
    """By nibabel, whose affine is exact for any sform, sheared ones too."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        image = nibabel.load(path)
    except (OSError, EOFError, ValueError, ImageFileError) as error:
        raise _unreadable(path, error) from error
    itemsize = np.dtype(image.get_data_dtype()).itemsize
    require_memory(path, float(np.prod(image.shape, dtype=float)) * max(itemsize, 4))
    if image.get_data_dtype().names is not None or image.get_data_dtype().kind == "c":
        raise _not_scalar(path)
    shape = image.shape
    volumes = int(np.prod(shape[3:])) if len(shape) > 3 else 1
    chosen = _frame(path, volumes, frame)
    try:
        if len(shape) > 3:
            flat = np.asanyarray(image.dataobj).reshape(*shape[:3], volumes, order="F")
            image = nibabel.Nifti1Image(np.ascontiguousarray(flat[..., chosen]), image.affine)
        return _of_nibabel(image)
    except (OSError, EOFError, ValueError) as error:
        raise _unreadable(path, error) from error
    except Exception as error:
        if type(error).__module__ == "zlib":
            raise _unreadable(path, error) from error
        raise


def _of_nibabel(image: SpatialImage) -> tuple[NDArray[Any], FloatArray]:
    data = np.asanyarray(image.dataobj)
    while data.ndim < 3:
        data = data[..., None]
    native = data.astype(data.dtype.newbyteorder("="), copy=False)
    if native.dtype == np.float64 and image.get_data_dtype() != np.float64:
        native = native.astype(np.float32)  # whole numbers times the header's slope
    return np.ascontiguousarray(native.T), affine_from_ras(image.affine)


def _read_itk(path: Path, frame: int | None) -> tuple[NDArray[Any], FloatArray]:
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        require_memory(path, float(np.prod(reader.GetSize(), dtype=float)) * _itemsize(reader))
        if reader.GetNumberOfComponents() > 1:
            raise _not_scalar(path)
        size = list(reader.GetSize())
        chosen = _frame(path, int(np.prod(size[3:])) if len(size) > 3 else 1, frame)
        image = reader.Execute()
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    data = sitk.GetArrayFromImage(image)
    if len(size) > 3:
        data = data.reshape(-1, *data.shape[-3:])[chosen]
    n = min(len(size), 3)
    direction, spacing, origin = np.eye(3), np.ones(3), np.zeros(3)
    direction[:n, :n] = np.reshape(image.GetDirection(), (len(size), len(size)))[:n, :n]
    spacing[:n], origin[:n] = image.GetSpacing()[:n], image.GetOrigin()[:n]
    return (data[None] if n == 2 else data), affine_from_lps(
        direction.ravel().tolist(), spacing.tolist(), origin.tolist()
    )


def _itemsize(reader: Any) -> int:
    import SimpleITK as sitk

    name = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    return next((size for text, size in BYTES.items() if text in name), 4)


def _frame(path: Path, volumes: int, frame: int | None) -> int:
    if volumes == 1 and frame is None:
        return 0
    if frame is None:
        raise SeveralVolumes(
            f"{path.name} holds {volumes} volumes.",
            f"Choose one of them: frame=0 to frame={volumes - 1} (--frame on the command line).",
            tuple(f"frame {i}" for i in range(volumes)),
        )
    if not 0 <= frame < volumes:
        raise InvalidImage(
            f"{path.name} has no volume {frame}: it holds {volumes}.",
            f"Choose from frame=0 to frame={volumes - 1} (--frame on the command line).",
        )
    return frame


def _not_scalar(path: Path) -> InvalidImage:
    return InvalidImage(
        f"{path.name} holds several values a voxel (colours, vectors or complex numbers).",
        "Save one component, or the magnitude, as an image of its own.",
    )


def _unreadable(path: Path, error: Exception) -> InvalidImage:
    if not path.exists():
        return InvalidImage(
            f"There is no {path.name} in {path.parent.resolve()}.", "Check the path."
        )
    reason = str(error).strip().splitlines()[-1][:160] if str(error).strip() else "no reason given"
    return InvalidImage(
        f"{path.name} cannot be read as an image; it may be damaged or incomplete ({reason}).",
        "Copy or download the file again, or choose another one.",
    )
