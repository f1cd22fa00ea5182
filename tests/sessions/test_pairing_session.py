"""Pairings are entries of a ledger: undone, stored, and read again."""

import numpy as np
import pytest

from napari_medvlm.data.errors import InvalidImage, SessionFileError
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.sessions.pairing_session import PairingSession


def volume(seed, name):
    data = np.random.default_rng(seed).normal(size=(4, 5, 6)).astype(np.float32)
    return Volume(data, np.eye(4), name=name)


CURRENT, PRIOR, OTHER = volume(0, "today"), volume(1, "earlier"), volume(2, "other")


def shifted(mm, kind=PairingKind.MANUAL):
    affine = np.eye(4)
    affine[:3, 3] = mm
    return Pairing(kind, affine, 0.3, 0.9, 0.95, 12.5, notes=("A note.",))


def test_a_correction_is_undone_and_redone():
    session = PairingSession(CURRENT, PRIOR)
    assert session.pairing is None
    first, second = shifted((1, 2, 3), PairingKind.RIGID), shifted((4, 5, 6))
    session.use(first)
    assert not session.can_undo
    session.use(second)
    assert session.pairing is second
    assert session.ledger.undo_title == "pair with prior"
    session.undo()
    assert session.pairing is first
    session.undo()
    assert session.pairing is first  # the first registration stays
    session.redo()
    assert session.pairing is second
    session.undo()
    third = shifted((7, 8, 9))
    session.use(third)
    assert not session.can_redo
    assert session.pairing is third


def test_a_journal_has_the_pairing_with_its_quality(tmp_path):
    path = tmp_path / "pairing.jsonl"
    session = PairingSession(CURRENT, PRIOR, journal=path)
    session.use(shifted((1, 2, 3), PairingKind.RIGID))
    session.use(shifted((4, 5, 6)))
    session.undo()
    session.close()
    again = PairingSession(CURRENT, PRIOR, Ledger.load(path))
    pairing = again.pairing
    assert pairing.kind is PairingKind.RIGID
    assert pairing.affine_mm.tolist() == shifted((1, 2, 3)).affine_mm.tolist()
    assert (pairing.metric_before, pairing.metric_after, pairing.overlap) == (0.3, 0.9, 0.95)
    assert (pairing.seconds, pairing.notes) == (12.5, ("A note.",))
    again.redo()
    assert again.pairing.affine_mm[:3, 3].tolist() == [4, 5, 6]


def test_of_a_deformable_pairing_the_file_has_the_affine_part_and_says_so(tmp_path):
    session = PairingSession(CURRENT, PRIOR)
    deformable = Pairing(
        PairingKind.DEFORMABLE,
        np.eye(4),
        displacement_mm=np.ones((3, 4, 5, 6)),
        displacement_affine=np.eye(4),
    )
    session.use(deformable)
    assert session.pairing is deformable
    session.ledger.save(tmp_path / "session.json")
    pairing = PairingSession(CURRENT, PRIOR, Ledger.load(tmp_path / "session.json")).pairing
    assert pairing.displacement_mm is None
    assert "affine part only" in pairing.notes[-1]


def test_a_ledger_of_other_images_is_refused():
    session = PairingSession(CURRENT, PRIOR)
    session.use(shifted((1, 2, 3)))
    with pytest.raises(InvalidImage, match="with earlier, not with other"):
        PairingSession(CURRENT, OTHER, session.ledger)
    with pytest.raises(SessionFileError, match="another image"):
        PairingSession(OTHER, PRIOR, session.ledger)
