"""NIfTI, Analyze and FreeSurfer's MGH, read by nibabel and, where it declines, by SimpleITK."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.array_checks import require_memory
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.frames import affine_from_ras
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.volume import ASSUMED
from napari_medvlm.io.itk_images import read_itk
from napari_medvlm.io.nifti_affine import nifti_affine
from napari_medvlm.io.raw_header import has_orientation, is_gzip, raw_header, require_offset
from napari_medvlm.io.read_errors import choose_frame, not_scalar, unreadable, unsupported

NIFTI = (".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz")
MGH = (".mgz", ".mgh")
NO_ANALYZE_SIDES = "An Analyze file has no orientation: sides are unknown."
NO_MGH_SIDES = "The header has no orientation (goodRASFlag is 0): sides are unknown."
NO_MGH_SIZE = f"The header has no voxel size; {ASSUMED}"
Read = tuple[NDArray[Any], FloatArray, tuple[str, ...]]


def read_nifti(path: Path, frame: int | None) -> Read:
    """One volume ``(z, y, x)`` of a file, its affine, and what was assumed.

    nibabel's affine is exact for any sform, sheared ones too. Headers that it refuses are read by
    SimpleITK, which is less strict.

    Raises
    ------
    InvalidImage
        As of `napari_medvlm.io.medical_images.read_image`.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        image = nibabel.load(path, keep_file_open=True)
    except (OSError, EOFError, ValueError, OverflowError, ImageFileError, HeaderDataError) as error:
        return _read_leniently(path, frame, error)
    _require_volume(path, image)
    try:
        require_offset(path)
        affine, notes = _affine(image)
        return _data(path, image, frame), affine_from_ras(affine), notes
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise unreadable(path, error) from error


def _read_leniently(path: Path, frame: int | None, error: Exception) -> Read:
    """By SimpleITK, a file that nibabel refused with an error."""
    if not path.exists():
        raise unreadable(path, error) from error
    compressed = is_gzip(path)
    if compressed and not path.name.endswith("z"):
        raise unsupported(
            path, "it is compressed by gzip, unlike its name", f"Rename it to {path.name}.gz."
        ) from error
    try:
        require_offset(path)
        data, affine, notes = read_itk(path, frame)
    except InvalidImage as refused:
        if refused.__cause__ is None:  # read, and refused for what is in it
            raise
        raise _refused(path, error) from error
    if not compressed and path.name.endswith("z"):
        return data, affine, ("The file is not compressed by gzip, unlike its name.", *notes)
    if compressed and _has_bytes_behind(path):
        return data, affine, ("Bytes behind the compressed data were left out.", *notes)
    reason = str(error).strip().splitlines()[-1] if _is_invalid_header(error) else "its kind"
    note = f"The header is not valid ({reason}); it was read as SimpleITK reads it."
    return data, affine, (note, *notes)


def _has_bytes_behind(path: Path) -> bool:
    """Whether something that is no compressed data follows them."""
    try:
        with gzip.open(path) as file:
            while file.read(2**20):
                pass
    except gzip.BadGzipFile:
        return True
    except (OSError, EOFError, zlib.error):
        return False
    return False


def _refused(path: Path, error: Exception) -> InvalidImage:
    if _is_invalid_header(error):
        return unsupported(
            path,
            f"its header is not valid ({error})",
            "Write it again as 16-bit integers or 32-bit numbers with the program that it is from.",
        )
    return unreadable(path, error)


def _is_invalid_header(error: Exception) -> bool:
    from nibabel.spatialimages import HeaderDataError

    return isinstance(error, HeaderDataError)


def _require_volume(path: Path, image: Any) -> None:
    """Refuse what nibabel reads and is no image of real numbers in space."""
    import nibabel

    if isinstance(image, nibabel.Cifti2Image):
        raise unsupported(
            path,
            "it is a CIFTI file, with values of surfaces and grey matter in no grid of voxels",
            "Take the volume out of it with wb_command -cifti-separate … -volume-all.",
        )
    if any(size < 1 for size in image.shape) or not image.shape:
        raise unsupported(
            path,
            f"its header gives the shape {image.shape}",
            "Copy or download the file again, or save it again with the program that it is from.",
        )
    dtype = image.get_data_dtype()
    if dtype.names is not None or dtype.kind == "c":
        raise not_scalar(path)


def _affine(image: Any) -> tuple[FloatArray, tuple[str, ...]]:
    import nibabel

    if isinstance(image.header, nibabel.Nifti1Header):  # NIfTI-2 and pairs are subclasses
        stored = raw_header(Path(image.file_map.get("header", image.file_map["image"]).filename))
        size = image.header["pixdim"] if stored is None else stored["pixdim"]
        affine, notes = nifti_affine(image.header, np.asarray(size[1:4], float))
        return affine, notes if stored is None else (*notes, *_scaling_notes(stored))
    if isinstance(image.header, nibabel.AnalyzeHeader):
        return image.affine, (NO_ANALYZE_SIDES,)
    if isinstance(image, nibabel.MGHImage) and not has_orientation(Path(image.get_filename())):
        return image.affine, (NO_MGH_SIDES, NO_MGH_SIZE)
    return image.affine, ()


def _scaling_notes(stored: Any) -> tuple[str, ...]:
    """That the stored values are used, where the slope or the intercept is no finite number."""
    slope, intercept = float(stored["scl_slope"]), float(stored["scl_inter"])
    if not slope or (math.isfinite(slope) and math.isfinite(intercept)) or math.isnan(slope):
        return ()
    return (
        f"The header has a slope of {slope} and an intercept of {intercept} for the values: "
        "the stored values are used.",
    )


def _data(path: Path, image: Any, frame: int | None) -> NDArray[Any]:
    """One volume of the file, its slope and intercept applied.

    Scaled values are float32 unless the file has float64, and are read by the slice: nibabel
    scales in float64, 8 bytes a voxel.
    """
    shape = (*image.shape, 1, 1)[: max(3, image.ndim)]
    dtype = image.get_data_dtype()
    proxy = image.dataobj
    scaled = (proxy.slope, proxy.inter) != (1, 0)
    kind = np.dtype(np.float32) if scaled and dtype != np.float64 else dtype.newbyteorder("=")
    require_memory(path, float(np.prod(shape[:3], dtype=float)) * (kind.itemsize + 1))
    chosen = choose_frame(path, int(np.prod(shape[3:])), frame)
    last = np.unravel_index(chosen, shape[3:], order="F") if len(shape) > 3 else ()
    if not scaled and not last:
        native = np.asanyarray(proxy).reshape(shape, order="F").astype(kind, copy=False)
        return np.ascontiguousarray(native.T)
    result = np.empty(shape[2::-1], kind)
    if image.ndim < 3:
        result[:] = np.asanyarray(proxy).reshape(shape, order="F").T
        return result
    for z in range(shape[2]):
        result[z] = np.asanyarray(proxy[(slice(None), slice(None), z, *map(int, last))]).T
    return result
