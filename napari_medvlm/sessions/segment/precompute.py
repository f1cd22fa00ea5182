"""Having a model look at all slices of a plane before the first click."""

from __future__ import annotations

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Prepared, Progress
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.request_sender import ModelChoice
from napari_medvlm.worker.messages import PrepareRequest
from napari_medvlm.worker.runner import Runner

TOGETHER = 16
"""How many slices a graphics card is asked for at once, and a processor for one: what else is asked
of the model meanwhile is done between two requests."""


def stored_mib(backend: str, volume: Volume, axis: int) -> float:
    """The most that is kept on disk of a plane in MiB; 0 if the backend cannot prepare any."""
    return registry.info(backend).prepared_mib * volume.shape[axis]


def prepare_plane(
    volume: Volume, axis: int, by: ModelChoice, runner: Runner, progress: Progress
) -> Prepared:
    """Have a model look at all slices across an axis of the array, a few at a time.

    Parameters
    ----------
    progress
        Called with the slice and the time that is left; the `Cancelled` that it raises ends the
        work after the slices that are under way. What is done stays.

    Raises
    ------
    BackendUnavailable
        If the backend does not do so.
    Cancelled
        As ``progress`` raises it.
    MedVLMError
        What the backend has to say.
    """
    if not registry.info(by.backend).prepared_mib:
        raise BackendUnavailable(
            f"{registry.info(by.backend).title} does not precompute slices.",
            "Choose a backend that does, such as sam, or just click.",
        )
    count, together = volume.shape[axis], 1 if by.device == "cpu" else TOGETHER
    seconds, computed = 0.0, 0
    notes: tuple[str, ...] = ()
    for start in range(0, count, together):
        left = (count - start) * seconds / computed if computed else None
        progress(start / count, f"slice {start + 1} of {count}{_left(left)}")
        stop = min(start + together, count)
        reply = runner.reply_to(
            PrepareRequest(by.backend, volume, by.model, by.device, axis, start, stop)
        )
        computed += reply.prepared.computed
        seconds += reply.seconds if reply.prepared.computed else 0
        notes = reply.prepared.notes or notes
    progress(1.0, f"{count} slices")
    return Prepared(computed, notes)


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f", {seconds:.0f} s left" if seconds < 90 else f", {seconds / 60:.0f} min left"
