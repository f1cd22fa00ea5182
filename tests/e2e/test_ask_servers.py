"""Servers, tools and files of the Ask dock in the window."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_medvlm.settings import allowed_hosts
from napari_medvlm.widgets.ask import dock as ask_module
from tests.e2e.asking import choose

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
NAMES = ["qwen2.5-vl:3b", "llava:7b", "gpt-oss:120b-cloud"]


class Models(BaseHTTPRequestHandler):
    """Tells its models, and nothing else."""

    def do_GET(self):  # the library's name
        data = [{"id": n, "object": "model", "created": 0, "owned_by": "me"} for n in NAMES]
        body = json.dumps({"object": "list", "data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Models)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def served(asker, url):
    """The dock with the server's models in its list."""
    choose(asker, "server")
    row = asker.dock.server
    QTest.keyClicks(row.address, url)
    QTest.mouseClick(row.fetch, Qt.MouseButton.LeftButton)
    asker.waits(lambda: row.name.count() == len(NAMES))
    return asker


def test_the_models_of_a_server_are_fetched_and_one_is_chosen(served, url):
    row = served.dock.server
    assert row.isVisible()
    assert not served.dock.model.isVisible()
    assert [row.name.itemText(k) for k in range(row.name.count())] == NAMES
    assert row.model == f"{url}#{NAMES[0]}"
    assert not served.dock.banner.isVisible()
    tools = served.dock.along.tools
    tools.boxes["measure"].setChecked(True)
    assert tools.chosen == ("measure",)
    row.name.setCurrentIndex(1)
    served.waits(lambda: not tools.isEnabled())
    assert tools.chosen == ()
    assert "do not support tool calls" in tools.boxes["measure"].toolTip()
    row.name.setCurrentIndex(0)
    served.waits(tools.isEnabled)
    assert tools.chosen == ("measure",)


def test_a_model_that_runs_elsewhere_is_reported(served, url, monkeypatch):
    served.dock.server.name.setCurrentIndex(2)
    banner = served.dock.banner
    served.waits(banner.isVisible)
    assert f"forwards questions for {NAMES[2]} to servers outside" in banner.text.text()
    assert banner.allow.isVisible()
    allowed_hosts.allow(url)
    served.dock._look_up()
    served.waits(lambda: "You allowed it" in banner.text.text())


def test_a_server_that_is_down_is_reported_and_can_be_asked_again(asker, monkeypatch):
    reported = []
    monkeypatch.setattr("napari_medvlm.widgets.runtime.notify.show", reported.append)
    choose(asker, "server")
    row = asker.dock.server
    row.address.setText("http://127.0.0.1:9/v1")
    row.fetch.click()
    assert not row.fetch.isEnabled()
    asker.waits(row.fetch.isEnabled)
    assert "127.0.0.1:9" in str(reported[0])
    assert row.model == "http://127.0.0.1:9/v1"


def test_a_conversation_is_exported(scripted, monkeypatch, tmp_path):
    scripted.asks("What is bright?")
    kinds = {"": ".html", "Markdown (*.md)": ".md", "JSON (*.json)": ".json"}
    for kind, ending in kinds.items():
        chosen = str(tmp_path / "talk"), kind
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, chosen=chosen: chosen)
        scripted.dock.conversations.export.click()
        written = tmp_path / f"talk{ending}"
        scripted.waits(written.exists)
        assert "What is bright?" in written.read_text("utf-8")


def test_an_export_that_fails_is_reported(scripted, monkeypatch, tmp_path):
    scripted.asks("What is bright?")
    reported = []
    monkeypatch.setattr("napari_medvlm.widgets.runtime.threads.show", reported.append)
    path = tmp_path / "no" / "talk.md"
    monkeypatch.setattr(ask_module, "ask_where_to_save", lambda *_: path)
    scripted.dock.conversations.export.click()
    scripted.waits(lambda: bool(reported))
    assert "talk.md could not be written" in str(reported[0])
