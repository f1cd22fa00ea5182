"""Connections of requests to the address that was checked, with limits of what a server sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from napari_medvlm.data.errors import ArchiveError
from napari_medvlm.settings.allowed_hosts import origin

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter

MOST_BYTES = 64 << 20
"""Bytes of a response, decompressed: lists of studies, errors, pictures."""
MOST_FILE_BYTES = 16 << 30
"""Bytes of a response that brings DICOM files."""
FILES = ("multipart/related", "application/dicom;", "application/octet-stream")


def checked_adapter(url: str, address: str | None) -> HTTPAdapter:
    """The transport of a session of requests to one server.

    Parameters
    ----------
    url
        Of the server; host name and certificate stay those of the URL.
    address
        The IP address to connect to, as of `checked_address`; `None`: the name is looked up.
    """
    from requests.adapters import HTTPAdapter

    class CheckedAdapter(HTTPAdapter):
        """Connects to the address, and limits responses."""

        def init_poolmanager(self, *arguments: Any, **keywords: Any) -> None:
            super().init_poolmanager(*arguments, **keywords)
            if address is not None:
                self.poolmanager.pool_classes_by_scheme = _pools(address)

        def send(self, *arguments: Any, **keywords: Any) -> Any:
            keywords["stream"], stream = True, keywords.get("stream", False)
            response = super().send(*arguments, **keywords)
            kind = f"{response.headers.get('Content-Type', '')};".lower().replace(" ", "")
            most = MOST_FILE_BYTES if kind.startswith(FILES) else MOST_BYTES
            read = response.raw.stream

            def limited(*sizes: Any, **options: Any) -> Iterator[bytes]:
                return _limited(read(*sizes, **options), most, url)

            response.raw.stream = limited
            if not stream:
                response.content  # noqa: B018  # is read here
            return response

    return CheckedAdapter()


def _limited(chunks: Iterator[bytes], most: int, url: str) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > most:
            raise ArchiveError(
                f"{origin(url)} sent more than {most / 2**20:.0f} MB in one response.",
                "Ask for less at once, or contact the server's administrator.",
            )
        yield chunk


def _pools(address: str) -> dict[str, Any]:
    """Pools of urllib3 whose connections go to an address, whatever the host is called."""
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    pools = {}
    for scheme, pool in (("http", HTTPConnectionPool), ("https", HTTPSConnectionPool)):
        base: Any = pool.ConnectionCls

        def connect(self: Any, base: Any = base) -> Any:
            host, self._dns_host = self._dns_host, address
            try:
                return base._new_conn(self)
            finally:
                self._dns_host = host

        connection = type(f"Checked{base.__name__}", (base,), {"_new_conn": connect})
        pools[scheme] = type(f"Checked{pool.__name__}", (pool,), {"ConnectionCls": connection})
    return pools
