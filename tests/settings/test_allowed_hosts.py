"""Images go to this machine and its private network, and elsewhere only if the user said so."""

from __future__ import annotations

import pytest

from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.settings import allowed_hosts


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_MEDVLM_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000/v1", "http://localhost:11434", "http://[::1]:80", "http://10.1.2.3/v1"],
)
def test_this_machine_and_private_networks_need_no_word(url):
    allowed_hosts.require_allowed(url)


def test_only_loopback_is_this_machine():
    assert allowed_hosts.is_this_machine("http://localhost:1527")
    assert not allowed_hosts.is_this_machine("http://192.168.1.5:1527")


def test_a_remote_server_needs_consent_which_is_stored():
    url = "https://8.8.8.8/v1"
    with pytest.raises(BackendUnavailable, match=r"https://8.8.8.8:443 is neither"):
        allowed_hosts.require_allowed(url)
    allowed_hosts.allow(url)
    allowed_hosts.require_allowed("https://8.8.8.8/v1/models")
    with pytest.raises(BackendUnavailable):
        allowed_hosts.require_allowed("http://8.8.8.8/v1")


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://localhost", "http://:80", "http://a:b"]
)
def test_what_is_no_address_is_reported(url):
    with pytest.raises(BackendUnavailable, match="is not the address of a server"):
        allowed_hosts.require_allowed(url)


def test_an_unknown_host_is_reported():
    with pytest.raises(BackendUnavailable, match=r"no-such-host\.invalid"):
        allowed_hosts.require_allowed("http://no-such-host.invalid:80")


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1\\@127.0.0.1/v1",
        "http://127.0.0.1\\.other.example/v1",
        "http://user:word@127.0.0.1/v1",
        "http://127.0.0.1@other.example/v1",
        "http://127.0.0.1\t.other.example/v1",
        "http://127.0.0.1 .other.example/v1",
        "http://\uff11\uff12\uff17.0.0.1/v1",
        "http://127.0.0.1%2eother.example/v1",
        "http://[::1]x/v1",
    ],
)
def test_addresses_that_libraries_read_differently_are_refused(url):
    with pytest.raises(BackendUnavailable, match="is not the address of a server") as error:
        allowed_hosts.origin(url)
    assert "word" not in error.value.message
