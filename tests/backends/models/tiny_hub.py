"""A small hub on this computer that answers as the real one, and keeps count."""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

SHA = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = np.random.default_rng(0).bytes(6 << 20)
GOOD = {
    "model.safetensors": WEIGHTS,
    "config.json": b'{"model_type": "tiny"}',
    "tokenizer/vocab.txt": b"one\ntwo\n",
    "LICENSE": b"Do as you like.\n",
}
BAD = {"pytorch_model.bin": b"a pickle", "evil.py": b"boom()", "LICENSE.py": b"boom()"}


class Hub:
    """Repositories by id, and what was asked of them.

    Attributes
    ----------
    asked
        Every request as ``"GET /path"``.
    release
        While it is not set, the weights stop half way.
    half_sent
        The weights came half way.
    """

    def __init__(self):
        self.asked = []
        self.models = {}
        self.gated = set()
        self.half_sent = threading.Event()
        self.release = threading.Event()
        self.release.set()
        self.add("lab/tiny", GOOD | BAD, license="apache-2.0")

    def add(self, model, files, *, gated=False, **card):
        self.models[model] = (files, card)
        if gated:
            self.gated.add(model)

    def answer(self, path):
        """The status, the headers and the body for a path."""
        model = next((m for m in self.models if m in path), None)
        if model is None:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        files, card = self.models[model]
        if "/resolve/" in path:
            if model in self.gated:
                return 403, {"X-Error-Code": "GatedRepo"}, b""
            return self.resolved(model, path.partition(f"/resolve/{SHA}/")[2])
        if "/cdn/" in path:
            return 200, {}, files[path.partition(f"/cdn/{model}/")[2]]
        if "/tree/" in path:
            told = [
                {"type": "file", "path": name, "size": len(data), "oid": _oid(data)} | _large(data)
                for name, data in files.items()
            ]
        else:
            siblings = [
                {"rfilename": name, "size": len(data), "blobId": _oid(data)}
                for name, data in files.items()
            ]
            gated = "manual" if model in self.gated else False
            told = {"id": model, "sha": SHA, "siblings": siblings, "gated": gated, "cardData": card}
        return 200, {"Content-Type": "application/json"}, json.dumps(told).encode()

    def resolved(self, model, name):
        """A small file itself, and where a large one is: on another host, and in Xet storage."""
        data = self.models[model][0][name]
        headers = {"ETag": f'"{_oid(data)}"', "X-Repo-Commit": SHA}
        large = _large(data)
        if not large:
            return 200, headers, data
        return (
            302,
            headers
            | {
                "Location": f"http://localhost:{self.port}/cdn/{model}/{name}",
                "X-Linked-Etag": f'"{large["lfs"]["oid"]}"',
                "X-Linked-Size": str(len(data)),
                "X-Xet-Hash": large["xetHash"],
                "Link": f'<http://127.0.0.1:{self.port}/xet-token/{model}>; rel="xet-auth"',
            },
            b"",
        )


def _large(data):
    """How the hub tells of a file that is too large for git; nothing of others."""
    if len(data) < 1 << 20:
        return {}
    digest = hashlib.sha256(data).hexdigest()
    lfs = {"oid": digest, "size": len(data), "pointerSize": 134}
    return {"lfs": lfs, "xetHash": digest}


def _oid(data):
    """The hash of a file as git keeps it."""
    blob = f"blob {len(data)}\0".encode() + data
    return hashlib.sha1(blob, usedforsecurity=False).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Sends what the hub of its server answers."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub = self.server.hub
        if "agent-harnesses" not in self.path:  # what the library asks for on its own
            hub.asked.append(f"{self.command} {self.path}")
        status, headers, body = hub.answer(self.path.partition("?")[0])
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.send(body)

    def send(self, body):
        hub, half = self.server.hub, len(body) // 2
        try:
            self.wfile.write(body[:half])
            if body == WEIGHTS:
                hub.half_sent.set()
                hub.release.wait(120)
            self.wfile.write(body[half:])
        except ConnectionError:
            pass  # the other side had enough

    def log_message(self, *_):
        pass


@contextmanager
def serving(hub):
    """Serve a hub; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.hub, hub.port = hub, server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        hub.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def used(hub, monkeypatch, folder):
    """Have the hub library use a hub instead of the real one, and a folder for what it fetches."""
    from huggingface_hub import constants

    with serving(hub) as address:
        point_to(address, monkeypatch)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
        for name in ("HF_HUB_DISABLE_XET", "DOWNLOAD_CHUNK_SIZE"):
            monkeypatch.setattr(constants, name, getattr(constants, name))
        yield hub


def point_to(address, monkeypatch):
    """Have the hub library ask another address."""
    from huggingface_hub import constants

    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
