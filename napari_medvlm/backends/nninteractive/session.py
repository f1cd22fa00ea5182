"""Prompts for a session of nnInteractive, here or on a server: what is new is added, no more.

Local and remote sessions of the library have the same methods. Each is a memory: a prompt is added
once, and a prediction feeds the last mask back. Here a session is led to the state that a list of
prompts means, so that the same list always gives the same mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import ObjectPrompts, Progress
from napari_medvlm.backends.nninteractive.supported_prompts import require_kind, supported_prompt
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import (
    Box,
    InitialMask,
    Lasso,
    Line,
    Point,
    Prompt,
    Scribble,
    check_prompt,
)
from napari_medvlm.data.volume import Volume, require_contrast

Bounds = list[list[int]]
"""A half-open index box ``[[z0, z1], [y0, y1], [x0, x1]]``, as the library writes it."""

NO_AUTOZOOM = "#no-autozoom"
"""At the end of a model's name: predict only at full resolution around the prompt."""


@dataclass(frozen=True)
class Step:
    """A prompt, and whether the model predicts once it is added."""

    prompt: Prompt
    predict: bool


def steps_of(prompts: ObjectPrompts) -> tuple[Step, ...]:
    """Prompt steps in order, from the last initial mask on.

    It predicts where it did when the mask was first made, and at the end. An initial mask is the
    mask: there is nothing to predict.
    """
    stops = {*prompts.steps, len(prompts)}
    steps = [
        Step(prompt, number in stops and not isinstance(prompt, InitialMask))
        for number, prompt in enumerate(prompts, 1)
    ]
    starts = [n for n, step in enumerate(steps) if isinstance(step.prompt, InitialMask)]
    return tuple(steps[max(starts, default=0) :])


def split_model(model: str | None) -> tuple[str, bool]:
    """A model's name without its setting, and whether to zoom out when an object is large."""
    name = model or ""
    return name.removesuffix(NO_AUTOZOOM), not name.endswith(NO_AUTOZOOM)


def licence_of(session: Any) -> str:
    """The licence of the weights as stated in the model's folder."""
    licence = session.license
    return "weights of unknown licence" if licence in (None, "", "!!MISSING!!") else f"{licence}"


def image_of(volume: Volume) -> NDArray[Any]:
    """The image ``(1, z, y, x)`` as the library takes it; a view.

    Raises
    ------
    InvalidImage
        If it is in colour, or all voxels are equal.
    """
    if volume.is_color:
        raise InvalidImage(
            "nnInteractive needs single-channel images; this one is in colour.",
            "Choose one of its channels, or another backend.",
        )
    require_contrast(volume)
    return volume.data[None]


class SessionSync:
    """Brings a session to the state of a list of prompts.

    Parameters
    ----------
    session
        It was given the image, and no prompt yet.
    grid
        The image's.
    """

    def __init__(self, session: Any, grid: Grid) -> None:
        self._session = session
        self._grid = grid
        self._buffer = np.zeros(grid.shape, np.uint8)
        self._done: list[Step] = []
        self._around: list[Bounds] = []
        """After each step, a box that holds the mask."""
        self._undoable = False
        session.set_target_buffer(self._buffer)

    def mask(self, steps: tuple[Step, ...], progress: Progress) -> Mask:
        """The mask after some steps; only those are taken that were not taken for the last mask.

        Raises
        ------
        PromptNotSupported
            If the model does not take one of the prompts.
        InvalidPrompt
            If a prompt covers no voxel of the image.
        """
        for step in steps[self._common(steps) :]:
            check_prompt(step.prompt, self._grid)
            require_kind(step.prompt, self._grid, self._session)
        self._go_back(self._common(steps))
        licence = licence_of(self._session)
        start = len(self._done)
        for number, step in enumerate(steps[start:], start):
            message = f"Prompt {number + 1} of {len(steps)} ({licence})"
            progress((number - start) / (len(steps) - start), message)
            self._take(step)
        return self._cut()

    def _common(self, steps: tuple[Step, ...]) -> int:
        """Number of leading steps that are already applied."""
        pairs = enumerate(zip(self._done, steps, strict=False))
        return next((n for n, (a, b) in pairs if a != b), min(len(self._done), len(steps)))

    def _go_back(self, count: int) -> None:
        """Undo steps until only a number of them is applied."""
        if len(self._done) == count:
            return
        if self._undoable and len(self._done) == count + 1 and self._session.undo():
            del self._done[count:], self._around[count:]
        else:
            self._session.reset_interactions()
            self._done, self._around = [], []
        self._undoable = False

    def _take(self, step: Step) -> None:
        with repeatable():
            changed = self._add(supported_prompt(step.prompt, self._grid), step.predict)
        self._undoable = True
        self._done.append(step)
        self._around.append(_union([*self._around[-1:], *([changed] if changed else [])]))

    def _add(self, prompt: Prompt, predict: bool) -> Bounds | None:
        """Add a prompt; the box that was written to, if any."""
        session, arguments = self._session, (prompt.positive, predict)
        changed: Bounds | None
        match prompt:
            case InitialMask():
                mask = prompt.mask(self._grid)
                session.add_initial_seg_interaction(mask.full().view(np.uint8))
                changed = _bounds(mask.start, mask.stop)
            case Point():
                (voxel,) = prompt.voxels(self._grid).tolist()
                changed = session.add_point_interaction(voxel, *arguments)
            case Box():
                box = _bounds(*prompt.bounds(self._grid))
                changed = session.add_bbox_interaction(box, *arguments)
            case Scribble() | Line():
                crop, box = _crop(prompt.voxels(self._grid))
                changed = session.add_scribble_interaction(crop, *arguments, interaction_bbox=box)
            case Lasso():
                crop, box = _crop(prompt.voxels(self._grid))
                changed = session.add_lasso_interaction(crop, *arguments, interaction_bbox=box)
        return changed

    def _cut(self) -> Mask:
        """The mask: only where the session wrote is looked at."""
        if not self._around:
            return Mask.empty(self._grid.shape)
        box = self._around[-1]
        inside = self._buffer[tuple(slice(a, b) for a, b in box)].view(np.bool_)
        if not inside.any():
            return Mask.empty(self._grid.shape)
        cut = Mask.of(inside)
        z, y, x = (a + low for a, (low, _) in zip(cut.start, box, strict=True))
        return Mask(cut.crop, (z, y, x), self._grid.shape)


@contextmanager
def repeatable() -> Iterator[None]:
    """The same random numbers each time: the library places some of its patches by numpy's.

    A server has random numbers of its own, so its masks can differ a little between two replays.
    """
    before = np.random.get_state()  # noqa: NPY002  # the library uses the global one
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002


def _crop(voxels: NDArray[np.int64]) -> tuple[NDArray[np.uint8], Bounds]:
    """Voxels ``(N, 3)`` as ones in the smallest array that holds them, and its place."""
    start, stop = voxels.min(axis=0), voxels.max(axis=0) + 1
    crop = np.zeros(stop - start, np.uint8)
    crop[tuple((voxels - start).T)] = 1
    return crop, _bounds(start, stop)


def _bounds(start: Any, stop: Any) -> Bounds:
    return [[int(a), int(b)] for a, b in zip(start, stop, strict=True)]


def _union(boxes: list[Bounds]) -> Bounds:
    """The box around boxes; of no size if there is none."""
    if not boxes:
        return [[0, 0]] * 3
    return [
        [min(a for a, _ in pairs), max(b for _, b in pairs)] for pairs in zip(*boxes, strict=True)
    ]
