"""A PACS is connected to at the address that was checked, and what it sends is limited."""

import socket
from functools import partial

import pytest

from napari_medvlm.data.errors import ArchiveError, BackendUnavailable
from napari_medvlm.io.archive import checked_adapter
from napari_medvlm.io.archive.base import Query
from napari_medvlm.io.archive.dicomweb import DicomWeb
from napari_medvlm.settings import allowed_hosts
from tests.http_server import serving

STUDY = b'[{"0020000D": {"vr": "UI", "Value": ["1.2.3"]}}]'


def go_on(fraction, message):
    """Progress that nobody looks at."""


serving_study = partial(serving, Content_Type="application/dicom+json")


def named(monkeypatch, *answers):
    """Let the name ``pacs.test`` have these addresses, one a look-up, the last one for ever."""
    left, real = list(answers), socket.getaddrinfo

    def look_up(host, *arguments, **keywords):
        if host in ("pacs.test", b"pacs.test"):
            host = left.pop(0) if len(left) > 1 else left[0]
        return real(host, *arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_the_name_is_looked_up_once_and_that_address_is_connected_to(monkeypatch, kept_logins):
    named(monkeypatch, "127.0.0.1", "127.0.0.2")
    with (
        serving_study("127.0.0.1", body=STUDY) as (port, asked),
        serving_study("127.0.0.2", port, body=STUDY) as (_, other),
    ):
        (study,) = DicomWeb(f"http://pacs.test:{port}/x").studies(Query(), go_on)
    assert study.uid == "1.2.3"
    assert [headers["Host"] for headers in asked] == ["pacs.test"]
    assert other == []


@pytest.mark.parametrize("second", ["127.0.0.1", "192.168.0.5"])
def test_a_name_with_a_public_address_first_is_refused(monkeypatch, second):
    named(monkeypatch, "8.8.8.8", second)
    with pytest.raises(BackendUnavailable, match="neither this machine nor"):
        allowed_hosts.checked_address("http://pacs.test:8042/x")


def test_more_than_the_limit_is_refused(monkeypatch, kept_logins):
    monkeypatch.setattr(checked_adapter, "MOST_BYTES", 1 << 20)
    with (
        serving_study("127.0.0.1", body=b"[" + b" " * (1 << 20) + b"]") as (port, _),
        pytest.raises(ArchiveError, match="sent more than 1 MB in one response"),
    ):
        DicomWeb(f"http://127.0.0.1:{port}/x").studies(Query(), go_on)
