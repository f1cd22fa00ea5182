"""Images for a server of the private network go through no proxy, and no other program's key."""

import http.server
import json
import threading
from contextlib import ExitStack, contextmanager, suppress

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.data.errors import MedVLMError

REPLIES = {
    "claim": {"lease_token": "t"},
    "capabilities": {
        "supported_interactions": {"points": True},
        "channel_mapping": {},
        "num_interaction_channels": 7,
        "supports_initial_label": True,
        "supports_zero_shot_label_refinement": True,
        "preferred_scribble_thickness": [2, 2, 2],
        "interaction_decay": 0.9,
        "inference_session_version": 1,
    },
    "set_image": {"original_image_shape": [1, 8, 32, 32]},
}


@contextmanager
def serving(name, requests):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            what = self.path.rsplit("/", 1)[1]
            requests.append((name, what, self.headers.get("Authorization")))
            body = json.dumps(REPLIES.get(what, {})).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  # the library's name

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_neither_a_proxy_nor_the_key_of_another_program_is_used(monkeypatch):
    pytest.importorskip("nnInteractive")
    requests = []
    with ExitStack() as stack:
        server, proxy = (stack.enter_context(serving(n, requests)) for n in ("server", "proxy"))
        for name in ("NO_PROXY", "no_proxy", "NAPARI_MEDVLM_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.setenv("NN_INTERACTIVE_API_KEY", "OTHERS")
        monkeypatch.setattr("keyring.get_password", lambda *of: None)
        volume = nmv.Volume(np.random.default_rng(0).integers(0, 99, (8, 32, 32)).astype(np.int16))
        with nmv.SegmentationSession(
            volume, "nninteractive-server", "inline", model=server
        ) as session:
            session.add(nmv.Point.at_index(volume, (3, 10, 10)))
            with suppress(MedVLMError):
                session.wait(300)  # the server has no model
    assert ("server", "set_image") in [request[:2] for request in requests]
    assert {request[0] for request in requests} == {"server"}
    assert "Bearer OTHERS" not in {request[2] for request in requests}
