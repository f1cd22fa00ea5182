"""Keys of model servers: from the environment, or the system's keyring; never in a file of ours."""

from __future__ import annotations

import contextlib
import importlib.util
import os

from napari_medvlm.settings.allowed_hosts import origin

VARIABLE = "NAPARI_MEDVLM_API_KEY"
"""The environment variable. Keys of other services are never looked at."""
SERVICE = "napari-medvlm"
"""The name under which a keyring stores keys, each for the origin of a server's address."""


def api_key(url: str) -> str:
    """The key of a server, empty if there is none.

    Parameters
    ----------
    url
        An address of the server; the keyring is asked for its scheme, host and port.
    """
    if key := os.environ.get(VARIABLE, "").strip():
        return key
    if importlib.util.find_spec("keyring") is None:
        return ""
    import keyring
    from keyring.errors import KeyringError

    with contextlib.suppress(KeyringError):
        return keyring.get_password(SERVICE, origin(url)) or ""
    return ""
