"""The pairing of a current image with a prior: every correction is a ledger entry with undo."""

from __future__ import annotations

from pathlib import Path

from napari_medvlm.data.errors import CannotSave, InvalidImage
from napari_medvlm.data.geometry.pairing import Pairing
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal import Journal
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.pairing_records import PairingChosen
from napari_medvlm.ledger.records import Record
from napari_medvlm.sessions.earlier import check_image


class PairingSession:
    """The pairings of two volumes, of which the last entry that is not undone counts.

    Parameters
    ----------
    current, prior
        The two volumes.
    ledger
        An earlier ledger about the current volume to continue.
    journal
        File in which every entry is stored as it happens, see `io.journal`.

    Attributes
    ----------
    ledger
        About the current volume.

    Raises
    ------
    SessionFileError
        If the ledger is about another image.
    InvalidImage
        If the ledger pairs the image with another prior.
    """

    def __init__(
        self,
        current: Volume,
        prior: Volume,
        ledger: Ledger | None = None,
        journal: Path | None = None,
    ) -> None:
        self.current, self.prior = current, prior
        self.ledger = ledger or Ledger.of(current)
        check_image(self.ledger, current)
        chosen = self.ledger.now.pairing
        if chosen is not None and chosen.prior_digest != prior.digest:
            raise InvalidImage(
                f"The session pairs the image with {chosen.prior_name}, not with {prior.name}.",
                "Choose that image as the prior.",
            )
        self._pairings: dict[int, Pairing] = {}
        self._journal = None if journal is None else Journal(journal, self.ledger, _ignore)

    @property
    def pairing(self) -> Pairing | None:
        """The pairing that counts; None before the first. From a file it has no displacement."""
        chosen = self.ledger.now.pairing
        return None if chosen is None else self._pairings.get(self.serial, chosen.pairing())

    @property
    def serial(self) -> int:
        """Serial of the last entry that is not undone; 0 if there is none."""
        entries = self.ledger.entries
        return entries[-1].serial if entries else 0

    @property
    def can_undo(self) -> bool:
        """Whether there is a pairing before the one that counts."""
        return len(self.ledger.entries) > 1

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone pairing."""
        return self.ledger.can_redo

    def use(self, pairing: Pairing) -> None:
        """Add a pairing as an entry."""
        entry = self.ledger.append(PairingChosen.of(self.prior, pairing))
        self._pairings[entry.serial] = pairing
        self._write(entry)

    def undo(self) -> None:
        """Use the pairing before the one that counts, if there is any."""
        if self.can_undo:
            self._write(self.ledger.undo())

    def redo(self) -> None:
        """Use the pairing that was undone last, if there is any."""
        if self.can_redo:
            self._write(self.ledger.redo())

    def close(self) -> None:
        """Finish the journal."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _write(self, record: Record) -> None:
        if self._journal is not None:
            self._journal.write(record)


def _ignore(_: CannotSave) -> None:
    """The journal logs its errors; a pairing is used without it."""
