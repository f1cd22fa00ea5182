"""nnInteractive on this computer: points, boxes, scribbles and lassos become 3D masks."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from napari_medvlm.backends.base import Backend, BackendInfo, ObjectPrompts, Progress
from napari_medvlm.backends.memory.fallback import Fallback, MemoryFallbacks
from napari_medvlm.backends.memory.out_of_memory import is_out_of_memory
from napari_medvlm.backends.models.network_plans import require_known_classes
from napari_medvlm.backends.models.transformers_loader import torch_device
from napari_medvlm.backends.models.trust import only_weights
from napari_medvlm.backends.nninteractive.session import (
    SessionSync,
    Step,
    image_of,
    licence_of,
    split_model,
    steps_of,
)
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box, InitialMask, Lasso, Line, Point, Scribble
from napari_medvlm.data.volume import Volume

logger = logging.getLogger(__name__)

PUBLISHED = "nnInteractive_v1.0"
"""The model that is taken where none is named, if it was downloaded."""
CHECKPOINT = "checkpoint_final.pth"


@dataclass(frozen=True)
class MemorySettings:
    """Memory settings of a session."""

    device: str
    storage: str = "auto"
    autozoom: bool = True


class NNInteractiveBackend(Backend):
    """A trained folder of nnInteractive; equal to the library's own session, prompt for prompt."""

    info = BackendInfo(
        name="nninteractive",
        title="nnInteractive",
        prompts=frozenset({Point, Box, Scribble, Lasso, Line, InitialMask}),
        code_licence="Apache-2.0",
        weights_licence="CC-BY-NC-SA-4.0 (published weights)",
        modules=("nnInteractive", "torch"),
        memory_mib=6000,
    )

    _session: Any = None
    _feed: SessionSync | None = None
    _progress: RepeatableProgress | None = None
    _volume: Volume

    def load(self, model: str | None, device: str) -> None:
        """Take the weights of a folder, or of a published model that was downloaded before.

        Parameters
        ----------
        model
            The folder that holds ``plans.json``, or the id of a published model; ``#no-autozoom``
            after it switches AutoZoom off.
        """
        name, autozoom = split_model(model)
        torch_device(device)
        self._folder = model_folder(name)
        self._usual = MemorySettings(device, autozoom=autozoom)
        self._open(self._usual)
        self._ladder = MemoryFallbacks(
            self.info.title,
            device,
            [Fallback(words, partial(self._open, less)) for words, less in fallbacks(self._usual)],
            usual=lambda: self._open(self._usual),
        )
        logger.info("nnInteractive, licence of the weights: %s", licence_of(self._session))

    def set_volume(self, volume: Volume) -> None:
        """Take the volume and normalise it as the model needs it."""
        image_of(volume)
        self._volume, self._feed = volume, None
        self._ladder.renew()
        with contextlib.suppress(MemoryError, RuntimeError):  # raised again in `segment`
            self._fed()

    def segment(self, prompts: ObjectPrompts, progress: Progress) -> Mask:
        """The object's mask; new prompts alone cost a prediction each.

        Where memory is too small it is tried again with less, which the progress shows.
        """
        steps, repeatable = steps_of(prompts), RepeatableProgress(progress)
        mask, notes = self._ladder.tried(lambda: self._masked(steps, repeatable), repeatable)
        return replace(mask, notes=notes)

    def _masked(self, steps: tuple[Step, ...], progress: RepeatableProgress) -> Mask:
        progress(0.0, "Reading the prompts")
        with _quiet():
            self._progress = progress
            try:
                return self._fed().mask(steps, progress)
            finally:
                self._progress = None

    def _fed(self) -> SessionSync:
        """The session's feed for the volume: the image is given when it is first needed."""
        if self._feed is None:
            with _quiet():
                self._session.set_image(image_of(self._volume))
                self._session.preprocess_future.result()
            self._feed = SessionSync(self._session, self._volume.grid)
        return self._feed

    def _open(self, footing: MemorySettings) -> None:
        """Load and warm up a session, on the thread that will predict."""
        self._session = self._feed = None
        self._session = opened(self._folder, footing)
        for part in self._session.network.modules():
            part.register_forward_pre_hook(self._repeat_progress)

    def _repeat_progress(self, *_: object) -> None:
        """Let a cancel through, before each part of the network."""
        if self._progress is not None:
            self._progress.again()


