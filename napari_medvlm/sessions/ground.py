"""Asking where words are in one volume: what a person does, without a window."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from psygnal import Signal

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, InvalidPrompt, MedVLMError
from napari_medvlm.data.grounding import Grounding, GroundQuery, Scope
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume, Window
from napari_medvlm.io.journal import Journal
from napari_medvlm.ledger.conversation_records import StoredCheckResult
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import Grounded, RegionChecked
from napari_medvlm.ledger.serialization import RegionRecord
from napari_medvlm.sessions.check_context import CheckContext
from napari_medvlm.sessions.job_queue import emit_safely
from napari_medvlm.worker.environment_runner import RoutedRunner
from napari_medvlm.worker.messages import GroundReply, GroundRequest
from napari_medvlm.worker.runner import InlineRunner, Job, Runner


@dataclass(frozen=True, eq=False)
class Located:
    """What was found for one phrase, by whom, how long it took in seconds, and what was asked."""

    phrase: str
    grounding: Grounding
    backend: str
    seconds: float
    request: GroundRequest


@dataclass(frozen=True, eq=False)
class _Wanted:
    """A query that waits, and who was chosen to answer it."""

    query: GroundQuery
    backend: str
    model: str | None
    device: str


class GroundingSession:
    """Phrases and where they are in one volume.

    Phrases are asked one after the other, and each answer is shown as it comes. Signals may come on
    another thread.

    Parameters
    ----------
    volume
        The image. It is never changed.
    backend, model, device
        Who looks; the model is a file or folder, `None` for the backend's default.
    runner
        ``"worker"``: in a process of its own. ``"inline"``: in this thread. Or a runner to share,
        which is then not stopped by `close`.
    journal
        File in which every answer is kept as it comes, see `io.journal`.

    Attributes
    ----------
    ledger
        All answers of this session.
    changed
        Signal: something was found, or nothing is on its way any more.
    progressed
        Signal: how far all phrases together are, 0 to 1, and what is being done.
    failed
        Signal: the `MedVLMError` that stands for an answer.

    Raises
    ------
    BackendUnavailable
        If there is no such backend, or it does not look for phrases.
    """

    changed = Signal()
    progressed = Signal(float, str)
    failed = Signal(MedVLMError)

    def __init__(
        self,
        volume: Volume,
        backend: str = "embedded",
        runner: Literal["worker", "inline"] | Runner = "worker",
        *,
        model: str | None = None,
        device: str = "cpu",
        journal: Path | None = None,
    ) -> None:
        self.volume = volume
        self.ledger = Ledger.of(volume)
        self._runner = _new_runner(runner) if isinstance(runner, str) else runner
        self._owns_runner = isinstance(runner, str)
        self.use(backend, model, device)
        self._located: dict[str, Located] = {}
        self._waiting: deque[_Wanted] = deque()
        self._asked = 0
        self._job: Job | None = None
        self._sending = False
        self._closed = False
        self._failure: MedVLMError | None = None
        self._idle = threading.Condition(threading.RLock())
        self._journal = None if journal is None else Journal(journal, self.ledger, self.failed.emit)

    # What is there.

    @property
    def located(self) -> Mapping[str, Located]:
        """The latest answer for each phrase, in the order of the first asking."""
        with self._idle:
            return dict(self._located)

    @property
    def grounding(self) -> Grounding:
        """All latest answers as one."""
        found = [located.grounding for located in self.located.values()]
        return Grounding(
            regions=tuple(region for g in found for region in g.regions),
            not_found=tuple(missing for g in found for missing in g.not_found),
            slices=tuple(dict.fromkeys(ref for g in found for ref in g.slices)),
            window=next((g.window for g in reversed(found) if g.window is not None), None),
            prompts={phrase: text for g in found for phrase, text in g.prompts.items()},
            texts=tuple(text for g in found for text in g.texts),
            notes=tuple(dict.fromkeys(note for g in found for note in g.notes)),
        )

    @property
    def pending(self) -> tuple[str, ...]:
        """Phrases whose answer is on its way."""
        with self._idle:
            running = () if self._job is None else self._query_of(self._job).phrases
            return (*running, *(wanted.query.phrases[0] for wanted in self._waiting))

    # What a person does.

    def use(self, backend: str, model: str | None = None, device: str = "cpu") -> None:
        """Have another backend look from now on."""
        info = registry.info(backend)
        if Task.GROUND not in info.tasks:
            raise BackendUnavailable(
                f"{info.title} does not look for phrases.", "Choose another backend for that."
            )
        self.backend, self._model, self._device = backend, model, device

    def ask(
        self,
        phrases: Sequence[str],
        scope: Scope | None = None,
        *,
        labels: Sequence[NamedLabels] = (),
        prompts: Mapping[str, str] | None = None,
        window: Window | None = None,
    ) -> None:
        """Look for phrases; returns at once unless the runner works inline, see `wait`.

        Parameters
        ----------
        scope
            Where to look; `None`: everywhere.
        labels
            Label images of this patient whose names may answer.
        prompts
            What to send to the model in place of a phrase.
        window
            The intensities that the model is to see as black and white; `None`: the usual ones.

        Raises
        ------
        InvalidPrompt
            If there is nothing to look for, or nowhere to look.
        """
        if isinstance(phrases, str) or not all(isinstance(phrase, str) for phrase in phrases):
            raise InvalidPrompt(
                f"Phrases are a list of texts, not {phrases!r}.", "Put each phrase into the list."
            )
        wanted = [p for p in dict.fromkeys(phrase.strip() for phrase in phrases) if p]
        if not wanted:
            raise InvalidPrompt("There is no phrase to look for.", "Write one phrase a line.")
        whole = GroundQuery((), scope or Scope(), dict(prompts or {}), tuple(labels), window)
        whole.scope.bounds(self.volume.grid)
        with self._idle:
            new = [phrase for phrase in wanted if phrase not in self.pending]
            self._waiting.extend(
                _Wanted(replace(whole, phrases=(p,)), self.backend, self._model, self._device)
                for p in new
            )
            self._asked = len(self.pending)
        self._next()

    def bring_in(self, who: str, found: Grounding) -> None:
        """Take what ``who`` found elsewhere, as a report tells it; it is kept like an answer."""
        names = [*(r.phrase for r in found.regions), *(n.phrase for n in found.not_found)]
        for phrase in dict.fromkeys(names):
            missing = tuple(n for n in found.not_found if n.phrase == phrase)
            own = replace(found, regions=found.of(phrase), not_found=missing)
            query = GroundQuery((phrase,))
            self._note(phrase, GroundReply(own, 0.0), GroundRequest(who, self.volume, query=query))
        self.changed.emit()

    def cancel(self) -> None:
        """Stop looking; what was found stays."""
        with self._idle:
            self._waiting.clear()
            job = self._job
        if job is not None:
            job.cancel()

    def forget(self, *phrases: str) -> None:
        """Take phrases and their regions away; the ledger keeps the answers."""
        for phrase in phrases or tuple(self._located):
            self._located.pop(phrase, None)
        self.changed.emit()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until nothing is on its way; raise what has gone wrong since the last time."""
        with self._idle:
            if not self._idle.wait_for(lambda: self._job is None and not self._waiting, timeout_s):
                raise TimeoutError(f"No answer within {timeout_s} s.")
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def basis(self, region: Region) -> CheckContext:
        """What checks of a region that was found rest on; what they come to is kept."""
        request = self.located[region.phrase].request

        def keep(finding: CheckResult) -> None:
            record = RegionChecked(
                phrase=region.phrase,
                backend=request.backend,
                model=request.model,
                region=RegionRecord.of(region),
                result=StoredCheckResult.of(finding),
            )
            self.ledger.note(record)
            if self._journal is not None:
                self._journal.write(record)

        return CheckContext(self._runner, request, keep)

    def close(self) -> None:
        """Stop looking and finish the journal."""
        self._closed = True
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

    # How it goes on.

    def _next(self) -> None:
        """Send queries, one after the other; from one place at a time."""
        with self._idle:
            if self._sending:
                return
            self._sending = True
        while self._send():
            pass

    def _send(self) -> bool:
        """Send the next query, unless one is on its way."""
        with self._idle:
            if self._job is not None or not self._waiting:
                self._sending = False
                return False
            if self._closed:
                self._waiting.clear()
                self._sending = False
                return False
            wanted = self._waiting.popleft()
            request = GroundRequest(
                wanted.backend, self.volume, wanted.model, wanted.device, wanted.query
            )
            self._job = Job(request)  # until the runner has given its own
        job = self._runner.submit(request, self._on_progress)
        with self._idle:
            self._job = job
        job.add_done_callback(self._on_done)
        return True

    def _on_progress(self, fraction: float, message: str) -> None:
        with self._idle:
            done = self._asked - len(self._waiting) - 1
            whole = max(self._asked, 1)
        emit_safely(self.progressed, (done + fraction) / whole, message)

    def _on_done(self, job: Job) -> None:
        failure: MedVLMError | None = None
        try:
            reply = job.result()
            assert isinstance(reply, GroundReply)
            self._keep(job, reply)
        except Cancelled:
            pass
        except MedVLMError as error:
            failure = error
        with self._idle:
            self._job = None
            self._failure = failure or self._failure
            if isinstance(failure, BackendUnavailable):  # nor will it be for the others
                self._waiting.clear()
            self._idle.notify_all()
        if failure is not None:
            emit_safely(self.failed, failure)
        emit_safely(self.changed)
        self._next()

    def _keep(self, job: Job, reply: GroundReply) -> None:
        request = job.request
        assert isinstance(request, GroundRequest)
        (phrase,) = request.query.phrases
        self._note(phrase, reply, request)

    def _note(self, phrase: str, reply: GroundReply, request: GroundRequest) -> None:
        found = reply.grounding
        record = Grounded.of(phrase, found, request.backend, request.model, reply.seconds)
        with self._idle:
            self._located[phrase] = Located(phrase, found, request.backend, reply.seconds, request)
            self.ledger.note(record)
        if self._journal is not None:
            self._journal.write(record)

    @staticmethod
    def _query_of(job: Job) -> GroundQuery:
        assert isinstance(job.request, GroundRequest)
        return job.request.query


def ground(
    volume: Volume,
    phrases: Sequence[str],
    backend: str = "embedded",
    *,
    scope: Scope | None = None,
    labels: Sequence[NamedLabels] = (),
    model: str | None = None,
    device: str = "cpu",
) -> Grounding:
    """Where phrases are in a volume; looked for in this thread.

    Parameters
    ----------
    volume
        The image.
    phrases
        What to look for.
    backend, model, device
        Who looks; see ``napari-medvlm backends``.
    scope
        Where to look; `None`: everywhere.
    labels
        Label images of this patient whose names may answer a phrase.

    Raises
    ------
    MedVLMError
        If the backend cannot look; a phrase that is nowhere is no error.
    """
    with GroundingSession(volume, backend, "inline", model=model, device=device) as session:
        session.ask(phrases, scope, labels=labels)
        session.wait()
        return session.grounding


def _new_runner(kind: Literal["worker", "inline"]) -> Runner:
    return RoutedRunner() if kind == "worker" else InlineRunner()
