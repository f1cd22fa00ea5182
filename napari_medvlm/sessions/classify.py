"""Asking how likely labels are in one volume, and correcting what they rest on."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from psygnal import Signal

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.data.classification import ClassificationResult, LabelQuery, combined
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, InvalidPrompt, MedVLMError
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal import Journal
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import Classified, DescriptorToggled
from napari_medvlm.sessions.job_queue import emit_safely
from napari_medvlm.worker.environment_runner import RoutedRunner
from napari_medvlm.worker.messages import LabelReply, LabelRequest
from napari_medvlm.worker.runner import InlineRunner, Job, Runner


class LabellingSession:
    """Labels of one volume. Signals may come on another thread.

    Parameters
    ----------
    volume
        The image. It is never changed.
    runner
        As of `GroundingSession`.
    journal
        File in which answers and overrides are kept, see `io.journal`.

    Attributes
    ----------
    ledger
        All answers and overrides.
    labelling
        The last answer.
    changed, progressed, failed
        Signals as of `GroundingSession`.
    """

    changed = Signal()
    progressed = Signal(float, str)
    failed = Signal(MedVLMError)

    def __init__(
        self,
        volume: Volume,
        runner: Literal["worker", "inline"] | Runner = "worker",
        *,
        journal: Path | None = None,
    ) -> None:
        self.volume = volume
        self.ledger = Ledger.of(volume)
        self.labelling: ClassificationResult | None = None
        self._off: set[tuple[str, str]] = set()
        self._owns_runner = isinstance(runner, str)
        if isinstance(runner, str):
            runner = RoutedRunner() if runner == "worker" else InlineRunner()
        self._runner: Runner = runner
        self._job: Job | None = None
        self._failure: MedVLMError | None = None
        self._idle = threading.Condition(threading.RLock())
        self._journal = None if journal is None else Journal(journal, self.ledger, self.failed.emit)

    @property
    def pending(self) -> bool:
        """Whether an answer is on its way."""
        return self._job is not None

    @property
    def probabilities(self) -> Mapping[str, float | None]:
        """Of each label, without the descriptors that a person switched off.

        `None` if all descriptors of a label are switched off.
        """
        if self.labelling is None:
            return {}
        return {
            label: self._without_overrides(label, value)
            for label, value in self.labelling.probabilities.items()
        }

    def is_used(self, label: str, descriptor: str) -> bool:
        """Whether a descriptor counts."""
        return (label, descriptor) not in self._off

    def ask(
        self, query: LabelQuery, backend: str, model: str | None = None, device: str = "cpu"
    ) -> None:
        """Have labels judged; anything asked before is no longer wanted. See `wait`.

        Raises
        ------
        BackendUnavailable
            If there is no such backend, or it does not judge labels.
        InvalidPrompt
            If the scope lies outside the image.
        """
        info = registry.info(backend)
        if Task.LABEL not in info.tasks:
            raise BackendUnavailable(
                f"{info.title} does not judge labels.", "Choose another backend for that."
            )
        if not query.labels:
            raise InvalidPrompt("There is no label to judge.", "Write one label a line.")
        query.scope.bounds(self.volume.grid)
        self.cancel()
        request = LabelRequest(backend, self.volume, model, device, query)
        self._job = Job(request)
        job = self._runner.submit(request, lambda f, text: emit_safely(self.progressed, f, text))
        with self._idle:
            self._job = job
        job.add_done_callback(self._on_done)

    def override(self, label: str, descriptor: str, used: bool) -> None:
        """Switch a descriptor off, or on again; the label's probability follows at once."""
        (self._off.discard if used else self._off.add)((label, descriptor))
        self._note(DescriptorToggled(label=label, descriptor=descriptor, used=used))
        self.changed.emit()

    def cancel(self) -> None:
        """Stop judging."""
        job = self._job
        if job is not None:
            job.cancel()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until nothing is on its way; raise what has gone wrong since the last time."""
        with self._idle:
            if not self._idle.wait_for(lambda: self._job is None, timeout_s):
                raise TimeoutError(f"No answer within {timeout_s} s.")
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Stop judging and finish the journal."""
        self.cancel()
        if self._owns_runner:
            self._runner.stop()
        if self._journal is not None:
            self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _without_overrides(self, label: str, value: float) -> float | None:
        assert self.labelling is not None
        descriptors = self.labelling.descriptors.get(label)
        off = {d for named, d in self._off if named == label}
        if not descriptors or not off & set(descriptors):
            return value
        return combined(descriptors, off)

    def _on_done(self, job: Job) -> None:
        failure: MedVLMError | None = None
        if job is not self._job:
            return
        try:
            reply = job.result()
            assert isinstance(reply, LabelReply)
            self._keep(job, reply)
        except Cancelled:
            pass
        except MedVLMError as error:
            failure = error
        with self._idle:
            self._job = None
            self._failure = failure or self._failure
            self._idle.notify_all()
        if failure is not None:
            emit_safely(self.failed, failure)
        emit_safely(self.changed)

    def _keep(self, job: Job, reply: LabelReply) -> None:
        found = reply.labelling
        self.labelling = found
        self._note(
            Classified(
                backend=job.request.backend,
                model=job.request.model,
                probabilities=dict(found.probabilities),
                descriptors={label: dict(own) for label, own in found.descriptors.items()},
                sent=dict(found.prompts),
                slices=tuple((ref.axis, ref.index) for ref in found.slices),
                seconds=reply.seconds,
            )
        )

    def _note(self, record: Classified | DescriptorToggled) -> None:
        self.ledger.note(record)
        if self._journal is not None:
            self._journal.write(record)
