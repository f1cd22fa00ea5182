"""The checks of an answer or a region, folded under a title with their result."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFrame

from napari_medvlm.checks.runner import answer_subject, region_subject
from napari_medvlm.data.check_result import CheckResult, Outcome
from napari_medvlm.data.conversation import State
from napari_medvlm.data.region import Region
from napari_medvlm.sessions.ask.session import AskSession
from napari_medvlm.sessions.ground.session import GroundingSession
from napari_medvlm.widgets.checks.panel import Checked, TrustPanel
from napari_medvlm.widgets.parts.collapsible import Collapsible
from napari_medvlm.widgets.runtime.notify import guarded

if TYPE_CHECKING:
    from napari import Viewer

TITLE = "Checks"
TOOLTIP = "Check how reliable this is. Choose checks; each shows its cost."


class TrustFold(Collapsible):
    """The panel, folded under a title with the results of the checks.

    Parameters
    ----------
    viewer, scrolls
        See `TrustPanel`.
    """

    def __init__(self, viewer: Viewer, *, scrolls: bool = False) -> None:
        self.panel = TrustPanel(viewer, self._on_findings, scrolls=scrolls)
        self._about: tuple[object, ...] = ()
        self._known: dict[int, tuple[Region, tuple[CheckResult, ...]]] = {}
        self._region: Region | None = None
        super().__init__(TITLE, TOOLTIP, self.panel)
        self.toggled.connect(guarded(self._on_expanded))

    def show_answer(self, session: AskSession, exchange: int) -> None:
        """Follow an answer; its recorded results are shown."""
        asked = session.turn(exchange)
        about = (session, exchange, asked.answer)
        if about != self._about:
            self._about = about
            self.panel.follow(
                partial(_answer, session, exchange), asked.check_results, asked.seconds
            )
            self._show()
        elif asked.check_results != self.panel.findings and not self.panel.pending:
            self.panel.show_findings(asked.check_results)

    def show_region(self, session: GroundingSession, region: Region) -> None:
        """Follow a region of a search."""
        about = (session, region)
        if about == self._about:
            return
        self._about, self._region = about, None
        results = self._known.get(id(region), (region, ()))[1]
        seconds = session.located[region.phrase].seconds
        self.panel.follow(partial(_region, session, region), results, seconds)
        self._region = region
        self._show()

    def leave(self) -> None:
        """Follow nothing, and hide."""
        self._about, self._region = (), None
        self.panel.leave()
        self.hide()

    def _show(self) -> None:
        self.show()
        self._on_expanded(self.isExpanded())

    def _on_expanded(self, expanded: bool) -> None:
        if expanded:
            self.panel.prepare()

    def _on_findings(self, findings: Sequence[CheckResult]) -> None:
        if self._region is not None:
            self._known[id(self._region)] = self._region, tuple(findings)
        if self._about:
            self.setText(title_of(findings))


def title_of(findings: Sequence[CheckResult]) -> str:
    """The title: the checks that flagged the answer or the region."""
    flagged = [f.check for f in findings if f.verdict is Outcome.FLAGGED]
    if not findings:
        return TITLE
    if flagged:
        return f"{TITLE}: ⚠ {', '.join(flagged)}"
    passed = any(f.verdict is Outcome.PASSED for f in findings)
    return f"{TITLE}: {'passed' if passed else 'not applicable'}"


def show_checks_in_card(
    card: QFrame, viewer: Viewer, session: AskSession | None, exchange: int, in_full: bool
) -> None:
    """The checks of a card's answer, folded, at the end of the card that is shown in full."""
    fold = card.findChild(TrustFold)
    if session is None or not in_full or session.turn(exchange).state is not State.ANSWERED:
        if fold is not None:
            fold.hide()
        return
    layout = card.layout()
    if fold is None and layout is not None:
        fold = TrustFold(viewer)
        layout.addWidget(fold)
    if fold is not None:
        fold.show_answer(session, exchange)
        fold.show()


def _answer(session: AskSession, exchange: int) -> Checked:
    basis = session.basis(exchange)
    return basis, answer_subject(basis)


def _region(session: GroundingSession, region: Region) -> Checked:
    basis = session.basis(region)
    return basis, region_subject(basis, region)
