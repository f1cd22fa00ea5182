"""Checks of an answer or a region, run on request."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_medvlm.backends.base import Task
from napari_medvlm.checks.base import Check, cost_of
from napari_medvlm.checks.check_list import all_checks
from napari_medvlm.checks.runner import Checking
from napari_medvlm.checks.second_model_check import SecondModel
from napari_medvlm.checks.subject import Subject
from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.sessions.check_context import CheckContext
from napari_medvlm.widgets.checks.calibration_button import CalibrationButton
from napari_medvlm.widgets.checks.rows import CheckRows, OtherImage, asked_times
from napari_medvlm.widgets.models.backend_combo import BackendChoice
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.plain_text import PlainLabel
from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.runtime.resources import Closes, close_all
from napari_medvlm.widgets.runtime.threads import MainThreadQueue, in_background

if TYPE_CHECKING:
    from napari import Viewer

Checked = tuple[CheckContext, Subject]
LEAST_PX = 130
"""How high checks that scroll are at least."""


class TrustPanel(QWidget):
    """Checks of one answer or region: switches, cost, Run and Cancel, and results in plain words.

    Parameters
    ----------
    viewer
        Whose images can take the place of the one that was asked about.
    on_findings
        Called with all findings whenever there is one more.
    scrolls
        Whether the checks scroll, where nothing around them does: else they would be cut.
    """

    def __init__(
        self,
        viewer: Viewer,
        on_findings: Callable[[Sequence[CheckResult]], None],
        *,
        scrolls: bool = False,
    ) -> None:
        super().__init__()
        self._scrolls = scrolls
        self.findings: tuple[CheckResult, ...] = ()
        self._on_findings = on_findings
        self._make: Callable[[], Checked] | None = None
        self._ready: Checked | None = None
        self._checking: Checking | None = None
        self._opened: list[Closes] = []
        self._busy = False
        self._seconds = 0.0
        self.rows = CheckRows(all_checks())
        self.witness = BackendChoice(Task.GROUND)
        self.other = OtherImage(viewer)
        self.calibration = CalibrationButton()
        self.total = PlainLabel()
        self.run = button("Run", "Run the selected checks in the background.")
        self.cancel = button("Cancel", "Stop; finished checks remain.")
        self._results_received = MainThreadQueue(self._on_outcomes, self)
        self._lay_out()
        self._connect()
        self._show_state()

    # What is checked.

    def follow(
        self,
        make: Callable[[], Checked],
        findings: Sequence[CheckResult] = (),
        seconds: float = 0.0,
    ) -> None:
        """Be about something; what is running for something else is stopped.

        Parameters
        ----------
        make
            Makes the basis and the subject, off the window's thread.
        findings
            What is known already.
        seconds
            How long one request takes, as far as is known.
        """
        self.leave()
        self._make, self._seconds = make, seconds
        self.show_findings(findings)

    def leave(self) -> None:
        """Be about nothing."""
        close_all(self._opened)
        self._make = self._ready = self._checking = None
        self._busy = False
        self.rows.show_costs({})
        self.show_findings(())

    def show_findings(self, findings: Sequence[CheckResult]) -> None:
        """Show what checks came to."""
        self.findings = tuple(findings)
        self.rows.show_findings(findings)
        self._on_findings(self.findings)
        self._show_state()

    def prepare(self) -> None:
        """Find out what the checks cost."""
        make = self._make
        if make is not None and self._ready is None:
            in_background(lambda: (make, make()), partial(_notify, self._results_received))

    # Actions.

    def start(self) -> None:
        """Run the checks that are switched on."""
        if self._ready is None or self.pending:
            return
        basis, subject = self._ready
        chosen = [check for check in self._checks() if check.name in self.rows.chosen]
        close_all(self._opened)

        def report(what: object) -> None:
            _notify(self._results_received, (checking, what))

        checking = Checking(basis, subject, on_begin=report, on_result=report, on_end=report)
        self._opened.append(checking)
        self._checking, self._busy = checking, True
        checking.run(chosen)
        self._show_state()

    def stop(self) -> None:
        """Stop checking; what was found stays."""
        if self._checking is not None:
            self._checking.cancel()
            self._busy = self._checking.pending
            self._show_state()

    @property
    def pending(self) -> bool:
        """Whether checks run."""
        return self._busy

    # What is shown.

    def _checks(self) -> tuple[Check, ...]:
        return all_checks(SecondModel(self.witness.name), other=self.other.volume)

    def _on_outcomes(self, queue: Sequence[Any]) -> None:
        for sender, what in queue:
            if sender is self._make:
                self._ready = what
                self._show_costs()
            elif sender is self._checking:
                self._on_checked(what)
        self._show_state()

    def _on_checked(self, what: Check | CheckResult | int) -> None:
        """A check begins, has come to something, or all are over."""
        if isinstance(what, Check):
            self.rows.rows[what.name].show_running()
        elif isinstance(what, CheckResult):
            rest = (f for f in self.findings if f.check != what.check)
            self.show_findings((*rest, what))
        else:  # a check that was stopped shows what it came to before, if anything
            self._busy = False
            self.rows.show_findings(self.findings)

    def _show_costs(self) -> None:
        if self._ready is not None:
            subject = self._ready[1]
            self.rows.show_costs({check.name: cost_of(check, subject) for check in self._checks()})
            self._show_state()

    def _show_state(self) -> None:
        ready, busy = self._ready is not None, self.pending
        self.run.setEnabled(ready and not busy and bool(self.rows.chosen))
        self.cancel.setEnabled(busy)
        if self._ready is None:
            self.total.setText("")
            return
        subject = self._ready[1]
        cost = sum(cost_of(c, subject) for c in self._checks() if c.name in self.rows.chosen)
        about = f", about {cost * self._seconds:.0f} s" if cost * self._seconds >= 1 else ""
        self.total.setText(f"Total: {asked_times(cost)}{about}")

    def _lay_out(self) -> None:
        self.witness.setToolTip("Backend that locates the same finding for comparison.")
        choices = QFormLayout()
        choices.addRow("Swap with", self.other)
        choices.addRow("Second model", self.witness)
        choices.addRow("Confidence", self.calibration)
        foot = QHBoxLayout()
        foot.addWidget(self.total, 1)
        foot.addWidget(self.run)
        foot.addWidget(self.cancel)
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(3)
        inner.addWidget(self.rows)
        inner.addLayout(choices)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 4)
        layout.setSpacing(3)
        layout.addWidget(_scrolling(content) if self._scrolls else content)
        layout.addLayout(foot)

    def _connect(self) -> None:
        on_click(self.run, self.start)
        on_click(self.cancel, self.stop)
        self.rows.toggled.connect(guarded(self._show_state))
        self.witness.chosen.connect(guarded(lambda _: self._show_costs()))
        self.other.activated.connect(guarded(lambda _: self._show_costs()))
        opened = self._opened  # without the panel, so that it can follow its end
        self.destroyed.connect(lambda: close_all(opened))


def _scrolling(content: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setMinimumHeight(LEAST_PX)
    area.setWidget(content)
    return area


def _notify(queue: MainThreadQueue, what: object) -> None:
    """Update the panel, unless it is gone."""
    with contextlib.suppress(RuntimeError):  # its part in Qt was deleted
        queue(what)
