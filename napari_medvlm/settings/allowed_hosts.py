"""Which servers images may be sent to: this machine, its private network, and chosen others."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from urllib.parse import urlsplit

from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.settings.files import read_setting, write_setting
from napari_medvlm.settings.paths import home


def origin(url: str) -> str:
    """The scheme, host and port of an address, such as ``http://127.0.0.1:8000``.

    Raises
    ------
    BackendUnavailable
        If it is no address of a web server.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (KeyError, ValueError):
        port = 0
    if not (port and parts.hostname):
        raise BackendUnavailable(
            f"{url!r} is not the address of a server.", "Write it as http://127.0.0.1:8000/v1"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"


def is_this_machine(url: str) -> bool:
    """Whether an address is of this very machine."""
    return all(address.is_loopback for address in _addresses(url))


def is_private(url: str) -> bool:
    """Whether an address is of this machine or of a private network.

    Raises
    ------
    BackendUnavailable
        If it is no address, or no such host is known.
    """
    return all(address.is_private for address in _addresses(url))


def allowed() -> frozenset[str]:
    """The servers outside that the user chose to send images to, each as of `origin`."""
    stored = read_setting(_file())
    origins = stored if isinstance(stored, list) else []
    return frozenset(entry for entry in origins if isinstance(entry, str))


def allow(url: str) -> None:
    """Keep that images may be sent to a server outside; `SettingsError` if it cannot be written."""
    write_setting(_file(), sorted({*allowed(), origin(url)}))


def require_allowed(url: str) -> None:
    """Nothing, if an image may be sent to an address.

    Raises
    ------
    BackendUnavailable
        If it lies outside the private network and the user did not choose it, or is no address.
    """
    if origin(url) not in allowed() and not is_private(url):
        raise BackendUnavailable(
            f"{origin(url)} is neither this machine nor on its private network, so images are not "
            "sent there.",
            "Allow it in the dock, or with --allow-remote on the command line.",
        )


def _addresses(url: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    parts = urlsplit(origin(url))
    try:
        infos = socket.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise BackendUnavailable(
            f"No machine of the name {parts.hostname} is known: {error}.",
            "Check the address and the network connection.",
        ) from error
    return [ipaddress.ip_address(str(address[4][0]).partition("%")[0]) for address in infos]


def _file() -> Path:
    return home() / "servers.json"
