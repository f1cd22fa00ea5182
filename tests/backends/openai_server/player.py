"""Plays recorded replies of servers over real HTTP, with faults of the wire."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REPLIES = Path(__file__).parent / "replies"
MODELS = {"object": "list", "data": [{"id": "seer", "object": "model"}]}


@dataclass
class Played:
    """A reply of a server.

    Parameters
    ----------
    body
        What is sent at once.
    forever
        What is sent again and again after it, until the caller goes away.
    broken
        The connection ends without saying that this is the end.
    stays
        The connection does not end before the caller goes away.
    held
        What must be set before the body is sent.
    """

    body: bytes = b""
    status: int = 200
    kind: str = "text/event-stream"
    forever: bytes = b""
    broken: bool = False
    stays: bool = False
    held: threading.Event | None = None
    headers: dict[str, str] = field(default_factory=dict)


def recorded(name: str, **more: Any) -> Played:
    """A stream in the folder of replies."""
    return Played((REPLIES / f"{name}.sse").read_bytes(), **more)


def failed(name: str) -> Played:
    """An error in the folder of replies."""
    status, body = json.loads((REPLIES / "errors.json").read_text())[name]
    return Played(json.dumps(body).encode(), status, "application/json")


@dataclass
class Player:
    """What is played to each question in turn, the last one again and again; and what was asked."""

    replies: Sequence[Played]
    models: Played
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when a caller went away before the end."""


@contextmanager
def playing(*replies: Played, models: Any = MODELS) -> Iterator[Player]:
    """A server that plays replies; ``models`` is its list of models, or a reply of its own."""
    reported = models if isinstance(models, Played) else _json(models)
    player = Player(replies, reported)
    handler = type("Handler", (_Handler,), {"player": player})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    player.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield player
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _json(made: Any) -> Played:
    return Played(json.dumps(made).encode(), 200, "application/json")


class _Handler(BaseHTTPRequestHandler):
    player: Player
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._note()
        self._play(self.player.models)

    def do_POST(self) -> None:
        self._note()
        self.player.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        replies = self.player.replies
        self._play(replies[min(len(self.player.asked), len(replies)) - 1])

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _note(self) -> None:
        self.player.headers.append({k.lower(): v for k, v in self.headers.items()})

    def _play(self, reply: Played) -> None:
        self.close_connection = True
        try:
            if reply.held is not None:
                self._await(reply.held)
            self._send(reply)
        except OSError:
            self.player.gone.set()

    def _await(self, held: threading.Event) -> None:
        """Wait, but no longer than the caller."""
        while not held.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.02)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                raise BrokenPipeError

    def _send(self, reply: Played) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._chunk(reply.body)
        while reply.forever:
            self._chunk(reply.forever)
        if reply.stays:
            self._await(threading.Event())
        if not reply.broken:
            self._chunk(b"", last=True)

    def _chunk(self, data: bytes, last: bool = False) -> None:
        if data or last:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
