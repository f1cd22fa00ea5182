"""The slices of one volume, out of all that a series holds."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_medvlm.data.errors import InvalidImage, SeveralVolumes
from napari_medvlm.io.dicom.frames import Plane
from napari_medvlm.io.dicom.header import first_number, text
from napari_medvlm.io.dicom.multi_volume import split
from napari_medvlm.io.dicom.slice_gaps import Gaps, Stack, regular

SAME_POSITION_MM = 1e-3
NEAR, NEAR_OF_STEP = 0.01, 0.05
"""How far apart slices at one position may lie: parts of their thickness, and of the distance to
the next position."""


def stack(planes: Sequence[Plane], frame: int | None, gaps: Gaps) -> Stack:
    """The slices of one volume in their order.

    Parameters
    ----------
    frame
        Which volume, from 0, of a series with several at one place.

    Raises
    ------
    InvalidImage
        If a choice is needed, or if the slices do not make one regular volume.
    """
    notes: tuple[str, ...] = ()
    if all(plane.placed for plane in planes):
        _require_alike(planes)
        notes = _shared_frame_of_reference(planes)
        chosen = _volume_at_places(planes, frame)
    else:
        chosen = _volume_by_file(planes, frame)
        _require_alike(chosen)
    regular_stack = regular(sorted(chosen, key=_height(chosen[0])), gaps)
    return replace(regular_stack, notes=(*regular_stack.notes, *notes)) if notes else regular_stack


def _shared_frame_of_reference(planes: Sequence[Plane]) -> tuple[str, ...]:
    """See that the positions are of one space; a note where each file names one of its own."""
    frames = [text(plane.header, "FrameOfReferenceUID") for plane in planes]
    count = len(set(frames))
    if count == 1:
        return ()
    if count == len(planes):
        return (
            "Each slice has a FrameOfReferenceUID of its own, as some anonymisers write; their "
            "positions were taken to be of one space.",
        )
    raise _mixed(planes, f"slices of {count} frames of reference", frames)


def _height(first: Plane) -> Callable[[Plane], float]:
    """How far along the first slice's normal a slice lies, in millimetres."""
    normal = first.normal
    return lambda plane: float(plane.position @ normal)


def _require_alike(planes: Sequence[Plane]) -> None:
    sizes = Counter(plane.size for plane in planes)
    if len(sizes) > 1:
        kinds = ", ".join(
            f"{n} of {rows} x {columns}" for (rows, columns, _), n in sizes.most_common()
        )
        raise _mixed(planes, f"images of different sizes: {kinds} pixels", [p.size for p in planes])
    reference = [planes[0]]
    kind = []
    for plane in planes:
        near = [i for i, other in enumerate(reference) if _parallel(plane, other)]
        if not near:
            reference.append(plane)
        kind.append(near[0] if near else len(reference) - 1)
    if len(reference) > 1:
        counts = " and ".join(str(n) for _, n in Counter(kind).most_common())
        raise _mixed(planes, f"slices of {len(reference)} orientations or spacings: {counts}", kind)


def _parallel(a: Plane, b: Plane) -> bool:
    turned = np.abs(a.orientation - b.orientation).max() > 1e-3
    scaled = np.abs(a.pixel_mm / b.pixel_mm - 1).max() > 1e-3
    return not (turned or scaled)


def _mixed(planes: Sequence[Plane], what: str, kinds: Sequence[Hashable]) -> InvalidImage:
    """An error that names the files of the rarer kinds, localizers mostly."""
    common = Counter(kinds).most_common(1)[0][0]
    pairs = zip(planes, kinds, strict=True)
    others = list(dict.fromkeys(plane.path.name for plane, kind in pairs if kind != common))
    listed = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    return InvalidImage(
        f"The series mixes {what}.",
        f"Move localizers and the like out of the folder ({listed}), open one file alone, or "
        "choose another series.",
    )


