"""Lesions of a prior study followed into the current one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.errors import InvalidImage, InvalidPrompt
from napari_medvlm.data.geometry.grid import require_same_grid
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.followup.backtest import mask_reliability
from napari_medvlm.sessions.followup.comparison import (
    Proposal,
    RowOptions,
    compared,
    proposed_row,
)
from napari_medvlm.sessions.followup.followed import FollowUp
from napari_medvlm.sessions.followup.lesions import Lesion, lesions_of
from napari_medvlm.sessions.followup.matching import Studies
from napari_medvlm.sessions.followup.proposals import proposals_of
from napari_medvlm.sessions.followup.result import follow_up_of
from napari_medvlm.sessions.followup.segmenting import segmented_lesions
from napari_medvlm.sessions.register import Kind
from napari_medvlm.sessions.request_sender import ModelChoice, new_runner
from napari_medvlm.worker.runner import Runner

NO_NEW = "New lesions are not searched for: compare with masks of the current study to get them."


def follow(  # noqa: PLR0913  # what is compared, who segments, and what the table needs
    current: Volume,
    prior: Volume,
    lesions: NamedLabels,
    pairing: Pairing | None = None,
    *,
    current_masks: NamedLabels | None = None,
    accept: bool = False,
    kind: Kind | PairingKind = PairingKind.RIGID,
    other_patient: bool = False,
    backend: str = "embedded",
    model: str | None = None,
    device: str = "cpu",
    runner: Literal["worker", "inline"] | Runner = "inline",
    dates: tuple[date, date] | None = None,
    nodes: Collection[str] = (),
    backtest: bool = True,
    progress: Progress = lambda *_: None,
) -> FollowUp:
    """Follow the lesions of a prior study into the current one.

    Each lesion's centre is mapped and moved to the best local match within 10 mm. What became of
    the lesions follows from the overlap of their masks with `current_masks` or with the masks of
    accepted points; without either, points are only proposed.

    Parameters
    ----------
    lesions
        Masks on the prior's grid: one lesion for each value, or the components of a single value.
    pairing
        From the prior to the current study; by default that of `register`, which gets `kind` and
        `other_patient`.
    current_masks
        Lesions on the current study's grid; those that overlap none of the prior are new.
    accept
        Whether `backend` segments the points; `model`, `device`, `runner`: see
        `SegmentationSession`.
    dates
        Of the prior and the current study; by default as in DICOM files.
    nodes
        Names of lesions that are lymph nodes, measured by their short axis.
    backtest
        Whether a known change is planted at each lesion and measured by the same steps.

    Raises
    ------
    InvalidPrompt, InvalidImage, GeometryMismatch
        If there is no lesion or no such node, or studies and masks do not fit each other.
    """
    _check(current, prior, lesions, current_masks, accept)
    new = () if current_masks is None else _current_lesions(current_masks)
    old = lesions_of(lesions)
    _check_nodes(nodes, (*old, *new))
    options = RowOptions(frozenset(nodes), dates or study_dates(prior, current))
    paired = pairing or _registered(current, prior, kind, other_patient, progress)
    work = _Work(Studies(current, prior, paired), old, backtest, progress)
    if accept:
        return work.segmented(ModelChoice(backend, model, device), runner, options)
    return work.proposed(options) if current_masks is None else work.compared(new, options)


@dataclass(frozen=True, eq=False)
class _Work:
    """The lesions of the prior, and how they are followed."""

    studies: Studies
    lesions: Sequence[Lesion]
    backtest: bool
    progress: Progress

    def segmented(
        self, choice: ModelChoice, runner: Literal["worker", "inline"] | Runner, options: RowOptions
    ) -> FollowUp:
        """The points, segmented by a backend."""
        proposals = proposals_of(self.studies, self.lesions, self.progress)
        work = new_runner(runner) if isinstance(runner, str) else runner
        try:
            proposals, new = segmented_lesions(
                self.studies, proposals, choice, work,
                backtest=self.backtest, progress=self.progress,
            )  # fmt: skip
        finally:
            if isinstance(runner, str):
                work.stop()
        rows = compared(proposals, new, self.studies.current.grid, options)
        return follow_up_of(self.studies, proposals, rows, new, options, (NO_NEW,))

    def compared(self, new: Sequence[Lesion], options: RowOptions) -> FollowUp:
        """The masks of both studies compared."""
        proposals = self._tested()
        rows = compared(proposals, new, self.studies.current.grid, options)
        return follow_up_of(self.studies, proposals, rows, new, options, ())

    def proposed(self, options: RowOptions) -> FollowUp:
        """Points only."""
        proposals = [p.without_doubtful_state() for p in self._tested()]
        rows = tuple(proposed_row(proposal, options) for proposal in proposals)
        return follow_up_of(self.studies, proposals, rows, (), options, (NO_NEW,))

    def _tested(self) -> tuple[Proposal, ...]:
        proposals = proposals_of(self.studies, self.lesions, self.progress)
        if not self.backtest:
            return proposals
        return tuple(
            p if p.is_outside else replace(p, reliability=mask_reliability(self.studies, p))
            for p in proposals
        )


def _check(
    current: Volume, prior: Volume, lesions: NamedLabels, current_masks: NamedLabels | None,
    accept: bool,
) -> None:  # fmt: skip
    if accept and current_masks is not None:
        raise InvalidPrompt(
            "Points are segmented or masks are compared, not both.",
            "Leave out the masks of the current study, or do not accept the points.",
        )
    if (1 in current.shape) != (1 in prior.shape):
        single, other = (current, prior) if 1 in current.shape else (prior, current)
        raise InvalidImage(
            f"{single.name} is a single slice, {other.name} a volume of shape {other.shape}.",
            "Choose two volumes, or two slices.",
        )
    require_same_grid(lesions.grid, prior.grid, f"The masks {lesions.title}")
    if current_masks is not None:
        require_same_grid(current_masks.grid, current.grid, f"The masks {current_masks.title}")


def _check_nodes(nodes: Collection[str], lesions: Sequence[Lesion]) -> None:
    names = sorted({lesion.name for lesion in lesions})
    unknown = sorted(set(nodes) - set(names))
    if unknown:
        raise InvalidPrompt(
            f"No lesion is named {', '.join(unknown)}.", f"The names are {', '.join(names)}."
        )


def _current_lesions(masks: NamedLabels) -> tuple[Lesion, ...]:
    """The lesions of the current study, of which there may be none."""
    return lesions_of(masks) if np.any(masks.values) else ()


def _registered(
    current: Volume,
    prior: Volume,
    kind: Kind | PairingKind,
    other_patient: bool,
    progress: Progress,
) -> Pairing:
    import napari_medvlm as nmv

    pairing: Pairing = nmv.register(
        current, prior, kind, other_patient=other_patient, progress=progress
    )
    return pairing


def study_dates(prior: Volume, current: Volume) -> tuple[date, date] | None:
    """Acquisition dates of two volumes from their DICOM files; `None` if one has none."""
    from napari_medvlm.io.dicom_objects.study_date import acquisition_date

    dates = acquisition_date(prior), acquisition_date(current)
    return None if dates[0] is None or dates[1] is None else (dates[0], dates[1])


def parsed_dates(text: str) -> tuple[date, date]:
    """The dates of the prior and the current study from a text as 2026-01-31,2026-06-30.

    Raises
    ------
    InvalidPrompt
        If it is not two dates, or the second is not later.
    """
    example = "Write the date of the prior, a comma and the date of the current study."
    try:
        prior, current = (date.fromisoformat(part.strip()) for part in text.split(","))
    except ValueError:
        raise InvalidPrompt(
            f"{text!r} is not two dates such as 2026-01-31,2026-06-30.", example
        ) from None
    if current <= prior:
        raise InvalidPrompt(f"The current study, {current}, is not later than the prior.", example)
    return prior, current
