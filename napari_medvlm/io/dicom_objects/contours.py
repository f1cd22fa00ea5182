"""Outlines of the pixels of a slice, and back: knows neither patients nor files.

Points are pixel indices ``(y, x)``, pixel centres at whole numbers. An outline runs along the
borders of pixels, half a pixel from every centre: it encloses exactly the area of the pixels, and
whoever asks which centres lie inside finds the same pixels again, whatever rounding a file brings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.grid import FloatArray

ON_THE_LINE = 0.01
"""Pixels; a centre so near to a contour lies on it. Files often round to hundredths of a mm."""


def outlines(plane: NDArray[np.bool_]) -> list[FloatArray]:
    """The outlines of the pixels that are inside, one for each group of pixels with common sides.

    A hole is joined to its outline by a channel of no width between two rows of pixels (a
    "keyhole"), walked in and out again. No outline crosses itself, and pixels that only touch at
    a corner have outlines of their own.

    Parameters
    ----------
    plane
        ``(y, x)``.

    Returns
    -------
    For each ``(N, 2)`` corners ``(y, x)``; the last is joined to the first.
    """
    loops, corners = _loops(plane)
    outer = [loop for loop in loops if _area(loop) > 0]
    holes = sorted(
        (min(loop, key=lambda p: (p[1], p[0])), loop) for loop in loops if _area(loop) < 0
    )
    owner = {point: loop for loop in loops for point in loop}
    holes.sort(key=lambda hole: -hole[0][1])  # the rightmost first: it may end in another hole
    for (row, column), hole in holes:
        end = column - 1
        while not corners[row, end]:
            end -= 1
        target = owner[row, end]
        start, at = hole.index((row, column)), target.index((row, end))
        target[at:at] = [(row, end), *hole[start:], *hole[:start], (row, column)]
    return [_corners_of(loop) - 0.5 for loop in outer]


@dataclass(frozen=True)
class United:
    """The pixels of several outlines of a slice.

    Parameters
    ----------
    inside
        ``(y, x)``.
    holes
        How many outlines lie in another and are holes of it.
    repeated
        How many outlines are the same as another and are not counted.
    """

    inside: NDArray[np.bool_]
    holes: int = 0
    repeated: int = 0


def united(polygons: Sequence[FloatArray], shape: tuple[int, int]) -> United:
    """The pixels in any of several outlines, see `filled` for one.

    An outline that lies in another is a hole of it, one in a hole is filled again. Outlines that
    share a part are united: that part is inside.

    Parameters
    ----------
    polygons
        Corners ``(N, 2)`` as ``(y, x)`` of each; they may reach outside.
    shape
        Of the result ``(y, x)``.
    """
    known = [np.asarray(polygon, np.float64) for polygon in polygons]
    boxes = np.array([[p.min(axis=0), p.max(axis=0)] for p in known]).reshape(-1, 2, 2)
    meet = np.all(boxes[:, None, 0] <= boxes[None, :, 1], axis=-1)
    meet &= meet.T
    if np.count_nonzero(meet) == len(known):
        return United(filled(known, shape))
    within = np.array(
        [[meet[i, j] and i != j and _holds(b, a) for j, b in enumerate(known)]
         for i, a in enumerate(known)]
    )  # fmt: skip
    same = within & within.T
    first = [i for i in range(len(known)) if not same[i, :i].any()]
    within = (within & ~same)[np.ix_(first, first)]
    depth = within.sum(axis=1)
    inside = np.zeros(shape, bool)
    for i in np.flatnonzero(depth % 2 == 0):
        holes = np.flatnonzero(within[:, i] & (depth == depth[i] + 1))
        inside |= filled([known[first[i]], *(known[first[h]] for h in holes)], shape)
    return United(inside, int(np.count_nonzero(depth % 2)), len(known) - len(first))


def _holds(outer: FloatArray, inner: FloatArray) -> bool:
    """Whether all corners of an outline are inside another one or on its line."""
    a, b = outer, np.roll(outer, -1, axis=0)
    along = b - a
    to_corner = inner[:, None] - a
    length = np.maximum((along**2).sum(axis=-1), 1e-12)
    share = np.clip((to_corner * along).sum(axis=-1) / length, 0, 1)
    apart = np.linalg.norm(to_corner - share[..., None] * along, axis=-1).min(axis=1)
    y, x = inner[:, 0, None], inner[:, 1, None]
    spans = (a[:, 0] <= y) != (b[:, 0] <= y)
    rise = np.where(along[:, 0] == 0, 1.0, along[:, 0])
    crossed = spans & (a[:, 1] + (y - a[:, 0]) / rise * along[:, 1] > x)
    odd = np.count_nonzero(crossed, axis=1) % 2 == 1
    return bool((odd | (apart <= ON_THE_LINE)).all())


def filled(polygons: Iterable[FloatArray], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels whose centres lie inside an odd number of polygons, or on the line of one.

    So a polygon in another is a hole, and a keyhole is one too.

    Parameters
    ----------
    polygons
        Corners ``(N, 2)`` as ``(y, x)`` of each; they may reach outside.
    shape
        Of the result ``(y, x)``.
    """
    known = [np.asarray(polygon, np.float64) for polygon in polygons]
    if not known:
        return np.zeros(shape, bool)
    a = np.concatenate(known)
    b = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in known])
    rows, crossed = _crossings(a, b, shape[0], 0.0)
    flips = np.zeros((shape[0], shape[1] + 1), np.int64)
    np.add.at(flips, (rows, np.clip(np.ceil(crossed), 0, shape[1]).astype(int)), 1)
    inside: NDArray[np.bool_] = np.cumsum(flips, axis=1)[:, :-1] % 2 == 1
    steep = np.abs(b - a)[:, 0] >= np.abs(b - a)[:, 1]
    inside |= _touched(a[steep], b[steep], shape)
    flat = ~steep
    inside |= _touched(a[flat][:, ::-1], b[flat][:, ::-1], (shape[1], shape[0])).T
    return inside