def _volume_by_file(planes: Sequence[Plane], frame: int | None) -> list[Plane]:
    """Choose one of the files, which form no volume without image positions."""
    files: dict[Path, list[Plane]] = {}
    for plane in planes:
        files.setdefault(plane.path, []).append(plane)
    unknown = (float("inf"),)
    order = sorted(files, key=lambda p: (files[p][0].labels.get("InstanceNumber", unknown), p.name))
    if len(order) == 1:
        return _volume_at_places(planes, frame)
    what = "files without an image position"
    chosen = files[order[_pick(frame, len(order), what, [path.name for path in order])]]
    return _volume_at_places(chosen, None)


def _volume_at_places(planes: Sequence[Plane], frame: int | None) -> list[Plane]:
    places = _places(planes)
    if len(places) == len(planes):
        _pick(frame, 1, "", [])
        return list(planes)
    _require_positions(planes, places)
    volumes = split(places)
    if volumes is None:
        raise _repeated(planes, places)
    keyword, values, divided = volumes
    what = f"volumes of {len(places)} slices differ in {keyword}"
    return divided[_pick(frame, len(divided), what, values)]


def _places(planes: Sequence[Plane]) -> list[list[Plane]]:
    """The slices at each position, in rising order along the normal.

    Positions that differ by rounding, some thousandths of a millimetre, are one if the distance
    between others is much larger.
    """
    exact = _within(planes, SAME_POSITION_MM)
    near = _within(planes, max(SAME_POSITION_MM, NEAR * planes[0].thickness_mm))
    if len(near) in (1, len(exact)):
        return exact
    height = _height(planes[0])
    extents = [(height(group[0]), height(group[-1])) for group in near]
    spread = max(high - low for low, high in extents)
    between = min(b[0] - a[1] for a, b in itertools.pairwise(extents))
    return near if spread <= NEAR_OF_STEP * between else exact


def _within(planes: Sequence[Plane], tolerance_mm: float) -> list[list[Plane]]:
    height = _height(planes[0])
    places: list[list[Plane]] = []
    for plane in sorted(planes, key=height):
        if places and height(plane) - height(places[-1][0]) <= tolerance_mm:
            places[-1].append(plane)
        else:
            places.append([plane])
    return places


def _require_positions(planes: Sequence[Plane], places: Sequence[Sequence[Plane]]) -> None:
    """See that slices at one position have one SliceLocation, if they state any."""
    if len(places) > 1:
        return
    stated = [first_number(plane.header, "SliceLocation") for plane in planes]
    known = {location for location in stated if location is not None}
    if len(known) == len(planes) > 1:
        raise InvalidImage(
            f"All {len(planes)} slices have the same ImagePositionPatient; their SliceLocation "
            f"differs, from {min(known):.1f} to {max(known):.1f} mm.",
            "The positions were lost when the files were written; export the series again.",
        )


def _repeated(planes: Sequence[Plane], places: Sequence[Sequence[Plane]]) -> InvalidImage:
    height = _height(planes[0])
    more = [group for group in places if len(group) > 1]
    times = "occurs" if len(more) == 1 else "occur"
    names = [", ".join(plane.path.name for plane in group[:3]) for group in more[:2]]
    listed = "; ".join(
        f"{height(group[0]):.1f} mm in {files}" for group, files in zip(more, names, strict=False)
    )
    return InvalidImage(
        f"{len(more)} of {len(places)} slice positions {times} more than once ({listed}"
        f"{'; ...' if len(more) > 2 else ''}), and {len(planes)} slices cannot be divided into "
        "volumes of equal size.",
        "Move the slices of all but one volume out of the folder, or choose another series.",
    )


def _pick(frame: int | None, count: int, what: str, values: list[str]) -> int:
    if frame is None and count == 1:
        return 0
    if frame is not None and 0 <= frame < count:
        return frame
    listed = ", ".join(values[:8]) + (", ..." if len(values) > 8 else "")
    if count == 1:
        raise InvalidImage(f"There is no volume {frame}: there is one.", "Leave out `frame`.")
    choice = "" if frame is None else f" There is no volume {frame}."
    raise SeveralVolumes(
        f"{count} {what}: {listed}.{choice}",
        f"Choose one with frame=0 to frame={count - 1} (--frame on the command line).",
        tuple(values),
    )
