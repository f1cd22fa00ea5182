"""The slices of one volume, out of all that a series holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

import numpy as np

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io.dicom.frames import Plane
from napari_medvlm.io.dicom.multi_volume import split
from napari_medvlm.io.dicom.slice_gaps import Gaps, Stack, regular

SAME_PLACE_MM = 1e-3


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
    if all(plane.placed for plane in planes):
        _require_alike(planes)
        chosen = _volume_at_places(planes, frame)
    else:
        chosen = _volume_by_file(planes, frame)
        _require_alike(chosen)
    return regular(sorted(chosen, key=_height(chosen[0])), gaps)


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
    height = _height(planes[0])
    places: list[list[Plane]] = []
    for plane in sorted(planes, key=height):
        if places and height(plane) - height(places[-1][0]) <= SAME_PLACE_MM:
            places[-1].append(plane)
        else:
            places.append([plane])
    if len(places) == len(planes):
        _pick(frame, 1, "", [])
        return list(planes)
    found = split(places)
    if found is None:
        more = sum(len(place) > 1 for place in places)
        raise InvalidImage(
            f"{more} of {len(places)} slice positions occur more than once, and {len(planes)} "
            "slices cannot be divided into volumes of equal size.",
            "Move the slices of all but one volume out of the folder, or choose another series.",
        )
    keyword, values, volumes = found
    what = f"volumes of {len(places)} slices differ in {keyword}"
    return volumes[_pick(frame, len(volumes), what, values)]


def _pick(frame: int | None, count: int, what: str, values: list[str]) -> int:
    if frame is None and count == 1:
        return 0
    if frame is not None and 0 <= frame < count:
        return frame
    listed = ", ".join(values[:8]) + (", ..." if len(values) > 8 else "")
    if count == 1:
        raise InvalidImage(f"There is no volume {frame}: there is one.", "Leave out `frame`.")
    choice = "" if frame is None else f" There is no volume {frame}."
    raise InvalidImage(
        f"{count} {what}: {listed}.{choice}",
        f"Choose one with frame=0 to frame={count - 1} (--frame on the command line).",
    )