Corner = tuple[int, int]


def _loops(plane: NDArray[np.bool_]) -> tuple[list[list[Corner]], NDArray[np.bool_]]:
    """The closed walks along all borders, step by step, inside on the right hand.

    Returns
    -------
    The walks, over corners ``(row, column)`` of which the pixel of that index has the first one;
    and which corners ``(y + 1, x + 1)`` are on any.
    """
    padded = np.pad(plane, 1)
    behind, before = padded[:-1], padded[1:]  # the pixels above and below a row of corners
    north_west, north_east = behind[:, :-1], behind[:, 1:]
    south_west, south_east = before[:, :-1], before[:, 1:]
    leaving = np.stack(  # to the right, down, left, up
        [
            south_east & ~north_east,
            south_west & ~south_east,
            north_west & ~south_west,
            north_east & ~north_west,
        ]
    )
    columns = leaving.shape[2]
    flat = leaving.reshape(4, -1)
    ways, froms = np.nonzero(flat)
    ends = froms + np.array([1, columns, -1, -columns])[ways]
    turns = [(ways + turn) % 4 for turn in (1, 0, 3)]  # around the same pixel if that is possible
    going = np.select([flat[turn, ends] for turn in turns], turns)
    order = np.searchsorted(ways * flat.shape[1] + froms, going * flat.shape[1] + ends)
    places = list(zip(*(p.tolist() for p in np.divmod(froms, columns)), strict=True))
    corners = np.asarray(leaving.any(axis=0))
    return _walks(order.tolist(), places), corners


def _walks(following: Sequence[int], places: Sequence[Corner]) -> list[list[Corner]]:
    walks, seen = [], bytearray(len(following))
    for first in range(len(following)):
        walk, step = [], first
        while not seen[step]:
            seen[step] = 1
            walk.append(places[step])
            step = following[step]
        if walk:
            walks.append(walk)
    return walks


def _area(loop: Sequence[Corner]) -> int:
    """Above 0 for what is inside, below 0 for holes."""
    y, x = np.array(loop).T
    return int((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())


def _corners_of(loop: Sequence[Corner]) -> FloatArray:
    """Only the places where the walk turns."""
    points = np.array(loop, np.float64)
    arriving = points - np.roll(points, 1, axis=0)
    leaving = np.roll(points, -1, axis=0) - points
    unit = [step / np.abs(step).max(axis=1, keepdims=True) for step in (arriving, leaving)]
    return points[(unit[0] != unit[1]).any(axis=1)]


def _crossings(
    a: FloatArray, b: FloatArray, rows: int, reach: float
) -> tuple[NDArray[np.int64], FloatArray]:
    """Where lines from ``a`` to ``b`` meet the centres of rows: the row, and the place on it.

    Each line has its lower end and lacks its upper one, so that joined lines cross a row once;
    with a reach above 0 both ends count, and so much beyond.
    """
    low, high = np.minimum(a[:, 0], b[:, 0]) - reach, np.maximum(a[:, 0], b[:, 0]) + reach
    first = np.clip(np.ceil(low), 0, rows).astype(np.int64)
    stop = np.clip(np.floor(high) + 1 if reach else np.ceil(high), 0, rows).astype(np.int64)
    count = np.maximum(stop - first, 0)
    line = np.repeat(np.arange(len(a)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[line]
    rise = b[:, 0] - a[:, 0]
    slope = np.divide(b[:, 1] - a[:, 1], rise, out=np.zeros(len(a)), where=rise != 0)
    return row, a[line, 1] + (row - a[line, 0]) * slope[line]


def _touched(a: FloatArray, b: FloatArray, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels whose centres lie on lines that are at least as steep as flat."""
    row, x = _crossings(a, b, shape[0], ON_THE_LINE)
    nearest = np.round(x)
    on = (np.abs(x - nearest) <= ON_THE_LINE) & (nearest >= 0) & (nearest < shape[1])
    touched = np.zeros(shape, bool)
    touched[row[on], nearest[on].astype(np.int64)] = True
    return touched
