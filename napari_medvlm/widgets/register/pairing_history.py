"""The pairings of two studies: registered, corrected, undone, redone and resumed."""

from __future__ import annotations

from pathlib import Path

from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal import new_journal
from napari_medvlm.layers.pairing.pairing_layers import PairedStudies
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.region_records import ImageReference
from napari_medvlm.sessions.pairing_session import PairingSession


class PairingHistory:
    """A session of pairings, with the paired studies of each of its entries.

    Attributes
    ----------
    session
        The ledger of the pairings; None while nothing is registered.
    """

    def __init__(self) -> None:
        self.session: PairingSession | None = None
        self._by_serial: dict[int, PairedStudies] = {}

    @property
    def can_undo(self) -> bool:
        """Whether there is a pairing before the one that counts."""
        return self.session is not None and self.session.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether a pairing was undone."""
        return self.session is not None and self.session.can_redo

    def use(self, studies: PairedStudies) -> None:
        """Add a pairing; the first one begins a session with a journal."""
        if self.session is None:
            journal = new_journal(ImageReference.of(studies.current), "register")
            self.session = PairingSession(studies.current, studies.prior, journal=journal)
        self.session.use(studies.pairing)
        self._by_serial[self.session.serial] = studies

    def resume(self, studies: PairedStudies, ledger: Ledger, path: Path) -> None:
        """Continue an earlier session, whose last pairing is that of the studies."""
        self.end()
        self.session = PairingSession(studies.current, studies.prior, ledger, path)
        self._by_serial[self.session.serial] = studies

    def undo(self) -> PairedStudies | None:
        """Go back by one pairing; the studies of the one that counts then."""
        if self.session is None or not self.session.can_undo:
            return None
        self.session.undo()
        return self._now(self.session)

    def redo(self) -> PairedStudies | None:
        """Go forward to the pairing that was undone last; its studies."""
        if self.session is None or not self.session.can_redo:
            return None
        self.session.redo()
        return self._now(self.session)

    def end(self) -> None:
        """Finish the journal."""
        if self.session is not None:
            self.session.close()
        self.session = None
        self._by_serial.clear()

    def _now(self, session: PairingSession) -> PairedStudies:
        """The studies of the pairing that counts; one from a file has no displacement."""
        pairing = session.pairing
        assert pairing is not None
        if session.serial not in self._by_serial:
            studies = PairedStudies.of(session.current, session.prior, pairing)
            self._by_serial[session.serial] = studies
        return self._by_serial[session.serial]


def resumed_studies(current: Volume, prior: Volume, ledger: Ledger) -> PairedStudies:
    """Two studies with the last pairing of a ledger that has one."""
    chosen = ledger.now.pairing
    assert chosen is not None
    return PairedStudies.of(current, prior, chosen.pairing())
