"""A person names a model, reads its licence, and downloads it or not."""

import pytest
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_medvlm.widgets.models.model_picker import ModelRow
from tests.backends.models.tiny_hub import GOOD, Hub, used


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with used(Hub(), monkeypatch, tmp_path / "cache" / "hub") as hub:
        yield hub


@pytest.fixture
def row(hub, reported, qtbot):
    made = ModelRow()
    qtbot.addWidget(made)
    made.show()
    yield made
    made.download_bar.cancel()
    qtbot.waitUntil(threads_are_done)


def threads_are_done():
    from qtpy.QtCore import QThreadPool

    return QThreadPool.globalInstance().activeThreadCount() == 0


def box():
    """The question, once it is asked."""
    found = QApplication.activeModalWidget()
    assert isinstance(found, QMessageBox)
    return found


def asks(row, qtbot, model="lab/tiny"):
    row.edit.setText(model)
    row.download.click()
    qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), QMessageBox))
    return box()


def press(box, text):
    next(b for b in box.buttons() if b.text().replace("&", "") == text).click()


def fetched(hub):
    return [line for line in hub.asked if "/resolve/" in line]


def test_only_what_can_be_an_id_can_be_downloaded(row, hub, tmp_path, monkeypatch):
    (tmp_path / "my" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for text, can in (("", False), ("owlv2", False), ("my/model", False), (" lab/tiny ", True)):
        row.edit.setText(text)
        assert row.download.isEnabled() is can
    assert not row.download_bar.isVisible()
    assert hub.asked == [], "nothing is asked before the button is pressed"


def test_the_licence_is_shown_and_cancel_fetches_nothing(row, hub, reported, qtbot):
    question = asks(row, qtbot)
    for words in ("lab/tiny", "apache-2.0", "6.3 MB", "4 files", "http://127.0.0.1", "is sent."):
        assert words in question.text()
    press(question, "Cancel")
    qtbot.waitUntil(lambda: QApplication.activeModalWidget() is None)
    assert len(hub.asked) == 1
    assert row.download.isEnabled()
    assert not row.download_bar.isVisible()
    assert reported == []


def test_text_from_the_hub_is_shown_as_plain_text(row, hub, qtbot):
    hub.add("lab/odd", GOOD, gated=True, license="<img src='http://elsewhere'>")
    question = asks(row, qtbot, "lab/odd")
    assert "&lt;img" in question.text()
    assert "Accept its terms on its page" in question.text()
    press(question, "Cancel")


def test_a_model_is_downloaded_with_a_progress_bar(row, hub, reported, qtbot, tmp_path):
    hub.release.clear()
    press(asks(row, qtbot), "Download")
    bar = row.download_bar
    qtbot.waitUntil(lambda: bar.bar.value() > 300)
    assert bar.isVisible()
    assert bar.bar.format().endswith("of 6.3 MB")
    assert not row.download.isEnabled()
    with qtbot.waitSignal(bar.downloaded) as done:
        hub.release.set()
    assert done.args == ["lab/tiny"]
    assert not bar.isVisible()
    assert row.download.isEnabled()
    assert len(reported) == 1
    assert reported[0].startswith("lab/tiny was downloaded to ")
    (weights,) = tmp_path.rglob("model.safetensors")
    assert weights.read_bytes() == GOOD["model.safetensors"]
    count = len(hub.asked)
    with qtbot.waitSignal(bar.downloaded):
        row.download.click()
    assert reported[1] == "lab/tiny is already on this computer."
    assert len(hub.asked) == count + 1


def test_cancel_stops_it_and_another_press_goes_on(row, hub, reported, qtbot, tmp_path):
    hub.release.clear()
    press(asks(row, qtbot), "Download")
    bar = row.download_bar
    qtbot.waitUntil(lambda: bar.bar.value() > 300)
    bar.cancel_button.click()
    assert not bar.isVisible()
    assert row.download.isEnabled()
    hub.release.set()
    qtbot.waitUntil(threads_are_done)
    assert not list(tmp_path.rglob("model.safetensors"))
    assert reported == []
    with qtbot.waitSignal(bar.downloaded):
        press(asks(row, qtbot), "Download")
    assert list(tmp_path.rglob("model.safetensors"))


def test_an_error_is_reported_and_the_bar_goes(row, hub, reported, qtbot):
    row.edit.setText("lab/nothing")
    row.download.click()
    assert row.download_bar.isVisible()
    qtbot.waitUntil(lambda: bool(reported))
    assert "has no model lab/nothing" in reported[0]
    qtbot.waitUntil(lambda: not row.download_bar.isVisible())
    assert fetched(hub) == []
    assert row.download.isEnabled()


def test_a_window_that_is_closed_stops_the_download(hub, reported, qtbot, tmp_path):
    from qtpy.QtCore import QCoreApplication, QEvent

    hub.release.clear()
    row = ModelRow()
    row.show()
    press(asks(row, qtbot), "Download")
    qtbot.waitUntil(lambda: row.download_bar.bar.value() > 300)
    row.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    hub.release.set()
    qtbot.waitUntil(threads_are_done)
    assert not list(tmp_path.rglob("model.safetensors"))
    assert reported == []


def test_each_backend_keeps_the_model_that_was_named_for_it(qtbot):
    row = ModelRow()
    qtbot.addWidget(row)
    row.turn_to("sam")
    row.edit.setText("sam_vit_b.pth")
    row.turn_to("nninteractive")
    assert row.model is None
    row.edit.setText("a_folder")
    row.turn_to("sam")
    assert row.model == "sam_vit_b.pth"
    row.turn_to("nninteractive")
    assert row.model == "a_folder"
