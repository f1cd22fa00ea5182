"""The lesions of the current study with the values and names of the prior's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.label_image import NamedLabels, flattened
from napari_medvlm.sessions.followup.followed import FollowedLesion
from napari_medvlm.sessions.followup.lesions import Lesion

LARGEST_VALUE = 65535


def relabelled(
    rows: Sequence[FollowedLesion],
    lesions: Sequence[Lesion],
    grid: Grid,
    tracking_uids: Mapping[int, str] = {},
) -> tuple[tuple[FollowedLesion, ...], NamedLabels]:
    """Rows with the new values of their current lesions, and the label image with these.

    A lesion with the value of one of the prior has its tracking UID too.

    A lesion has the value of the prior's lesion that it was; merged ones that of the first, the
    largest piece of a split one that of the whole. Other lesions have values that the prior lacks.

    Parameters
    ----------
    lesions
        Of the current study, whose values are those in `rows`.
    tracking_uids
        Of the lesions of the prior, by value.
    grid
        The current study's.
    """
    values = _values(rows)
    names: dict[int, str] = {}
    for row in rows:
        for n, value in enumerate(row.current_values, 1):
            name = " + ".join(row.group) or row.name
            names.setdefault(values[value], f"{name} {n}" if len(row.current_values) > 1 else name)
    masks = {values[lesion.value]: lesion.mask for lesion in lesions}
    sizes = {value: mask.voxels for value, mask in masks.items()}
    array, covered = flattened(sizes, masks.__getitem__, grid.shape)
    changed = tuple(
        replace(row, current_values=tuple(values[v] for v in row.current_values)) for row in rows
    )
    uids = {value: uid for value, uid in tracking_uids.items() if uid and value in masks}
    title = "current lesions"
    return changed, NamedLabels(array, grid, names, title, tracking_uids=uids, covered=covered)


def _values(rows: Sequence[FollowedLesion]) -> dict[int, int]:
    """The new value of each value of a current lesion."""
    used = {row.value for row in rows}
    unused = iter(n for n in range(1, LARGEST_VALUE + 1) if n not in used)
    values: dict[int, int] = {}
    for row in rows:
        for n, value in enumerate(row.current_values):
            if value not in values:
                values[value] = row.value if n == 0 and row.value else next(unused)
    return values
