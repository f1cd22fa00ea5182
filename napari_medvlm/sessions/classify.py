"""Zero-shot classification of one volume, with descriptors that can be switched off."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from psygnal import Signal

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.data.classification import ClassificationResult, LabelQuery, combined
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, InvalidPrompt, MedVLMError
from napari_medvlm.data.interface.arguments import require_volume
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal import Journal
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.region_records import Classified, DescriptorToggled
from napari_medvlm.sessions.closeable import Closeable
from napari_medvlm.sessions.job_queue import JobQueue, emit_safely
from napari_medvlm.sessions.request_sender import RequestSender, RunnerKind, new_runner
from napari_medvlm.worker.messages import LabelRequest
from napari_medvlm.worker.runner import Runner


class LabellingSession(Closeable):
    """Label probabilities of one volume. Signals may be emitted on another thread.

    Parameters
    ----------
    volume
        The image. It is never changed.
    runner
        As of `GroundingSession`.
    journal
        File to which results and switched descriptors are appended, see `io.journal`.

    Attributes
    ----------
    ledger
        All results and switched descriptors.
    labelling
        The last result.
    changed, progressed, failed
        Signals as of `GroundingSession`.
    """

    changed = Signal()
    progressed = Signal(float, str)
    failed = Signal(MedVLMError)

    def __init__(
        self,
        volume: Volume,
        runner: RunnerKind | Runner = "worker",
        *,
        journal: Path | None = None,
    ) -> None:
        self.volume = require_volume(volume)
        self.ledger = Ledger.of(volume)
        self.labelling: ClassificationResult | None = None
        self._off: set[tuple[str, str]] = set()
        self._owns_runner = isinstance(runner, str)
        self._runner = new_runner(runner) if isinstance(runner, str) else runner
        self._queue: JobQueue[str] = JobQueue(
            self._runner,
            lambda fraction, text: emit_safely(self.progressed, fraction, text),
            lambda error: emit_safely(self.failed, error),
            lambda: emit_safely(self.changed),
        )
        self._journal = None if journal is None else Journal(journal, self.ledger, self.failed.emit)

    @property
    def pending(self) -> bool:
        """Whether a request is running."""
        return bool(self._queue.keys)

    @property
    def probabilities(self) -> Mapping[str, float | None]:
        """Probability of each label without the descriptors that are switched off.

        `None` if all descriptors of a label are switched off.
        """
        if self.labelling is None:
            return {}
        return {
            label: self._without_overrides(label, value)
            for label, value in self.labelling.probabilities.items()
        }

    def is_used(self, label: str, descriptor: str) -> bool:
        """Whether a descriptor is switched on."""
        return (label, descriptor) not in self._off

    def ask(
        self, query: LabelQuery, backend: str, model: str | None = None, device: str = "cpu"
    ) -> None:
        """Classify labels; replaces a request that is still running. See `wait`.

        Raises
        ------
        BackendUnavailable
            If there is no such backend, or it does not classify.
        InvalidPrompt
            If there is no label, or the scope lies outside the image.
        """
        info = registry.info(backend)
        if Task.LABEL not in info.tasks:
            raise BackendUnavailable(
                f"{info.title} does not classify labels.", "Choose another backend."
            )
        if not query.labels:
            raise InvalidPrompt("There are no labels to classify.", "Enter one label per line.")
        query.scope.bounds(self.volume.grid)
        self.cancel()
        request = LabelRequest(backend, self.volume, model, device, query)
        self._queue.put(backend, lambda sender: self._classify(sender, request))

    def override(self, label: str, descriptor: str, used: bool) -> None:
        """Switch a descriptor on or off; the label's probability follows at once."""
        (self._off.discard if used else self._off.add)((label, descriptor))
        self._note(DescriptorToggled(label=label, descriptor=descriptor, used=used))
        self.changed.emit()

    def cancel(self) -> None:
        """Cancel the running request."""
        self._queue.stop_all()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until no request is running; errors as of `JobQueue.wait`."""
        self._queue.wait(timeout_s)

    def close(self) -> None:
        """Cancel the running request and finish the journal."""
        self._queue.close()
        if self._owns_runner:
            self._runner.stop()
        if self._journal is not None:
            self._journal.close()

    def _without_overrides(self, label: str, value: float) -> float | None:
        assert self.labelling is not None
        descriptors = self.labelling.descriptors.get(label)
        off = {descriptor for owner, descriptor in self._off if owner == label}
        if not descriptors or not off & set(descriptors):
            return value
        return combined(descriptors, off)

    def _classify(self, sender: RequestSender, request: LabelRequest) -> None:
        reply = sender.send(request)
        if sender.stopped:  # replaced by a newer request
            raise Cancelled
        result = self.labelling = reply.labelling
        self._note(
            Classified(
                backend=request.backend,
                model=request.model,
                probabilities=dict(result.probabilities),
                descriptors={label: dict(own) for label, own in result.descriptors.items()},
                sent=dict(result.prompts),
                slices=result.slices,
                seconds=reply.seconds,
            )
        )

    def _note(self, record: Classified | DescriptorToggled) -> None:
        self.ledger.note(record)
        if self._journal is not None:
            self._journal.write(record)