class RepeatableProgress:
    """Progress that can be reported again without new information."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._last = (0.0, "")

    def __call__(self, fraction: float, message: str = "") -> None:
        """Report the progress."""
        self._last = fraction, message
        self._progress(fraction, message)

    def again(self) -> None:
        """Report the last progress again, which may raise `Cancelled`."""
        self._progress(*self._last)


def fallbacks(footing: MemorySettings) -> Iterator[tuple[str, MemorySettings]]:
    """The fallbacks for too little memory: description and memory settings, in order."""
    if footing.storage != "blosc2":
        footing = replace(footing, storage="blosc2")
        yield "with compressed prompts", footing
    if footing.autozoom:
        footing = replace(footing, autozoom=False)
        yield "without AutoZoom", footing
    if footing.device != "cpu":
        yield "on the CPU", replace(footing, device="cpu")


def model_folder(name: str) -> Path:
    """The folder of a model: a local one, or a published one that was downloaded before.

    Nothing is downloaded.

    Raises
    ------
    BackendUnavailable
        If there is none, or it lacks something.
    """
    try:
        from nnInteractive.model_management import get_local_model_dir
    except ModuleNotFoundError:
        raise BackendUnavailable(
            "Only the client of nnInteractive is installed.", "Run: pip install nnInteractive"
        ) from None
    folder = Path(name or PUBLISHED).expanduser()
    if not folder.is_dir():
        folder = get_local_model_dir(name or PUBLISHED)
    if not folder.is_dir():
        raise BackendUnavailable(
            f"There is no folder {name} with a model of nnInteractive."
            if name
            else f"Model {PUBLISHED} is not installed. Models are downloaded only on request.",
            f"Name a model's folder, or run: nninteractive-download-model {PUBLISHED} "
            "(CC BY-NC-SA 4.0: not for commercial use).",
        )
    for needed in ("plans.json", "dataset.json"):
        if not (folder / needed).is_file():
            raise BackendUnavailable(
                f"{folder} has no {needed}.", "Choose the folder that holds plans.json and fold_0."
            )
    return folder


def checkpoint_of(folder: Path) -> Path:
    """The file of weights in a model's folder.

    Raises
    ------
    BackendUnavailable
        If there is none, or more than one.
    """
    checkpoints = sorted(folder.glob(f"fold_*/{CHECKPOINT}"))
    if len(checkpoints) != 1:
        raise BackendUnavailable(
            f"{folder} holds {len(checkpoints)} files fold_*/{CHECKPOINT}; one is needed.",
            "Keep one fold in the folder, or download the model again.",
        )
    return checkpoints[0]


def opened(folder: Path, footing: MemorySettings) -> Any:
    """The library's session with the weights of a folder, warmed up.

    Raises
    ------
    BackendUnavailable
        If the folder is no model of this version, its weights cannot be read safely, or its plans
        name code that is not trusted.
    """
    import torch

    require_known_classes(folder)
    with _quiet():
        from nnInteractive.inference.inference_session import nnInteractiveInferenceSession
    checkpoint = checkpoint_of(folder)
    try:
        with _quiet(), only_weights(checkpoint):
            session = nnInteractiveInferenceSession(
                device=torch.device(footing.device),
                use_torch_compile=False,
                do_autozoom=footing.autozoom,
                interactions_storage=footing.storage,
            )
            session.initialize_from_trained_model_folder(
                str(folder), checkpoint.parent.name.removeprefix("fold_"), CHECKPOINT
            )
    except (AssertionError, EOFError, KeyError, OSError, RuntimeError, ValueError) as error:
        if is_out_of_memory(error):
            raise
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise BackendUnavailable(
            f"{folder} cannot be loaded as a model of nnInteractive: "
            f"{type(error).__name__}: {first}",
            "Download it again, or update nnInteractive.",
        ) from error
    return session


def _quiet() -> contextlib.redirect_stdout[Any]:
    """Redirect the library's prints to the log, since standard output may carry data."""
    return contextlib.redirect_stdout(sys.stderr)
