"""nnInteractive on a server: the same masks as here, sessions that are lost and found, refusals."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading

import numpy as np
import pytest

from napari_medvlm.backends.nninteractive.local import MemorySettings, opened
from napari_medvlm.backends.nninteractive.server import NNInteractiveServerBackend
from napari_medvlm.backends.nninteractive.server_client import client
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, InvalidImage
from napari_medvlm.data.volume import Volume
from napari_medvlm.settings.api_keys import api_key
from tests.backends.nninteractive.by_hand import CASES, ByHand, Heard, asked, silent, volume
from tests.backends.nninteractive.tiny_nninteractive import (
    LICENCE,
    Served,
    free_port,
    save_nninteractive,
)

KEY = "a key"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_nninteractive(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module", autouse=True)
def server(folder):
    """Two places, and a key."""
    running = Served(folder, "--max-sessions", "2", "--api-key", KEY)
    yield running
    running.stop()


@pytest.fixture(scope="module", autouse=True)
def shortly_patient(folder):
    """A server that takes a place back that was not used for five seconds."""
    running = Served(folder, "--idle-timeout-seconds", "5")
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("NAPARI_MEDVLM_API_KEY", KEY)


@pytest.fixture(scope="module")
def expected(folder):
    """The library's mask after each prompt, made here."""
    hand = ByHand(opened(folder, MemorySettings("cpu")), volume())
    return [hand.take(number) for number in range(len(CASES))]


@pytest.fixture
def connect():
    """Backends that give their place back when the test ends."""
    made = []

    def new(url, image=None):
        backend = NNInteractiveServerBackend()
        backend.load(url, "cpu")
        made.append(backend)
        if image is not None:
            backend.set_volume(image)
        return backend

    yield new
    for backend in made:
        backend._server.close()


def test_each_prompt_of_a_long_list_gives_the_mask_of_the_local_session(server, connect, expected):
    image = volume()
    backend = connect(server.url, image)
    for count in range(1, len(CASES) + 1):
        heard = Heard()
        mask = backend.segment(asked(image, count), heard)
        assert np.array_equal(mask.full(), expected[count - 1])
        assert heard.prompts in ([f"Prompt {count} of {count}"], [])
    assert np.array_equal(backend.segment(asked(image, 11), silent).full(), expected[10])
    assert np.array_equal(backend.segment(asked(image, 4), silent).full(), expected[3])


def test_the_librarys_own_client_gets_the_same_masks(server, expected):
    with client().nnInteractiveRemoteInferenceSession(server.url, api_key=KEY) as session:
        hand = ByHand(session, volume())
        for number, mask in enumerate(expected):
            assert np.array_equal(hand.take(number), mask)
        assert session.license == LICENCE


def test_a_new_image_is_sent(server, connect, expected):
    backend = connect(server.url, Volume(volume().data[:, ::-1], volume().affine))
    backend.segment(asked(volume(), 1), silent)
    backend.set_volume(volume())
    assert np.array_equal(backend.segment(asked(volume(), 1), silent).full(), expected[0])


def test_autozoom_can_be_switched_off(server, connect, folder, expected):
    hand = ByHand(opened(folder, MemorySettings("cpu", autozoom=False)), volume())
    mask = connect(f"{server.url}#no-autozoom", volume()).segment(asked(volume(), 1), silent)
    assert np.array_equal(mask.full(), hand.take(0))
    assert not np.array_equal(mask.full(), expected[0])


def test_a_cancel_comes_back_and_the_next_request_is_right(server, connect, expected):
    image = volume()
    backend = connect(server.url, image)
    backend.segment(asked(image, 1), silent)

    def stop(fraction, message=""):
        if message.startswith("Prompt"):
            raise Cancelled

    with pytest.raises(Cancelled):
        backend.segment(asked(image, 12), stop)
    assert np.array_equal(backend.segment(asked(image, 2), silent).full(), expected[1])


