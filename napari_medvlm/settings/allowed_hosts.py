"""Which servers images may be sent to: this machine, its private network, and chosen others."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.settings.files import read_setting, write_setting
from napari_medvlm.settings.paths import home

AMBIGUOUS = frozenset("\\ ")
"""Characters that no address has and that libraries read in different ways."""
NETLOC = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_.])?|\[[0-9a-f:.]+(?:%[a-z0-9_.-]+)?\])(?::[0-9]*)?"
)
"""A name of a host, or an IPv4 or IPv6 address, and a port."""


def origin(url: str) -> str:
    """The scheme, host and port of an address, such as ``http://127.0.0.1:8000``.

    Addresses that libraries read in different ways are refused: with a user, a backslash, blanks,
    control characters, or a host in other characters than those of domain names.

    Raises
    ------
    BackendUnavailable
        If it is no address of a web server.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        host = _host(parts) if url.isprintable() and not AMBIGUOUS & set(url) else ""
    except (KeyError, ValueError):
        host, port = "", 0
    if not host:
        raise BackendUnavailable(
            f"{shown(url)!r} is not the address of a server.",
            "Write it as http://127.0.0.1:8000/v1, without a user or password.",
        )
    return f"{parts.scheme}://{host}:{port}"


def shown(url: str) -> str:
    """An address for a message, without the user and password in it, at most 200 characters."""
    return without_login(url)[:200]


def without_login(model: str) -> str:
    """The name of a model without the user and password, if it is an address that has them."""
    return re.sub(r"//[^/?#]*@", "//", model)


def _host(parts: SplitResult) -> str:
    """The host of an address as it stands in `origin`; empty if it is none.

    Raises
    ------
    ValueError
        If it is a wrong IPv6 address.
    """
    host = parts.hostname or ""
    if not NETLOC.fullmatch(parts.netloc.lower()):
        return ""
    if ":" in host:
        ipaddress.IPv6Address(host)
        return f"[{host}]"
    return host


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
        raise _outside(url)


def _outside(url: str) -> BackendUnavailable:
    return BackendUnavailable(
        f"{origin(url)} is neither this machine nor on its private network, so images are not "
        "sent there.",
        "Allow it in the dock, or with --allow-remote on the command line.",
    )


def checked_address(url: str) -> str | None:
    """The IP address to connect to, so that a name is not looked up again after the check.

    Returns
    -------
    `None` where no name of the private network is looked up: for this machine, an IP address, and a
    server that the user chose.

    Raises
    ------
    BackendUnavailable
        As of `require_allowed`.
    """
    host = urlsplit(origin(url)).hostname or ""
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        host = "localhost"
    if host == "localhost" or origin(url) in allowed():
        require_allowed(url)
        return None
    addresses = _addresses(url)
    if not all(address.is_private for address in addresses):
        raise _outside(url)
    return str(min(addresses, key=lambda address: address.version))


def connect_to(request: Any, address: str | None) -> None:
    """Send a request of httpx to an IP address; host name and certificate stay those of the URL."""
    if address is not None:
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        request.url = request.url.copy_with(host=address)


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
