"""The simulated user at one structure: a real session, and the scores after each interaction."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from napari_medvlm.data.errors import BackendUnavailable, Cancelled, MedVLMError
from napari_medvlm.data.mask import BoolArray, Mask
from napari_medvlm.data.prompts import InitialMask
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.metrics.segmentation import Scores, scores
from napari_medvlm.evaluation.segment.cases import Structure
from napari_medvlm.evaluation.segment.outcomes import Attempt, Step
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.simulated_prompts import PromptSimulator, SimulatedPrompt
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.worker.environment_runner import RoutedRunner
from napari_medvlm.worker.messages import Request
from napari_medvlm.worker.runner import Job

MIB = 2**20
MEMORY_S = 0.02
OnStep = Callable[[Step, Mask], object]


class Trial:
    """The simulated user at one structure, reported step by step, and stopped from any thread.

    Parameters
    ----------
    plan
        What the user does and who segments.
    runner
        Who does the work; it is not stopped here.
    """

    def __init__(self, plan: Plan, runner: RoutedRunner) -> None:
        self._plan = plan
        self._runner = runner
        self._over = threading.Event()
        self._loading: Job | None = None
        self._session: SegmentationSession | None = None

    def run(
        self,
        case: str,
        volume: Volume,
        structure: Structure,
        truth: BoolArray,
        on_step: OnStep | None = None,
    ) -> Attempt:
        """Work on a structure; returns when it is done.

        Parameters
        ----------
        case
            Name of the case, from which an unsteady hand draws.
        truth
            ``(z, y, x)`` bool, where the structure is.
        on_step
            Called after each interaction with its scores and the mask, on this thread.

        Raises
        ------
        Cancelled
            If somebody did.
        MedVLMError
            If the backend cannot work at all.
        """
        plan = self._plan
        self._load(volume)
        self._session = session = SegmentationSession(
            volume, plan.backend, self._runner, model=plan.model, device=plan.device
        )
        simulator = PromptSimulator(plan, volume, truth, structure.box, f"{case}/{structure.name}")
        with session, _Memory(self._runner) as memory:
            session.add_object(structure.name)
            steps = []
            for step, mask_array in self._steps(session, simulator, truth):
                steps.append(step)
                if on_step is not None:
                    on_step(step, Mask.of(mask_array))
            mask = session.mask
            text = _text(session)
        last = InitialMask.of(volume, mask) if mask.any() else None
        return Attempt(
            structure=structure.name, steps=tuple(steps), memory_mib=memory.peak_mib,
            mask=last, session=text, truth_ml=_volume_ml(volume, truth),
        )  # fmt: skip

    def cancel(self) -> None:
        """Stop; `run` raises `Cancelled` as soon as the backend lets go."""
        self._over.set()
        if self._loading is not None:
            self._loading.cancel()
        if self._session is not None:
            self._session.cancel()

    def _load(self, volume: Volume) -> None:
        """Have model and image loaded, which is no part of the first interaction's seconds."""
        plan = self._plan
        self._loading = self._runner.submit(Request(plan.backend, volume, plan.model, plan.device))
        self._raise_if_over()
        self._loading.wait()

    def _steps(
        self, session: SegmentationSession, simulator: PromptSimulator, truth: BoolArray
    ) -> Iterator[tuple[Step, BoolArray]]:
        """As many as were planned, with the mask; those not needed repeat the perfect score."""
        spacing, tolerance_mm = session.volume.spacing, self._plan.tolerance_mm
        mask = session.mask
        step: Step | None = None
        for number in range(self._plan.interactions):
            self._raise_if_over()
            simulated = simulator.next(mask, number)
            if simulated is None:
                assert step is not None, "nothing is perfect before the first prompt"
                step = _step(SimulatedPrompt(), None, _scores_of(step))
            else:
                start = time.perf_counter()
                problem = self._add_prompt(session, simulated)
                seconds = time.perf_counter() - start
                mask = session.mask
                mask_scores = scores(mask, truth, spacing, tolerance_mm)
                step = _step(simulated, seconds, mask_scores, problem)
            yield step, mask

    def _add_prompt(self, session: SegmentationSession, simulated: SimulatedPrompt) -> str:
        """Give the prompt and wait for the mask; why there is none, if so."""
        assert simulated.prompt is not None
        try:
            session.add(simulated.prompt)
            self._raise_if_over()  # a cancel that came before there was anything to stop
            session.wait()
        except (BackendUnavailable, Cancelled):
            raise
        except MedVLMError as error:
            self._raise_if_over()
            return str(error)
        self._raise_if_over()
        return ""

    def _raise_if_over(self) -> None:
        if self._over.is_set():
            if self._loading is not None:
                self._loading.cancel()
            raise Cancelled


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


def _volume_ml(volume: Volume, mask: BoolArray) -> float:
    return int(np.count_nonzero(mask)) * volume.grid.voxel_ml


def _step(
    simulated: SimulatedPrompt, seconds: float | None, mask_scores: Scores, problem: str = ""
) -> Step:
    prompt = simulated.prompt
    return Step(
        prompt="" if prompt is None else prompt.kind,
        positive=prompt is None or prompt.positive,
        zyx=simulated.zyx,
        seconds=seconds,
        problem=problem,
        **asdict(mask_scores),
    )


def _scores_of(step: Step) -> Scores:
    return Scores(step.dice, step.iou, step.nsd, step.hd95_mm)


def _text(session: SegmentationSession) -> str:
    """The session file, as `Ledger.save` writes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session.json"
        session.ledger.save(path)
        return path.read_text("utf-8")