def test_a_lease_that_ran_out_is_replaced_and_all_is_replayed(shortly_patient, connect, expected):
    image = volume()
    server = shortly_patient
    backend = connect(server.url, image)
    backend.segment(asked(image, 3), silent)
    wait_until_expired(backend._server._session)
    assert np.array_equal(backend.segment(asked(image, 4), silent).full(), expected[3])
    server.stop()
    with pytest.raises(BackendUnavailable, match=f"No server answers at {server.url}"):
        backend.segment(asked(image, 5), silent)


def wait_until_expired(session):
    """Ask how long the lease lasts, which does not prolong it, until there is none."""
    pause = threading.Event()
    while True:
        try:
            session.lease_status()
        except client().SessionExpiredError:
            return
        pause.wait(0.05)


def test_a_full_server_is_reported_and_a_place_that_is_given_back_can_be_had(server, connect):
    first, _ = connect(server.url), connect(server.url)
    with pytest.raises(
        BackendUnavailable, match=r"has no free session: .*2 sessions.*--max-sessions"
    ):
        connect(server.url)
    first._server.close()
    connect(server.url)


def test_a_backend_that_is_dropped_gives_its_place_back(server, connect):
    for _ in range(4):
        backend = NNInteractiveServerBackend()
        backend.load(server.url, "cpu")
        del backend


def test_a_wrong_key_is_reported(server, connect, monkeypatch):
    monkeypatch.setenv("NAPARI_MEDVLM_API_KEY", "another")
    with pytest.raises(BackendUnavailable, match="rejected the API key"):
        connect(server.url)
    monkeypatch.setenv("NAPARI_MEDVLM_API_KEY", "")
    with pytest.raises(BackendUnavailable, match=r"requires an API key\. Set the variable NAPARI_"):
        connect(server.url)


def test_addresses_that_lead_nowhere_are_reported(connect):
    with pytest.raises(BackendUnavailable, match="none was given"):
        connect(None)
    with pytest.raises(BackendUnavailable, match="is not the address of a server"):
        connect("127.0.0.1:1527")
    with pytest.raises(BackendUnavailable, match="No server answers"):
        connect(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(BackendUnavailable, match="images are not sent there"):
        connect("http://8.8.8.8:1527")


@pytest.fixture(params=[404, 200])
def another_server(request):
    """A server of something else: it knows no such page, or shows one."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(request.param)
            self.end_headers()
            self.wfile.write(b"<html></html>")

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_server_of_something_else_is_reported(another_server, connect):
    with pytest.raises(BackendUnavailable, match="is not an nnInteractive server"):
        connect(another_server)


def test_images_that_it_cannot_take_are_reported_before_they_are_sent(server, connect):
    backend = connect(server.url)
    with pytest.raises(InvalidImage, match="colour"):
        backend.set_volume(Volume(np.zeros((2, 4, 4, 3), np.uint8), np.eye(4)))
    with pytest.raises(InvalidImage, match="the same value, 0"):
        backend.set_volume(Volume(np.zeros((4, 4, 4)), np.eye(4)))


def test_a_key_is_stored_in_the_keyring(monkeypatch):
    import keyring

    monkeypatch.delenv("NAPARI_MEDVLM_API_KEY")
    kept = {("napari-medvlm", "http://127.0.0.1:1527"): "kept"}
    monkeypatch.setattr(keyring, "get_password", lambda *of: kept.get(of))
    assert api_key("http://127.0.0.1:1527/") == "kept"
    assert api_key("http://127.0.0.1:1528") == ""


PROGRAM = """
import json, sys
from napari_medvlm.backends.nninteractive.server import NNInteractiveServerBackend
from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.data.prompts import Point
from tests.backends.nninteractive.by_hand import volume
backend = NNInteractiveServerBackend()
backend.load(sys.argv[1], "cpu")
backend.set_volume(volume())
point = Point.at_index(volume(), (15, 24, 16))
mask = backend.segment(ObjectPrompts((point,), (1,)), lambda *_: None)
print(json.dumps([mask.voxels, "torch" in sys.modules]))
"""


def test_no_torch_is_loaded(server, expected):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, server.url], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [int(expected[0].sum()), False]
