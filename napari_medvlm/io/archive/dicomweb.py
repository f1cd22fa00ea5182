"""A PACS that speaks DICOMweb: searching (QIDO), fetching (WADO) and storing (STOW)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medvlm.data.errors import ArchiveError
from napari_medvlm.io.archive.base import (
    Progress,
    Query,
    Study,
    StudySeries,
    by_number,
    newest_first,
)
from napari_medvlm.io.archive.cache import Cache, file_of
from napari_medvlm.io.archive.checked_adapter import checked_adapter
from napari_medvlm.io.archive.dicomweb_errors import error_context, not_installed
from napari_medvlm.io.archive.dicomweb_json import (
    TAGS,
    instance_rows,
    query_filters,
    series_row,
    study_row,
)
from napari_medvlm.io.archive.servers import login_for
from napari_medvlm.settings.allowed_hosts import checked_address, is_private, origin

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient
    from pydicom import Dataset
    from requests import Session


CONNECT_S, READ_S = 5.0, 60.0
MOST_STUDIES = 200
STUDY_FIELDS = ["StudyDescription", "ModalitiesInStudy", "NumberOfStudyRelatedSeries"]
SERIES_FIELDS = ["SeriesDescription", "SeriesNumber", "NumberOfSeriesRelatedInstances"]
AS_STORED = (("application/dicom", "*"),)
SMALL = {"viewport": "96,96"}


class DicomWeb:
    """An `Archive` that is a PACS; methods may be called from several threads.

    Parameters
    ----------
    url
        Where its services are, such as ``https://pacs.hospital.example/dicom-web``. Who signs in is
        asked of the keyring; nothing is sent outside the private network unless that is allowed.
    title
        Its name for a person.
    cache
        Where fetched series are kept.
    """

    def __init__(self, url: str, title: str = "", cache: Cache | None = None) -> None:
        self.url = url.rstrip("/")
        self.title = title or origin(url)
        self.cache = cache or Cache()

    def studies(self, query: Query, progress: Progress) -> tuple[Study, ...]:
        """The newest of the studies that fit, as many as the server gives up to 200."""
        progress(0, "Searching")
        with error_context(self.url):
            items = self._client().search_for_studies(
                limit=MOST_STUDIES, fields=STUDY_FIELDS, search_filters=query_filters(query)
            )
            return newest_first([study_row(item) for item in items])

    def series(self, study: Study) -> tuple[StudySeries, ...]:
        """The series of a study, by number."""
        with error_context(self.url):
            items = self._client().search_for_series(study.uid, fields=SERIES_FIELDS)
            return by_number([series_row(study.uid, item) for item in items])

    def fetch(self, series: StudySeries, progress: Progress) -> Path:
        """A folder with just the files of a series, as the server stores them.

        Raises
        ------
        ArchiveError
            If the server does not send all of it; nothing is kept then.
        Cancelled
            If ``progress`` raised it.
        """
        progress(0, "Asking for the series")
        with error_context(self.url):
            client = self._client()
            wanted = set(instance_rows(client, series))
            if not wanted:
                raise ArchiveError(
                    f"{origin(self.url)} has no images of this series.",
                    "Search again: it may have been moved or deleted.",
                )
            folder = self.cache.folder(origin(self.url), series.study_uid, series.uid)
            if not self.cache.has(folder, wanted):
                with self.cache.filling(folder) as temporary:
                    datasets = client.iter_series(
                        series.study_uid, series.uid, media_types=AS_STORED
                    )
                    self._keep(datasets, wanted, temporary, progress)
            return folder

    def thumbnail(self, series: StudySeries) -> bytes | None:
        """The middle slice as the server draws it, or `None` if it does not."""
        try:
            with error_context(self.url):
                client = self._client()
                numbers = instance_rows(client, series)
                uids = sorted(numbers, key=lambda uid: numbers[uid])
                if not uids:
                    return None
                return bytes(
                    client.retrieve_instance_rendered(
                        series.study_uid,
                        series.uid,
                        uids[len(uids) // 2],
                        media_types=("image/jpeg",),
                        params=SMALL,
                    )
                )
        except ArchiveError:  # many servers draw no pictures, or not of reports
            return None

    def store(self, files: Sequence[Path], progress: Progress) -> None:
        """Send DICOM files to the server, one after the other.

        Raises
        ------
        ArchiveError
            If it refuses one; those before it are there.
        """
        from pydicom import dcmread

        client = self._client()
        for at, file in enumerate(files):
            progress(at / len(files), f"Sending {at + 1} of {len(files)}")
            sent = dcmread(file)
            with error_context(self.url):
                answer = client.store_instances([sent])
            failed = answer.get(TAGS["failed"])
            if failed:
                reason = failed.value[0].get("FailureReason", "unknown")
                raise ArchiveError(
                    f"{origin(self.url)} rejected object {at + 1} of {len(files)} (reason "
                    f"{reason}).",
                    "Ask the server's administrator which objects it accepts.",
                )
        progress(1, f"Sent {len(files)} objects")

    def _keep(
        self, datasets: Iterator[Dataset], wanted: set[str], folder: Path, progress: Progress
    ) -> None:
        """Write what comes, and see that it is all there."""
        got: set[str] = set()
        for dataset in datasets:
            if _is_cut(dataset):
                break
            uid = str(dataset.SOPInstanceUID)
            (folder / file_of(uid)).write_bytes(dataset.buffer.getvalue())  # byte for byte
            got.add(uid)
            progress(min(len(got) / len(wanted), 1), f"{len(got)} of {len(wanted)} images")
        if wanted - got:
            raise ArchiveError(
                f"{origin(self.url)} sent {len(got & wanted)} of the {len(wanted)} images of the "
                "series and then closed the connection; partial results are discarded.",
                "Load the series again.",
            )

    def _client(self) -> DICOMwebClient:
        """A client of its own for each call, so that threads share nothing."""
        address = checked_address(self.url)
        try:
            from dicomweb_client import DICOMwebClient
        except ImportError:
            raise not_installed() from None
        client = DICOMwebClient(
            self.url, session=self._session(address), timeout=(CONNECT_S, READ_S)
        )
        client.set_http_retry_params(retry=False)
        return client

    def _session(self, address: str | None) -> Session:
        """Certificates are verified, redirections not followed, private networks not proxied.

        Parameters
        ----------
        address
            The IP address to connect to, as of `checked_address`.
        """
        import requests

        class Plain(requests.Session):
            """Stars and commas go as they are: older plugins of Orthanc do not decode them."""

            def get(self, url: str, **keywords: Any) -> Any:
                return super().get(url.replace("%2A", "*").replace("%2C", ","), **keywords)

        session = Plain()
        session.max_redirects = 0
        session.trust_env = False
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        for scheme in ("http://", "https://"):
            session.mount(scheme, checked_adapter(self.url, address))
        if address is None and not is_private(self.url):
            session.proxies = requests.utils.get_environ_proxies(self.url)
        login = login_for(self.url)
        if login is not None:
            session.auth = (login.user, login.secret) if login.user else _bearer(login.secret)
        return session


def _bearer(token: str) -> Callable[[Any], Any]:
    def sign(request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign


def _is_cut(dataset: Dataset) -> bool:
    """Whether pixels are missing at the end, where the connection was closed early."""
    from pydicom.pixels.utils import get_expected_length

    if "PixelData" not in dataset or dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return False
    return len(dataset.PixelData) < get_expected_length(dataset)
