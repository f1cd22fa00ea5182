"""Find phrases in one volume, without a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from psygnal import Signal

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.data.errors import BackendUnavailable, InvalidPrompt, MedVLMError
from napari_medvlm.data.geometry.channels import channels_on_grid
from napari_medvlm.data.grounding import Grounding, GroundQuery, Scope
from napari_medvlm.data.interface.arguments import require_volume
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume, Window
from napari_medvlm.io.journal import Journal, notices_of
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.region_records import Grounded, RegionChecked
from napari_medvlm.ledger.serialization import RegionRecord
from napari_medvlm.sessions.check_context import CheckContext
from napari_medvlm.sessions.closeable import Closeable
from napari_medvlm.sessions.earlier import check_image
from napari_medvlm.sessions.ground.located import Located, combined, located_in, with_notes
from napari_medvlm.sessions.job_queue import JobQueue, emit_safely
from napari_medvlm.sessions.request_sender import (
    ModelChoice,
    RequestSender,
    RunnerKind,
    new_runner,
)
from napari_medvlm.worker.messages import GroundReply, GroundRequest
from napari_medvlm.worker.runner import Runner


class GroundingSession(Closeable):
    """Phrases and their regions in one volume.

    Phrases are searched one after the other, and each answer is available as soon as it arrives.
    Signals may be emitted on another thread.

    Parameters
    ----------
    volume
        The image. It is never changed.
    backend, model, device
        The model to use; a file, folder or name, `None` for the backend's default.
    runner
        ``"worker"``: in worker processes. ``"inline"``: in the caller's thread. Or a shared runner,
        which `close` does not stop.
    journal
        File to which each answer is appended, see `io.journal`.
    ledger
        An earlier session of the same image to resume. Its regions are boxes: masks and heatmaps
        are not stored.

    Attributes
    ----------
    ledger
        All answers of this session.
    notices
        Sentences about an earlier session: damaged records, a copy that is continued.
    changed
        Signal: a phrase was answered, or the last request ended.
    progressed
        Signal: progress over all phrases, 0 to 1, and a message.
    failed
        Signal: the `MedVLMError` of a request.

    Raises
    ------
    BackendUnavailable
        If there is no such backend, or it does not find phrases.
    SessionFileError
        If the ledger is about another image.
    """

    changed = Signal()
    progressed = Signal(float, str)
    failed = Signal(MedVLMError)

    def __init__(
        self,
        volume: Volume,
        backend: str = "embedded",
        runner: RunnerKind | Runner = "worker",
        *,
        model: str | None = None,
        device: str = "cpu",
        journal: Path | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.volume = require_volume(volume)
        self.ledger = ledger or Ledger.of(volume)
        check_image(self.ledger, volume)
        self._runner = new_runner(runner) if isinstance(runner, str) else runner
        self._owns_runner = isinstance(runner, str)
        self.use(backend, model, device)
        self._located = located_in(self.ledger, volume, device)
        self._asked = 0
        self._queue: JobQueue[str] = JobQueue(
            self._runner, self._on_progress, self._on_failure, lambda: emit_safely(self.changed)
        )
        self._journal = None if journal is None else Journal(journal, self.ledger, self.failed.emit)
        self.notices = notices_of(self.ledger, self._journal)

    @property
    def backend(self) -> str:
        """Name of the backend for the next phrases."""
        return self._model.backend

    @property
    def located(self) -> Mapping[str, Located]:
        """The latest answer for each phrase, in the order in which they were first searched."""
        return dict(self._located)

    @property
    def grounding(self) -> Grounding:
        """All latest answers in a single `Grounding`."""
        return combined([located.grounding for located in self.located.values()])

    @property
    def pending(self) -> tuple[str, ...]:
        """Phrases that are being searched or wait."""
        return self._queue.keys

    def use(self, backend: str, model: str | None = None, device: str = "cpu") -> None:
        """Use another model for the next phrases."""
        info = registry.info(backend)
        if Task.GROUND not in info.tasks:
            raise BackendUnavailable(
                f"{info.title} does not find phrases.", "Choose another backend."
            )
        self._model = ModelChoice(backend, model, device)

    def ask(  # noqa: PLR0913  # the parts of a query
        self,
        phrases: Sequence[str],
        scope: Scope | None = None,
        *,
        labels: Sequence[NamedLabels] = (),
        prompts: Mapping[str, str] | None = None,
        descriptions: Mapping[str, str] | None = None,
        window: Window | None = None,
        channels: Mapping[str, Volume] | None = None,
        resample: bool = False,
        report: str = "",
    ) -> None:
        """Search for phrases; returns at once unless the runner is inline, see `wait`.

        Parameters
        ----------
        scope
            The slices to search; `None`: all.
        labels
            Label images of this patient whose names may match a phrase.
        prompts
            Text to send to the model instead of a phrase.
        descriptions
            What a phrase means, for models that are asked with a description of the finding.
        window
            The window in which the model sees the image; `None`: the default.
        channels
            The images of a model that takes several, by name; masks lie on the session's grid.
        resample
            Resample channels on other grids to that of the session's volume.
        report
            The text of the report, for a model that sees it, too.

        Raises
        ------
        InvalidPrompt
            If there is no phrase, or the scope lies outside the image.
        GeometryMismatch
            If channels lie on other grids and are not to be resampled.
        """
        wanted = _distinct(phrases)
        query = GroundQuery(
            (),
            scope or Scope(),
            dict(prompts or {}),
            tuple(labels),
            window,
            dict(descriptions or {}),
            channels_on_grid(channels or {}, self.volume, resample),
            report=report,
        )
        query.scope.bounds(self.volume.grid)
        pending, model = self.pending, self._model
        new = [phrase for phrase in wanted if phrase not in pending]
        self._asked = len(pending) + len(new)
        for phrase in new:
            own = replace(query, phrases=(phrase,))
            request = GroundRequest(model.backend, self.volume, model.model, model.device, own)
            self._queue.put(phrase, partial(self._search, request=request))

    def import_report(self, source: str, grounding: Grounding) -> None:
        """Add the findings of another source, such as a DICOM report; they are recorded."""
        phrases = (*(r.phrase for r in grounding.regions), *(n.phrase for n in grounding.not_found))
        for phrase in dict.fromkeys(phrases):
            missing = tuple(n for n in grounding.not_found if n.phrase == phrase)
            own = replace(grounding, regions=grounding.of(phrase), not_found=missing)
            query = GroundQuery((phrase,))
            self._record(GroundReply(own, 0.0), GroundRequest(source, self.volume, query=query))
        self.changed.emit()

    def cancel(self) -> None:
        """Cancel the search; answers so far stay."""
        self._queue.stop_all()

    def forget(self, *phrases: str) -> None:
        """Remove phrases and their regions (all if none are named); they stay in the ledger."""
        for phrase in phrases or tuple(self._located):
            self._located.pop(phrase, None)
        self.changed.emit()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until no phrase is pending; errors as of `JobQueue.wait`."""
        self._queue.wait(timeout_s)

    def basis(self, region: Region) -> CheckContext:
        """The context for checks of a region; their results are recorded."""
        request = self.located[region.phrase].request

        def record(result: CheckResult) -> None:
            self._note(
                RegionChecked(
                    phrase=region.phrase,
                    backend=request.backend,
                    model=request.model,
                    region=RegionRecord.model_validate(region),
                    result=result,
                )
            )

        return CheckContext(self._runner, request, record)

    def close(self) -> None:
        """Cancel the search and finish the journal."""
        self._queue.close()
        if self._owns_runner:
            self._runner.stop()
        if self._journal is not None:
            self._journal.close()

    def _search(self, sender: RequestSender, request: GroundRequest) -> None:
        reply = sender.send(request)
        grounding = with_notes(reply.grounding, request.query)
        self._record(replace(reply, grounding=grounding), request)

    def _on_progress(self, fraction: float, message: str) -> None:
        done = self._asked - len(self._queue.keys)
        emit_safely(self.progressed, (done + fraction) / max(self._asked, 1), message)

    def _on_failure(self, error: MedVLMError) -> None:
        if isinstance(error, BackendUnavailable):  # the other phrases would fail as well
            self._queue.drop_waiting()
        emit_safely(self.failed, error)

    def _record(self, reply: GroundReply, request: GroundRequest) -> None:
        (phrase,) = request.query.phrases
        grounding, backend, seconds = reply.grounding, request.backend, reply.seconds
        self._located[phrase] = Located(phrase, grounding, backend, seconds, request)
        query, model = request.query, request.model
        record = Grounded.of(phrase, grounding, backend, model, seconds, query.channels)
        self._note(record.model_copy(update={"report": query.report}))

    def _note(self, record: Grounded | RegionChecked) -> None:
        self.ledger.note(record)
        if self._journal is not None:
            self._journal.write(record)


def _distinct(phrases: Sequence[str]) -> list[str]:
    """The phrases without blanks and repetitions; at least one."""
    if isinstance(phrases, str) or not all(isinstance(phrase, str) for phrase in phrases):
        raise InvalidPrompt(
            f"Phrases are a list of texts, not {phrases!r}.", "Put each phrase into the list."
        )
    wanted = [p for p in dict.fromkeys(phrase.strip() for phrase in phrases) if p]
    if not wanted:
        raise InvalidPrompt("There is no phrase to find.", "Enter one phrase per line.")
    return wanted
