"""Run checks one after the other in the background."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from napari_medvlm.checks.answer_similarity import CheckedAnswer
from napari_medvlm.checks.base import COMPUTED, Check
from napari_medvlm.checks.checked_answer import AnswerSubject
from napari_medvlm.checks.region_subject import RegionSubject
from napari_medvlm.checks.region_subject import checked_answer as checked_grounding
from napari_medvlm.checks.subject import Sent, Subject
from napari_medvlm.data.check_result import CheckResult, Outcome
from napari_medvlm.data.errors import Cancelled, MedVLMError
from napari_medvlm.data.region import Region
from napari_medvlm.sessions.ask.check_context import AnswerCheckContext
from napari_medvlm.sessions.check_context import CheckContext
from napari_medvlm.sessions.job_queue import JobQueue
from napari_medvlm.sessions.request_sender import RequestSender
from napari_medvlm.worker.messages import AskRequest, GroundRequest
from napari_medvlm.worker.runner import Runner


def answer_subject(context: AnswerCheckContext) -> AnswerSubject:
    """The subject for checks of an answer."""
    assert isinstance(context.request, AskRequest)
    return AnswerSubject(context.request, context.answer)


def region_subject(context: CheckContext, region: Region) -> RegionSubject:
    """The subject for checks of a region."""
    assert isinstance(context.request, GroundRequest)
    return RegionSubject(context.request, region)


def run_check(check: Check, subject: Subject, sender: RequestSender) -> CheckResult:
    """Run a check; if a backend fails, the result is *not applicable* with the reason.

    Raises
    ------
    Cancelled
        If the sender was stopped.
    """
    start, requests = time.perf_counter(), 0

    def ask(request: Sent) -> CheckedAnswer:
        nonlocal requests
        requests += 1
        if isinstance(request, GroundRequest):
            return checked_grounding(sender.send(request).grounding)
        return subject.read(sender.send(request))

    try:
        is_for = check.is_for(subject)
        result = check.run(subject, ask) if is_for else check.not_applicable(COMPUTED)
    except Cancelled:
        raise
    except MedVLMError as error:
        message = f"The check failed: {error.message}"
        result = CheckResult(check.name, Outcome.NOT_APPLICABLE, message, {"hint": error.hint})
    return replace(result, requests=requests, seconds=time.perf_counter() - start)


def run_checks(
    checks: Sequence[Check], subject: Subject, runner: Runner
) -> tuple[CheckResult, ...]:
    """Run checks in the caller's thread; for scripts."""
    sender = RequestSender(runner, lambda *_: None)
    return tuple(run_check(check, subject, sender) for check in checks)


class Checking:
    """Runs checks in the background; with an inline runner, in the caller's thread.

    Callbacks are called on another thread.

    Parameters
    ----------
    context
        The runner for the requests, and where to record the results.
    subject
        The answer or region to check.
    on_begin, on_result
        Called with the check that starts, and with its result.
    on_end
        Called when all checks ended, with the number of checks that were not run.
    """

    def __init__(
        self,
        context: CheckContext,
        subject: Subject,
        *,
        on_begin: Callable[[Check], None] = lambda _: None,
        on_result: Callable[[CheckResult], None] = lambda _: None,
        on_end: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._context = context
        self._subject = subject
        self._on_begin = on_begin
        self._on_result = on_result
        self._on_end = on_end
        self._queue: JobQueue[int] = JobQueue(context.runner, lambda *_: None, lambda _: None)

    @property
    def pending(self) -> bool:
        """Whether a check runs or waits."""
        return self._queue.pending

    def run(self, checks: Sequence[Check]) -> None:
        """Run checks, after those that run or wait."""
        self._queue.put(0, lambda sender: self._run(tuple(checks), sender))

    def cancel(self) -> None:
        """Stop; results so far are kept."""
        self._queue.stop(0)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until no check runs or waits."""
        self._queue.wait(timeout_s)

    def close(self) -> None:
        """Stop all checks and accept no more."""
        self._queue.close()

    def _run(self, checks: tuple[Check, ...], sender: RequestSender) -> None:
        left = list(checks)
        try:
            for check in checks:
                self._on_begin(check)
                result = run_check(check, self._subject, sender)
                if sender.stopped:
                    return
                left.remove(check)
                self._context.record(result)
                self._on_result(result)
        finally:
            self._on_end(len(left))
