"""Models that only a session file names are used after a question."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QMessageBox, QWidget

import napari_medvlm as nmv
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import Predicted
from napari_medvlm.settings.chosen_models import is_chosen
from napari_medvlm.widgets.segment.ask_for_models import ask_for_models

ADDRESS = "http://127.0.0.1:9/<b>x"


@pytest.fixture
def ledger():
    data = np.random.default_rng(0).integers(0, 99, (6, 12, 12)).astype(np.int16)
    ledger = Ledger.of(nmv.Volume(data))
    record = Predicted(
        object_id=1, serial=1, backend="server-of-others", model=ADDRESS,
        steps=(1,), digest="0", voxels=1, seconds=0.1,
    )  # fmt: skip
    ledger.note(record)
    return ledger


@pytest.fixture
def window(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    return window


def answered(window, ledger, button, journal=None):
    """How often the action was called after a button was pressed."""
    calls = []
    ask_for_models(window, ledger, journal, lambda: calls.append(1))
    for box in filter(QWidget.isVisible, window.findChildren(QMessageBox)):
        assert "&lt;b&gt;x" in box.text()
        (pressed,) = (b for b in box.buttons() if b.text().replace("&", "") == button)
        pressed.click()
    return len(calls)


def test_cancel_does_nothing(window, ledger):
    assert answered(window, ledger, "Cancel") == 0


def test_the_session_can_be_opened_without_its_models(window, ledger):
    assert answered(window, ledger, "Open without models") == 1
    assert not is_chosen("server-of-others", ADDRESS)


def test_models_with_consent_are_not_asked_for_again(window, ledger):
    assert answered(window, ledger, "Use models") == 1
    assert is_chosen("server-of-others", ADDRESS)
    assert answered(window, ledger, "none") == 1


def test_the_models_of_the_own_journal_are_used(window, ledger, tmp_path):
    assert answered(window, ledger, "none", tmp_path / "j.jsonl") == 1
