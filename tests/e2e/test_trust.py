"""Checks next to an answer and next to a region, in a real window."""

from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.layers import layer_data
from napari_medvlm.ledger.conversation_records import Checked
from napari_medvlm.sessions.ask.image_selection import ImageSelection
from napari_medvlm.widgets.checks.fold import TrustFold
from tests.checks.conftest import answerers, spotted  # noqa: F401  # a fixture
from tests.e2e.asking import Asker

SHARES_WINDOWS = True


@pytest.fixture
def open_with(make_napari_viewer, qtbot, answerers):  # noqa: F811
    docks = []

    def open_with(name, volume):
        viewer = make_napari_viewer(show=True)
        viewer.add_layer(Layer.create(*layer_data(volume)))
        _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", name)
        docks.append(dock)
        asker = Asker(viewer, dock, qtbot)
        asker.waits(lambda: dock.session is not None)
        return asker

    yield open_with
    for dock in docks:
        dock.close_dock()


def asks(asker, backend):
    session = asker.dock.session
    session.use(backend)
    session.ask(
        "Is there a bright spot in the image?", kind=AnswerKind.YES_NO, selection=ImageSelection()
    )
    asker.waits(lambda: not session.pending)
    asker.sees_all()
    return asker.card.findChild(TrustFold)


def presses(made):
    QTest.mouseClick(made, Qt.MouseButton.LeftButton)
    QApplication.processEvents()


def opens(asker, fold):
    fold.expand()
    asker.waits(lambda: fold.panel.run.isEnabled())
    return fold.panel


def texts(panel):
    return {name: row.result.text() for name, row in panel.rows.rows.items()}


def test_an_answer_is_checked_beside_its_card(open_with):
    asker = open_with("Ask", spotted(250))
    fold = asks(asker, "blind")
    assert fold.isVisible()
    assert fold.text() == "Checks"
    panel = opens(asker, fold)
    assert panel.rows.rows["negation twin"].cost.text() == "2 model calls"
    assert panel.rows.rows["form"].cost.text() == "no model calls"
    assert panel.total.text().startswith("Total: 13 model calls")
    panel.rows.rows["resampling"].switch.click()
    panel.rows.rows["independent witness"].switch.click()
    assert panel.total.text().startswith("Total: 8 model calls")
    presses(panel.run)
    asker.waits(lambda: not panel.pending)
    reported = texts(panel)
    assert reported["resampling"] == ""
    assert reported["negation twin"].startswith("✓ passed")
    assert reported["blanked evidence"].startswith("⚠ flagged: Does not depend on the image")
    assert reported["blank image"].startswith("⚠ flagged: Does not depend on the image")
    assert fold.text() == "Checks: ⚠ changed views, blanked evidence, blank image"
    asker.sees_all()
    assert texts(asker.card.findChild(TrustFold).panel) == reported  # the refreshed card keeps them
    records = [r for r in asker.dock.session.ledger.records if isinstance(r, Checked)]
    assert [r.result.check for r in records][-3:] == [
        "blanked evidence",
        "blank image",
        "image swap",
    ]


def test_another_image_takes_the_place_of_the_one_that_was_asked_about(open_with):
    asker = open_with("Ask", spotted(250))
    panel = opens(asker, asks(asker, "yea_sayer"))
    assert panel.rows.rows["image swap"].cost.text() == "no model calls"
    other = replace(spotted(side=30), name="without a spot")
    asker.viewer.add_layer(Layer.create(*layer_data(other)))
    panel.other.look()
    assert [panel.other.itemText(n) for n in range(panel.other.count())][-1] == "without a spot"
    panel.other.setCurrentIndex(panel.other.count() - 1)
    panel.other.activated.emit(panel.other.currentIndex())
    assert panel.rows.rows["image swap"].cost.text() == "1 model call"
    for name, row in panel.rows.rows.items():
        row.switch.setChecked(name == "image swap")
    presses(panel.run)
    asker.waits(lambda: not panel.pending)
    reported = texts(panel)["image swap"]
    assert reported.startswith(
        "⚠ flagged: For the other image, without a spot, the answer is the same"
    )


def test_checks_are_cancelled_and_what_was_found_stays(open_with):
    asker = open_with("Ask", spotted(250))
    panel = opens(asker, asks(asker, "slow_truth"))
    presses(panel.run)
    asker.waits(lambda: bool(texts(panel)["form"]))
    assert not panel.run.isEnabled()
    presses(panel.cancel)
    asker.waits(lambda: not panel.pending)
    assert panel.run.isEnabled()
    reported = texts(panel)
    assert reported["form"].startswith("✓")
    assert reported["blank image"] == ""
    assert not any(text.startswith("…") for text in reported.values())
    asks(asker, "truthful")  # the worker lives
    assert asker.last.answer.choice == "yes"


def test_a_dock_is_closed_while_checks_run(open_with):
    asker = open_with("Ask", spotted(250))
    panel = opens(asker, asks(asker, "slow_truth"))
    presses(panel.run)
    asker.waits(lambda: panel.pending)
    asker.dock.close_dock()
    asker.sees_all()
    assert not asker.dock.reading.transcript.cards


def test_a_region_is_checked_beside_its_row(open_with):
    asker = open_with("Ground", spotted(250))
    dock = asker.dock
    dock.session.use("pointer")
    dock.session.ask(["bright thing"])
    asker.waits(lambda: not dock.session.pending and dock.table.topLevelItemCount() == 1)
    assert not dock.trust.isVisible()
    dock.table.setCurrentItem(dock.table.topLevelItem(0))
    asker.sees_all()
    assert dock.trust.isVisible()
    panel = opens(asker, dock.trust)
    presses(panel.run)
    asker.waits(lambda: not panel.pending)
    reported = texts(panel)
    for name in ("negation twin", "blanked evidence", "blank image"):
        assert reported[name].startswith("⚠ flagged"), reported
    assert reported["resampling"].startswith("✓ passed")
    labels = [row.result for row in panel.rows.rows.values()]
    asker.waits(lambda: all(one.height() >= one.heightForWidth(one.width()) for one in labels))
    kinds = [record.record for record in dock.session.ledger.records]
    assert kinds.count("region_checked") == len(reported)
    presses_forget(dock)
    assert not dock.trust.isVisible()


@pytest.mark.parametrize("name", ["Ask", "Ground"])
def test_problems_of_an_image_are_noted_before_a_question(open_with, name):
    good = spotted(250)
    speckled = np.random.default_rng(0).integers(100, 256, good.shape).astype(np.uint8)
    asker = open_with(name, replace(good, data=speckled, name="speckled"))
    dock = asker.dock
    asker.waits(dock.quality.isVisible)
    assert dock.quality.text().startswith("⚠ The image is noisy")
    assert dock.run.run.isEnabled()
    asker.viewer.add_layer(Layer.create(*layer_data(replace(good, name="good"))))
    dock.image.choose(asker.viewer.layers["good"])
    asker.waits(lambda: dock.session is not None and dock.session.volume.name == "good")
    asker.waits(lambda: not dock.quality.isVisible())


def presses_forget(dock):
    dock.forget()
    QApplication.processEvents()
