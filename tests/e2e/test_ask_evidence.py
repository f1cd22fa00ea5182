"""What an answer comes from, asked for and seen in the window."""

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

SHARES_WINDOWS = True

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def asked_for(asker, number=0):
    asker.card.evidence.pictures.actions()[number].trigger()


def test_the_cost_is_reported_then_the_map_lies_over_the_picture(scripted):
    scripted.asks("What is bright?")
    button = scripted.card.evidence
    assert button.isEnabled()
    (action,) = button.pictures.actions()
    assert "111 passes, about " in action.text()
    asked_for(scripted)
    scripted.waits(lambda: scripted.layer("found evidence") is not None)
    layer = scripted.layer("found evidence")
    assert layer.colormap.map(np.array([0.0, 1.0]))[:, 3] == pytest.approx([0, 0.8])
    (sent,) = scripted.last.sent
    values = np.asarray(layer.data)
    slices, _, columns = np.nonzero(values)
    assert {int(z) for z in slices} == {sent.slice.index}
    assert values.max() == 1
    assert columns.max() < values.shape[2] - 1
    scripted.dock.reading.in_picture.click()
    assert not layer.visible
    scripted.asks("And now?")
    assert scripted.layer("found evidence") is None
    scripted.dock.reading.in_picture.click()
    scripted.dock.reading.show_exchange(scripted.exchanges[0].id)
    assert scripted.layer("found evidence").visible


def test_a_map_is_stopped_and_the_answer_stays(scripted):
    scripted.asks("What is bright, forever?")
    asked_for(scripted)
    scripted.waits(lambda: "pass 2 of 9" in scripted.dock.run.bar.format())
    scripted.dock.run.cancel.click()
    scripted.waits(lambda: not scripted.dock.session.pending)
    assert scripted.last.answer is not None
    assert scripted.layer("found evidence") is None
    scripted.asks("And now?")


def test_a_backend_that_measures_explains_missing_figures(asker):
    asker.asks("How large is the image?")
    QApplication.processEvents()
    assert not asker.card.evidence.isEnabled()
    assert "reports no token probabilities" in asker.card.evidence.toolTip()
