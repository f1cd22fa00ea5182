"""Open medical images for napari's File > Open menu."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_medvlm.data.errors import InvalidImage
    from napari_medvlm.data.geometry.grid import Grid
    from napari_medvlm.data.label_image import NamedLabels
    from napari_medvlm.data.volume import Volume
    from napari_medvlm.io.dicom.read import SeriesInfo

LayerData = tuple[Any, dict[str, Any], str]
Reader = Callable[[Any], list[LayerData]]

MEDICAL = (
    *(".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz", ".mgz", ".mgh"),
    *(".nrrd", ".nhdr", ".mha", ".mhd"),
)
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """The reader for a path, or `None` if it is none of ours.

    Several DICOM files are read as the folder that they lie in.
    """
    paths = [Path(path)] if isinstance(path, str) else [Path(p) for p in path]
    if len(paths) > 1:
        return _read_all if all(_is_ours(p) for p in paths) else None
    return _read_all if _is_ours(paths[0]) else None


def _is_ours(path: Path) -> bool:
    from napari_medvlm.io.dicom.folder import holds_dicom, is_dicom

    if path.is_dir():
        return holds_dicom(path)
    return path.name.lower().endswith((*MEDICAL, *PICTURES)) or (path.is_file() and is_dicom(path))


def _read_all(path: Any) -> list[LayerData]:
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(p) for p in path]
    if len(paths) > 1 and not paths[0].name.lower().endswith((*MEDICAL, *PICTURES)):
        paths = [paths[0].parent]
    return [layer for p in paths for layer in _read(p)]


def _read(path: Path) -> list[LayerData]:
    """One layer, or for a folder of DICOM one for each series of it that is wanted."""
    from napari_medvlm.data.errors import Cancelled, InvalidImage
    from napari_medvlm.layers import labels_data

    named = _objects(path) if path.is_file() else None
    if named is not None:
        return [labels_data(named)]
    layers, refused = [], []
    for series in _series(path) if path.is_dir() else [None]:
        try:
            layers.append(_layer(path, series))
        except Cancelled:
            continue
        except InvalidImage as error:
            refused.append(error)
    if refused and not layers:
        raise refused[0]
    for reason in refused:
        _notify(reason)
    return layers or [(None,)]  # type: ignore[list-item]  # napari's word for nothing


def _objects(path: Path) -> NamedLabels | None:
    """The objects of a file that names them, its notes shown; `None` of an image."""
    from napari_medvlm.io.dicom_objects.rtstruct_read import is_rtstruct, read_on_series
    from napari_medvlm.io.dicom_objects.seg_read import is_seg, read_seg_on_series
    from napari_medvlm.io.embedded_names import embedded_names
    from napari_medvlm.io.label_images import read_labels

    if is_rtstruct(path):
        named = read_on_series(path, _open_series())
    elif is_seg(path):
        named = read_seg_on_series(path, _open_series())
    elif embedded_names(path)[0]:
        named = read_labels(path)
    else:
        return None
    _show_notes((*_mismatch_notes(path), *named.notes))
    return named


def _series(path: Path) -> Sequence[SeriesInfo]:
    """The series of a folder that the person chooses; all of them without a window."""
    from napari_medvlm.data.errors import InvalidImage
    from napari_medvlm.io.dicom.read import list_series

    infos, window = list_series(path), _window()
    if not infos:
        raise InvalidImage(f"There is no DICOM image in {path.name}.", "Choose another folder.")
    if len(infos) < 2 or window is None:
        return infos
    from napari_medvlm.widgets.parts.series_dialog import ask_series

    return ask_series(infos, window)


def _layer(path: Path, series: SeriesInfo | None) -> LayerData:
    """The layer of a file or series; asks for what reading needs if there is a window."""
    from napari import current_viewer

    from napari_medvlm.data.errors import Cancelled, IrregularSlices, SeveralVolumes
    from napari_medvlm.io import read_volume
    from napari_medvlm.layers import layer_data
    from napari_medvlm.layers.display.side_marks import mark_sides
    from napari_medvlm.widgets.parts.read_choices import ReadChoices, ask_choice

    uid, choices = series.uid if series else None, ReadChoices()
    while True:
        try:
            volume = read_volume(path, series=uid, frame=choices.frame, gaps=choices.gaps)
            shown = _spaced(volume)
        except (IrregularSlices, SeveralVolumes) as problem:
            window = _window()
            if window is None:
                raise _unasked(problem) from problem
            further = ask_choice(problem, choices, str(series or path.name), window)
            if further is None:
                raise Cancelled from problem
            choices = further
        else:
            mark_sides(current_viewer())
            return layer_data(shown)


def _unasked(problem: InvalidImage) -> InvalidImage:
    """The error of an image that needs a choice where there is no window to ask in."""
    from napari_medvlm.data.errors import SeveralVolumes

    if not isinstance(problem, SeveralVolumes):
        return problem
    count = len(problem.choices)
    hint = (
        "Open it in a napari window, which asks for the volume, or add a layer with "
        f"napari_medvlm.read_volume(path, frame=...), frame 0 to {count - 1}."
    )
    return SeveralVolumes(problem.message, hint, problem.choices)


def _spaced(volume: Volume) -> Volume:
    """The volume with the size of its voxels, which a person in a window is asked if need be.

    What else was assumed in reading it is shown.
    """
    window = _window()
    if window is None:
        return volume
    if volume.spacing_is_assumed:
        from napari_medvlm.widgets.parts.spacing_dialog import ask_spacing

        volume = ask_spacing(volume, window) or volume
    from napari_medvlm.layers.volume_notes import unshown_notes

    _show_notes(unshown_notes(volume))
    return volume


def _window() -> QWidget | None:
    """The main window of the current viewer, if it is visible."""
    from napari import current_viewer

    viewer = current_viewer()
    # napari has no public name for its main window.
    window = viewer.window._qt_window if viewer else None
    return window if window is not None and window.isVisible() else None


def _open_series() -> dict[str, Grid]:
    """The grids of the series in the viewer, if there is one."""
    from napari import current_viewer

    from napari_medvlm.layers import series_in

    viewer = current_viewer()
    return series_in(viewer.layers) if viewer else {}


def _mismatch_notes(path: Path) -> tuple[str, ...]:
    """How a file differs from all images in the viewer, if it fits none."""
    from napari import current_viewer

    from napari_medvlm.io.dicom_objects.frame_of_reference import open_image_notes
    from napari_medvlm.layers import series_volumes

    viewer = current_viewer()
    return open_image_notes(path, series_volumes(viewer.layers)) if viewer else ()


def _show_notes(notes: Sequence[str]) -> None:
    from napari.utils.notifications import show_warning

    if notes:
        show_warning("\n".join(notes))


def _notify(error: Exception) -> None:
    from napari_medvlm.widgets.runtime.notify import show

    show(error)
