"""Several images of a patient on one grid, for models that take them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_medvlm.data.errors import GeometryMismatch, InvalidPrompt
from napari_medvlm.data.geometry.display import Reslice
from napari_medvlm.data.geometry.grid import Grid, same_grid
from napari_medvlm.data.volume import Volume


@dataclass(frozen=True, eq=False)
class Channel:
    """An image of a patient and the name of the model's channel that takes it.

    Parameters
    ----------
    name
        As the model names its channel, such as ``"FLAIR"``.
    volume
        The image, on the grid of the request's volume.
    """

    name: str
    volume: Volume


def channels_on_grid(
    volumes: Mapping[str, Volume], volume: Volume, resample: bool = False
) -> tuple[Channel, ...]:
    """Channels on the grid of a volume.

    Parameters
    ----------
    volumes
        The images by the names of the model's channels.
    volume
        The image on whose grid the masks lie.
    resample
        Resample images on other grids linearly; outside of an image its lowest intensity is used.

    Returns
    -------
    The channels in the order of `volumes`. The volumes of those that were resampled have a note.

    Raises
    ------
    GeometryMismatch
        If images lie on other grids and are not to be resampled; all of them are named.
    """
    other = [name for name, image in volumes.items() if not same_grid(image.grid, volume.grid)]
    if other and not resample:
        grids = ", ".join(f"{name} {_grid_text(volumes[name].grid)}" for name in other)
        raise GeometryMismatch(
            f"Channels on another grid than {volume.name} {_grid_text(volume.grid)}: {grids}.",
            "Resample them to the first image: --resample, resample=True, or the box in the dock.",
        )
    return tuple(
        Channel(name, _resampled(name, image, volume.grid) if name in other else image)
        for name, image in volumes.items()
    )


def channels_in_order(
    channels: Sequence[Channel], names: Sequence[str], title: str, grid: Grid
) -> tuple[Channel, ...]:
    """The channels of a request in the order of a model; names match in any letter case.

    Parameters
    ----------
    names
        The model's channels; empty if it takes a single image.
    title
        The model, for messages.
    grid
        The grid of the request's volume.

    Raises
    ------
    InvalidPrompt
        If a channel is missing, is given twice, or the model has no such channel.
    GeometryMismatch
        If a channel lies on another grid.
    """
    if not names and channels:
        count = "1 channel is" if len(channels) == 1 else f"{len(channels)} channels are"
        raise InvalidPrompt(
            f"{title} takes a single image, but {count} given.",
            "Leave the channels out, or choose a model for several images.",
        )
    given = {channel.name.casefold(): channel for channel in channels}
    missing = [name for name in names if name.casefold() not in given]
    unknown = sorted(set(given) - {name.casefold() for name in names})
    if missing or unknown or len(given) < len(channels):
        raise InvalidPrompt(
            f"{title} needs an image for each of its channels {', '.join(names)}. "
            + _differences(missing, [given[name].name for name in unknown], channels),
            "Give each channel once: --channel NAME=FILE, channels={...}, or the lists in the "
            "Ground dock.",
        )
    ordered = tuple(replace(given[name.casefold()], name=name) for name in names)
    other = [channel.name for channel in ordered if not same_grid(channel.volume.grid, grid)]
    if other:
        raise GeometryMismatch(
            f"Channels on another grid than the image: {', '.join(other)}.",
            "Resample them to the image first.",
        )
    return ordered


def resampling_notes(channels: Sequence[Channel]) -> tuple[str, ...]:
    """The notes of channels that were resampled."""
    return tuple(
        note for channel in channels for note in channel.volume.notes if note.startswith(RESAMPLED)
    )


RESAMPLED = "Resampled to the grid of the image: "
"""Begin of the note on a channel that was resampled."""


def _differences(
    missing: Sequence[str], unknown: Sequence[str], channels: Sequence[Channel]
) -> str:
    if missing:
        return f"Missing: {', '.join(missing)}." + (
            f" Unknown: {', '.join(unknown)}." if unknown else ""
        )
    if unknown:
        return f"Unknown: {', '.join(unknown)}."
    return f"A channel is given twice: {', '.join(channel.name for channel in channels)}."


def _resampled(name: str, image: Volume, grid: Grid) -> Volume:
    values = image.intensity().astype(np.float32)
    return replace(
        image,
        data=np.asarray(Reslice(values, image.grid, grid, order=1)),
        affine=grid.affine,
        notes=(*image.notes, f"{RESAMPLED}{name}."),
    )


def _grid_text(grid: Grid) -> str:
    size = " x ".join(map(str, grid.shape))
    spacing = " x ".join(f"{mm:.4g}" for mm in grid.spacing)
    return f"({size} voxels of {spacing} mm)"
