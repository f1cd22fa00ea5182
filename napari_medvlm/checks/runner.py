"""Running checks one after the other, away from who asks for them, until somebody stops it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from napari_medvlm.checks.answer_similarity import CheckedAnswer
from napari_medvlm.checks.answer_subject import AnswerSubject
from napari_medvlm.checks.base import Check
from napari_medvlm.checks.region_subject import RegionSubject
from napari_medvlm.checks.region_subject import said_by as said_by_grounding
from napari_medvlm.checks.subject import Sent, Subject
from napari_medvlm.data.check_result import CheckResult, Outcome
from napari_medvlm.data.errors import Cancelled, MedVLMError
from napari_medvlm.data.region import Region
from napari_medvlm.sessions.ask.check_context import AnswerCheckContext
from napari_medvlm.sessions.check_context import CheckContext
from napari_medvlm.sessions.job_queue import JobQueue
from napari_medvlm.sessions.request_sender import RequestSender
from napari_medvlm.worker.messages import AskRequest, GroundReply, GroundRequest
from napari_medvlm.worker.runner import Runner


def answer_subject(basis: AnswerCheckContext) -> AnswerSubject:
    """The answer of a basis, to be checked."""
    assert isinstance(basis.request, AskRequest)
    return AnswerSubject(basis.request, basis.answer)


def region_subject(basis: CheckContext, region: Region) -> RegionSubject:
    """A region of a basis, to be checked."""
    assert isinstance(basis.request, GroundRequest)
    return RegionSubject(basis.request, region)


def run_check(check: Check, subject: Subject, calls: RequestSender) -> CheckResult:
    """What a check comes to; a backend that fails makes it say nothing, and why.

    Raises
    ------
    Cancelled
        If somebody stopped the calls.
    """
    start, asked = time.perf_counter(), 0

    def ask(request: Sent) -> CheckedAnswer:
        nonlocal asked
        asked += 1
        reply = calls.send(request)
        if isinstance(reply, GroundReply):
            return said_by_grounding(reply.grounding)
        return subject.read(reply)

    try:
        finding = check.judge(subject, ask)
    except Cancelled:
        raise
    except MedVLMError as error:
        told = f"It could not be carried out: {error.message}"
        finding = CheckResult(check.name, Outcome.NOT_APPLICABLE, told, {"hint": error.hint})
    return replace(finding, requests=asked, seconds=time.perf_counter() - start)


def run_checks(
    checks: Sequence[Check], subject: Subject, runner: Runner
) -> tuple[CheckResult, ...]:
    """What checks come to, worked out in this thread; for scripts."""
    calls = RequestSender(runner, lambda *_: None)
    return tuple(run_check(check, subject, calls) for check in checks)


class Checking:
    """Runs checks in the background; inline, in the caller's thread.

    Callbacks come on another thread.

    Parameters
    ----------
    basis
        Who carries requests, and where findings are kept.
    subject
        What is checked.
    on_begin, on_found
        Called with the check that begins, and with what it came to.
    on_end
        Called when nothing runs or waits any more, with how many checks were left out.
    """

    def __init__(
        self,
        basis: CheckContext,
        subject: Subject,
        *,
        on_begin: Callable[[Check], None] = lambda _: None,
        on_found: Callable[[CheckResult], None] = lambda _: None,
        on_end: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._basis = basis
        self._subject = subject
        self._on_begin = on_begin
        self._on_found = on_found
        self._on_end = on_end
        self._line = JobQueue(basis.runner, lambda *_: None, lambda _: None)

    @property
    def pending(self) -> bool:
        """Whether anything runs or waits."""
        return self._line.pending

    def run(self, checks: Sequence[Check]) -> None:
        """Run checks after those that are there."""
        self._line.put(0, lambda calls: self._run(tuple(checks), calls))

    def cancel(self) -> None:
        """Stop; what was found stays."""
        self._line.stop(0)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until nothing runs or waits."""
        self._line.wait(timeout_s)

    def close(self) -> None:
        """Stop, and take nothing more."""
        self._line.close()

    def _run(self, checks: tuple[Check, ...], calls: RequestSender) -> None:
        left = list(checks)
        try:
            for check in checks:
                self._on_begin(check)
                finding = run_check(check, self._subject, calls)
                if calls.stopped:
                    return
                left.remove(check)
                self._basis.keep(finding)
                self._on_found(finding)
        finally:
            self._on_end(len(left))
