"""What goes wrong with a DICOMweb server in a person's words, and logs that name no patient."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from napari_medvlm.data.errors import ArchiveError, CannotSave, MedVLMError
from napari_medvlm.settings.allowed_hosts import origin

if TYPE_CHECKING:
    from requests import RequestException

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


class _Silence(logging.Filter):
    """Nothing of what libraries log of addresses: a question for a patient has the name in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _quiet.get()


for _name in ("dicomweb_client.web", "urllib3.connectionpool", "pydicom"):
    logging.getLogger(_name).addFilter(_Silence(_name))


@contextmanager
def error_context(url: str) -> Iterator[None]:
    """Errors of the library and of the network as an `ArchiveError`.

    Their own texts have the whole address in them, so they are not the cause that a log shows.
    """
    try:
        from requests import RequestException
    except ImportError:
        raise not_installed() from None
    before = _quiet.set(True)
    try:
        yield
    except MedVLMError:
        raise
    except RequestException as error:
        raise ArchiveError(*_words(origin(url), error)) from None
    except OSError as error:
        raise CannotSave(
            f"What {origin(url)} sent could not be written: {error.strerror}.",
            "Free some space on the disk, and load the series again.",
        ) from None
    except Exception as error:  # noqa: BLE001  # what a server sends may be anything
        raise ArchiveError(
            f"{origin(url)} sent a response that is not DICOMweb ({type(error).__name__}).",
            "Check the path in the address, such as /dicom-web, or load the series again.",
        ) from None
    finally:
        _quiet.reset(before)


def not_installed() -> ArchiveError:
    """That the extra is needed."""
    return ArchiveError(
        "A PACS connection needs dicomweb-client, which is not installed.",
        'Install it: pip install "napari-medvlm[pacs]"',
    )


def _words(at: str, error: RequestException) -> tuple[str, str]:
    """What happened, and what to do; the more special kinds of error come first."""
    from requests import exceptions as e

    if isinstance(error, e.HTTPError):
        return _status(at, error.response.status_code)
    kinds = (
        (
            e.SSLError,
            "{at} cannot be trusted: its certificate was not accepted.",
            "Ask who runs it for the certificate of their authority, and name that file in "
            "REQUESTS_CA_BUNDLE.",
        ),
        (
            (e.ConnectTimeout, e.ReadTimeout),
            "{at} did not answer in time.",
            "Try again later, or contact the server's administrator.",
        ),
        (
            (e.ChunkedEncodingError, e.ContentDecodingError),
            "{at} closed the connection during the transfer; partial results are discarded.",
            "Load the series again.",
        ),
        (
            e.ProxyError,
            "{at} cannot be reached through the proxy.",
            "Check the variables HTTP_PROXY and HTTPS_PROXY.",
        ),
        (
            e.ConnectionError,
            "{at} cannot be reached.",
            "Check that the server runs, its address and the network.",
        ),
        (
            e.TooManyRedirects,
            "{at} redirects to another address; redirects are not followed.",
            "Use the address that it redirects to.",
        ),
        (
            e.JSONDecodeError,
            "{at} sent a response that is not DICOMweb.",
            "Check the path in the address, such as /dicom-web.",
        ),
    )
    for kind, message, hint in kinds:
        if isinstance(error, kind):
            return message.format(at=at), hint
    return f"{at} cannot be queried ({type(error).__name__}).", "Check the address of the server."


def _status(at: str, status: int) -> tuple[str, str]:
    if status == 401:
        return f"{at} requires sign-in (401).", "Sign in with a user and password or a token."
    if status == 403:
        return f"{at} does not allow this (403).", "Ask the server's administrator for access."
    if status == 404:
        return (
            f"{at} has no such resource (404).",
            "Check the path in the address, such as /dicom-web, or search again.",
        )
    if status == 409:
        return (
            f"{at} rejected the object (409).",
            "Ask the server's administrator which objects it accepts.",
        )
    return (
        f"{at} returned error {status}.",
        "Try again later, or contact the server's administrator.",
    )
