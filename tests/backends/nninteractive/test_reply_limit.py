"""Replies of a server that are too large end as a sentence, before they take memory."""

import gzip

import httpx
import numpy as np
import pytest

from napari_medvlm.backends.nninteractive.reply_limit import BASE_BYTES, limit, packed_bytes
from napari_medvlm.data.errors import BackendFailed

VOXELS = 1000


def reply(body, **headers):
    """What a client with the limit gets from a server that sends a body in pieces."""
    sent = []

    def pieces():
        for start in range(0, len(body), 2**16):
            sent.append(start)
            yield body[start : start + 2**16]

    transport = httpx.MockTransport(
        lambda request: httpx.Response(200, content=pieces(), headers=headers)
    )
    hooks = {"response": [lambda response: limit(response, VOXELS)]}
    with httpx.Client(transport=transport, event_hooks=hooks) as client:
        try:
            return client.get("http://127.0.0.1/").content, len(sent)
        except BackendFailed as error:
            return error, len(sent)


def packed(array):
    serialization = pytest.importorskip("nnInteractive.inference.remote.serialization")
    return serialization.pack_array(array)


def test_a_mask_of_the_image_comes_through_unchanged():
    body = packed(np.random.default_rng(0).integers(0, 2, (10, 10, 10)).astype(np.uint8))
    assert packed_bytes(body) == 1000
    assert reply(body)[0] == body


def test_an_endless_body_is_given_up_at_the_limit():
    error, pieces = reply(bytes(50 * BASE_BYTES))
    assert "at most 1050576" in error.message
    assert pieces <= BASE_BYTES // 2**16 + 2


def test_an_array_that_unpacks_to_more_than_the_image_is_refused():
    body = packed(np.zeros((200, 200, 200), np.uint8))
    assert len(body) < BASE_BYTES / 10
    error, _ = reply(body)
    assert "8000000 bytes" in error.message


def test_a_reply_compressed_by_http_is_refused():
    error, _ = reply(gzip.compress(bytes(1000)), **{"content-encoding": "gzip"})
    assert "compressed reply ('gzip')" in error.message


@pytest.mark.parametrize("body", [b"", b"{}", b"NN", b"not an array at all" * 9])
def test_other_bodies_have_no_array(body):
    assert packed_bytes(body) == 0
    assert reply(body)[0] == body
