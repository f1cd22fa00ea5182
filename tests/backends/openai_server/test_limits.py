"""What a server sends is limited, and the address that was checked is connected to."""

from __future__ import annotations

import asyncio
import json
import socket
from functools import partial

import pytest

from napari_medvlm.backends.openai_server import limits
from napari_medvlm.backends.openai_server.connection import models_of
from napari_medvlm.backends.openai_server.limits import _Limited
from napari_medvlm.data.errors import BackendFailed, MedVLMError
from napari_medvlm.settings import allowed_hosts
from tests.http_server import serving

MODELS = json.dumps({"object": "list", "data": [{"id": "m", "object": "model"}]}).encode()


async def chunks(parts):
    for part in parts:
        yield part


async def collected(parts):
    return [chunk async for chunk in _Limited(chunks(parts))]


def test_a_body_within_the_limits_is_passed_on():
    parts = [b"x" * limits.LONGEST_LINE, b"\n" + b"y" * 10]
    assert asyncio.run(collected(parts)) == parts


@pytest.mark.parametrize(
    "parts",
    [
        [b"x" * limits.LONGEST_LINE, b"x"],
        [b"\n" * (1 << 20)] * (limits.MOST_BYTES // (1 << 20)) + [b"\n"],
    ],
    ids=["line", "all"],
)
def test_a_body_beyond_the_limits_is_refused(parts):
    with pytest.raises(BackendFailed, match="sent too much"):
        asyncio.run(collected(parts))


serving_models = partial(serving, body=MODELS, Content_Type="application/json")


def hosts(requests):
    """The host and the encoding that each request names."""
    return [(headers["Host"], headers["Accept-Encoding"]) for headers in requests]


def test_a_compressed_response_is_refused():
    with serving_models("127.0.0.1", Content_Encoding="gzip") as (port, asked):
        with pytest.raises(MedVLMError, match="sent a compressed response"):
            models_of(f"http://127.0.0.1:{port}/v1")
        assert hosts(asked) == [(f"127.0.0.1:{port}", "identity")]


def test_a_name_is_looked_up_once_and_that_address_is_connected_to(monkeypatch):
    answers, real = iter(["127.0.0.1"]), socket.getaddrinfo

    def look_up(host, *args, **keywords):
        if host in ("rebind.test", b"rebind.test"):
            host = next(answers, "127.0.0.2")
        return real(host, *args, **keywords)

    monkeypatch.setattr(allowed_hosts, "is_private", lambda url: True)
    monkeypatch.setattr("napari_medvlm.backends.openai_server.connection.is_private", lambda _: 1)
    monkeypatch.setattr(
        "napari_medvlm.backends.openai_server.connection.require_allowed", lambda _: None
    )
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with (
        serving_models("127.0.0.1") as (port, asked),
        serving_models("127.0.0.2", port) as (_, other),
    ):
        assert models_of(f"http://rebind.test:{port}/v1") == ["m"]
        assert hosts(asked) == [(f"rebind.test:{port}", "identity")]
        assert other == []
