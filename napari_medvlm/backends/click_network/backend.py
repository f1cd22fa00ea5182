"""The backend of the bundled network: clicks, lines and boxes become 3D masks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import Backend, BackendInfo, ObjectPrompts, Progress
from napari_medvlm.backends.click_network.crops import Floats
from napari_medvlm.backends.click_network.gestures import (
    Box,
    Gesture,
    Line,
    Point,
    Stroke,
    is_positive,
)
from napari_medvlm.backends.click_network.joined import NetworkSource
from napari_medvlm.backends.click_network.segmenter import Segmenter
from napari_medvlm.backends.embedded.proposals.replay import Replay
from napari_medvlm.backends.embedded.segmentation.pyramid import Levels
from napari_medvlm.backends.embedded.segmentation.seeds import read
from napari_medvlm.data import prompts as kinds
from napari_medvlm.data.errors import BackendUnavailable, InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid, Index
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume

NETWORK = Path(__file__).with_name("network.onnx")
"""The network: ``channels`` (B, 8, N, N, N) to ``logits`` (B, N, N, N) and ``score`` (B,)."""

THREADS = 2
"""The masks are the same with any number."""


class ClickNetworkBackend(Backend):
    """A 3D network learned from synthetic volumes, joined with the embedded method's regions.

    At every point the masks of both compete. Boxes and lines alone are left to the embedded method,
    an initial mask and its corrections to the network. Deterministic.
    """

    info = BackendInfo(
        name="click-network",
        title="Bundled network (experimental)",
        prompts=frozenset(
            {kinds.Point, kinds.Box, kinds.Scribble, kinds.Lasso, kinds.Line, kinds.InitialMask}
        ),
        code_licence="BSD-3-Clause",
        weights_licence="CC0-1.0",
        modules=("onnxruntime",),
        memory_mib=500,
        sizes_points=True,
    )

    def load(self, model: str | None, device: str) -> None:
        """Open the network that is part of this package, or an export of ``training``.

        Raises
        ------
        BackendUnavailable
            If the file is no such export.
        """
        import onnxruntime

        path = NETWORK if model is None else Path(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = ["CPUExecutionProvider"]
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=providers)
            names = [item.name for item in (*session.get_inputs(), *session.get_outputs())]
        except Exception as error:  # onnxruntime's errors have no common class
            raise _not_the_network(path) from error
        if names != ["channels", "logits", "score"]:
            raise _not_the_network(path)
        self._session = session

    def set_volume(self, volume: Volume) -> None:
        """Take the volume."""
        self._volume = volume
        self._image = np.asarray(volume.intensity(), np.float32)
        self._start: kinds.InitialMask | None = None
        self._excluded: Mask | None = None
        self._segmenter: Segmenter | None = None
        self._answered: tuple[Gesture, ...] = ()
        self._mask: NDArray[np.bool_] = np.zeros(volume.shape, bool)
        levels = Levels(volume)
        self._replay = Replay(levels, NetworkSource(levels, self._image, self._predict))

    def segment(self, prompts: ObjectPrompts, progress: Progress) -> Mask:
        """The object's mask on the volume's grid, following the prompts one after the other."""
        joined = read(prompts, self._volume.grid)
        notes: tuple[str, ...] = ()
        if joined.base is not None:
            self._correct_start(prompts, progress)
            full = self._mask
        elif joined.bounds or joined.positives:
            full = self._replay.segment(joined, prompts.excluded, progress)
            notes = self._replay.notes
        else:
            full = np.zeros(self._volume.shape, bool)
        progress(1.0, "done")
        mask = Mask.of(full) if full.any() else Mask.empty(self._volume.shape)
        return replace(mask, notes=notes)

    def _correct_start(self, prompts: ObjectPrompts, progress: Progress) -> None:
        """The last initial mask, and the corrections after it by the network alone."""
        first = max(n for n, p in enumerate(prompts) if isinstance(p, kinds.InitialMask)) + 1
        start = prompts[first - 1]
        assert isinstance(start, kinds.InitialMask)
        grid = self._volume.grid
        gestures = tuple(gesture_of(prompt, grid) for prompt in prompts.items[first:])
        self._prepare(start, prompts.excluded)
        self._follow(gestures, progress)

    def _prepare(self, start: kinds.InitialMask, excluded: Mask | None) -> None:
        """Begin again unless the start and the locked objects are those of the last request."""
        if self._segmenter is None or start != self._start or excluded is not self._excluded:
            self._start, self._excluded = start, excluded
            self._restart()

    def _restart(self) -> None:
        grid = self._volume.grid
        excluded = None if self._excluded is None else self._excluded.full()
        start = None if self._start is None else self._start.mask(grid).full()
        if start is not None and excluded is not None:
            start = start & ~excluded
        self._segmenter = Segmenter(
            self._image, grid.spacing, self._predict, start=start, excluded=excluded
        )
        self._mask = np.zeros(grid.shape, bool) if start is None else start
        self._answered = ()

    def _follow(self, gestures: tuple[Gesture, ...], progress: Progress) -> None:
        """Take the gestures that were not taken yet, from the beginning where others changed."""
        if gestures[: len(self._answered)] != self._answered:
            self._restart()
        assert self._segmenter is not None
        for number in range(len(self._answered), len(gestures)):
            progress(number / len(gestures), "looking around the prompt")
            known = gestures[: number + 1]
            if self._start is not None or any(map(is_positive, known)):
                self._mask = self._segmenter.segment(known)
            self._answered = known

    def _predict(self, channels: Floats) -> tuple[Floats, Floats]:
        logits, score = self._session.run(None, {"channels": channels})
        return np.asarray(logits, np.float32), np.asarray(score, np.float32)


def _not_the_network(path: Path) -> BackendUnavailable:
    return BackendUnavailable(
        f"{path.name} is not a network of this kind.",
        "Leave the model empty to use the bundled one, or choose an export of training.export.",
    )


def gesture_of(prompt: kinds.Prompt, grid: Grid) -> Gesture:
    """A prompt on the voxels of a grid.

    Raises
    ------
    InvalidPrompt
        If it is a kind that the network does not take.
    """
    match prompt:
        case kinds.Point():
            return Point(_index(prompt.voxels(grid)[0]), prompt.positive)
        case kinds.Scribble() | kinds.Lasso():
            voxels = tuple(map(_index, prompt.voxels(grid)))
            return Stroke(voxels, prompt.positive)
        case kinds.Line(positive=True):
            ends = np.clip(np.round(grid.to_index(prompt.ends_mm)), 0, np.array(grid.shape) - 1)
            return Line(_index(ends[0]), _index(ends[1]))
        case kinds.Line():
            return Stroke(tuple(map(_index, prompt.voxels(grid))), positive=False)
        case kinds.Box(positive=True):
            low, high = prompt.bounds(grid)
            return Box(_index(low), _index(high))
        case kinds.Box():
            low, high = prompt.bounds(grid)
            inside = np.indices(tuple(high - low)).reshape(3, -1).T + low
            return Stroke(tuple(map(_index, inside)), positive=False)
        case _:
            raise InvalidPrompt(
                f"The network takes no {prompt.label} prompts.", "Use a point, box or line."
            )


def _index(zyx: NDArray[np.generic]) -> Index:
    z, y, x = (int(i) for i in zyx)
    return z, y, x
