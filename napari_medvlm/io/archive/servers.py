"""The PACS that a person works with, and how they sign in: secrets are in the system's keyring."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from napari_medvlm.data.errors import DAMAGED, ArchiveError, BackendUnavailable
from napari_medvlm.settings.allowed_hosts import origin
from napari_medvlm.settings.files import read_setting, write_setting
from napari_medvlm.settings.paths import home

SERVICE = "napari-medvlm PACS"
"""The name under which the keyring stores logins, each for the origin of a server's address."""


@dataclass(frozen=True)
class Server:
    """A PACS by its address, such as ``https://pacs.hospital.example/dicom-web``."""

    name: str
    url: str


@dataclass(frozen=True)
class Login:
    """A user with a password; or, without a user, a token."""

    user: str
    secret: str = field(repr=False)


_here: dict[str, Login] = {}
"""Logins that are in no keyring: until the program ends."""


def servers() -> tuple[Server, ...]:
    """The servers that are remembered."""
    rows = read_setting(_file())
    rows = rows if isinstance(rows, list) else []
    return tuple(server for row in rows if (server := _server(row)) is not None)


def _server(row: Any) -> Server | None:
    """The server of a row of the file; `None` if the row is damaged or has no address."""
    try:
        server = Server(**row)
        origin(server.url)
    except (*DAMAGED, BackendUnavailable):
        return None
    return server if isinstance(server.name, str) else None


def require_remembered(url: str) -> None:
    """Check that a server that a file names is one of the user's own.

    Raises
    ------
    ArchiveError
        If none of the servers that are remembered has its origin.
    BackendUnavailable
        If it is no address.
    """
    at = origin(url)
    if at not in {origin(server.url) for server in servers()}:
        raise ArchiveError(
            f"The list names the server {at}, which is not one of your servers, so nothing is "
            "sent there.",
            "If you know it, add it in the PACS dock and open the case again.",
        )


def remember(server: Server) -> None:
    """Keep a server's name and address, last in the list.

    Raises
    ------
    ArchiveError
        If the address has a password in it.
    BackendUnavailable
        If it is no address.
    """
    parts = urlsplit(server.url)
    if parts.username or parts.password or parts.query:
        raise ArchiveError(
            "The address of the server has a user, a password or a key in it, which would be "
            "written to a file.",
            "Remove them and sign in instead; the login is stored in the system keyring.",
        )
    origin(server.url)
    _write([*(s for s in servers() if s.name != server.name), server])


def forget(server: Server) -> None:
    """Forget a server."""
    _write([s for s in servers() if s.name != server.name])


def login_for(url: str) -> Login | None:
    """How to sign in to a server, if known; may take a while."""
    at = origin(url)
    if at in _here:
        return _here[at]
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        stored = keyring.get_password(SERVICE, at)
    except KeyringError:
        return None
    try:
        return Login(**json.loads(stored)) if stored else None
    except DAMAGED:  # another program has written it
        return None


def keep_login(url: str, login: Login) -> bool:
    """Keep how to sign in to a server; may take a while.

    Returns
    -------
    Whether it is stored in the system's keyring; else it is known until the program ends.
    """
    at = origin(url)
    _here[at] = login
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return False
    try:
        keyring.set_password(SERVICE, at, json.dumps(asdict(login)))
    except KeyringError:
        return False
    del _here[at]
    return True


def _write(servers: list[Server]) -> None:
    write_setting(_file(), [asdict(server) for server in servers])


def _file() -> Path:
    return home() / "pacs.json"
