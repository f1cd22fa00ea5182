"""Working on cases: the simulated user at a real session, and its scores after each interaction."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from napari_medvlm.errors import (
    BackendUnavailable,
    MedVLMError,
    PromptNotSupported,
    SettingsError,
)
from napari_medvlm.evaluation.segment.cases import Case, Structure, chosen, load
from napari_medvlm.evaluation.segment.hand import Hand, Move
from napari_medvlm.evaluation.segment.metrics import Scores, scores
from napari_medvlm.evaluation.segment.outcomes import Attempt, Outcome, Step
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.prompts import InitialMask
from napari_medvlm.results import BoolArray
from napari_medvlm.sessions.segment import SegmentationSession
from napari_medvlm.volume import Volume
from napari_medvlm.worker.routed import RoutedRunner
from napari_medvlm.worker.wire import Request

MIB = 2**20
MEMORY_S = 0.02


class CaseWorker:
    """Works on one case after the other; the backend stays loaded, in a process of its own.

    Parameters
    ----------
    plan
        What the user does and who segments, as of `Plan.model_dump`.
    """

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self._plan = Plan.model_validate(plan)
        self._runner = RoutedRunner()

    def __call__(self, case: Mapping[str, Any]) -> dict[str, Any]:
        """Work on a case, as of `Case.model_dump`; what came of it, as of `Outcome.model_dump`."""
        return self.outcome(Case.model_validate(case)).model_dump(mode="json")

    def outcome(self, case: Case) -> Outcome:
        """Work on a case. What is wrong with it is told in the outcome, and not raised."""
        try:
            loaded = load(case)
            wanted = chosen(loaded.structures, self._plan.structures)
            truths = {s.name: (s, loaded.truth(s)) for s in wanted}
            present = {name: found for name, found in truths.items() if found[1].any()}
            attempts = [self._attempt(case, loaded.volume, *found) for found in present.values()]
        except MedVLMError as error:
            fatal = isinstance(error, BackendUnavailable | SettingsError | PromptNotSupported)
            return Outcome(case=case.name, problem=error.message, hint=error.hint, fatal=fatal)
        absent = tuple(name for name in truths if name not in present)
        return Outcome(case=case.name, attempts=tuple(attempts), absent=absent)

    def stop(self) -> None:
        """End the backend's process."""
        self._runner.stop()

    def _attempt(
        self, case: Case, volume: Volume, structure: Structure, truth: BoolArray
    ) -> Attempt:
        plan = self._plan
        self._runner.submit(Request(plan.backend, volume, plan.model, plan.device)).wait()
        session = SegmentationSession(
            volume, plan.backend, self._runner, model=plan.model, device=plan.device
        )
        hand = Hand(plan, volume, truth, structure.box, f"{case.name}/{structure.name}")
        with session, _Memory(self._runner) as memory:
            session.add_object(structure.name)
            steps = _steps(session, hand, truth, plan)
            mask = session.mask
            text = _text(session)
        last = InitialMask.of(volume, mask) if mask.any() else None
        return Attempt(
            structure=structure.name, steps=tuple(steps), memory_mib=memory.peak_mib,
            mask=last, session=text,
        )  # fmt: skip


def _steps(session: SegmentationSession, hand: Hand, truth: BoolArray, plan: Plan) -> list[Step]:
    """As many as were planned; those that were not needed repeat the perfect score."""
    spacing = session.volume.spacing
    mask = session.mask
    steps: list[Step] = []
    for number in range(plan.interactions):
        move = hand.next(mask, number)
        if move is None:
            steps.append(_step(Move(), None, _scores_of(steps[-1])))
            continue
        start = time.perf_counter()
        problem = _say(session, move)
        seconds = time.perf_counter() - start
        mask = session.mask
        steps.append(_step(move, seconds, scores(mask, truth, spacing, plan.tolerance_mm), problem))
    return steps


def _say(session: SegmentationSession, move: Move) -> str:
    """Give the prompt and wait for the mask; why there is none, if so."""
    assert move.prompt is not None
    try:
        session.add(move.prompt)
        session.wait()
    except BackendUnavailable:
        raise
    except MedVLMError as error:
        return str(error)
    return ""


class _Memory:
    """The most memory that a runner's processes have had, looked at all the time."""

    def __init__(self, runner: RoutedRunner) -> None:
        self._runner = runner
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._peak = 0

    @property
    def peak_mib(self) -> float | None:
        """In MiB; `None` if none could be looked at."""
        return self._peak / MIB if self._peak else None

    def _watch(self) -> None:
        while not self._over.wait(MEMORY_S):
            self._look()

    def _look(self) -> None:
        import psutil

        total = 0
        for pid in self._runner.pids.values():
            try:
                total += psutil.Process(pid).memory_info().rss
            except psutil.Error:
                continue
        self._peak = max(self._peak, total)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self._look()


def _step(move: Move, seconds: float | None, found: Scores, problem: str = "") -> Step:
    prompt = move.prompt
    return Step(
        gesture="" if prompt is None else prompt.kind,
        positive=prompt is None or prompt.positive,
        zyx=move.zyx,
        seconds=seconds,
        problem=problem,
        **asdict(found),
    )


def _scores_of(step: Step) -> Scores:
    return Scores(step.dice, step.iou, step.nsd, step.hd95_mm)


def _text(session: SegmentationSession) -> str:
    """The session file, as `Ledger.save` writes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session.json"
        session.ledger.save(path)
        return path.read_text("utf-8")
