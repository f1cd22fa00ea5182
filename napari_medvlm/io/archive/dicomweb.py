"""A PACS that speaks DICOMweb: searching (QIDO), fetching (WADO) and storing (STOW)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medvlm.data.errors import ArchiveError
from napari_medvlm.io.archive.base import (
    Progress,
    Query,
    Study,
    StudySeries,
    by_number,
    day_of,
    newest_first,
    pattern,
)
from napari_medvlm.io.archive.cache import Cache, file_of
from napari_medvlm.io.archive.connection import checked_adapter
from napari_medvlm.io.archive.dicomweb_errors import error_context, not_installed
from napari_medvlm.io.archive.servers import login_for
from napari_medvlm.settings.allowed_hosts import checked_address, is_private, origin

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient
    from pydicom import Dataset
    from requests import Session

Match = Mapping[str, Any]
"""An item of an answer in DICOM's JSON: by tag."""

CONNECT_S, READ_S = 5.0, 60.0
MOST_STUDIES = 200
MOST_INSTANCES = 100_000
STUDY_FIELDS = ["StudyDescription", "ModalitiesInStudy", "NumberOfStudyRelatedSeries"]
SERIES_FIELDS = ["SeriesDescription", "SeriesNumber", "NumberOfSeriesRelatedInstances"]
TAGS = {
    "study": "0020000D", "series": "0020000E", "instance": "00080018", "name": "00100010",
    "id": "00100020", "day": "00080020", "study_description": "00081030",
    "modalities": "00080061", "series_count": "00201206", "modality": "00080060",
    "series_number": "00200011", "series_description": "0008103E", "images": "00201209",
    "instance_number": "00200013", "failed": "00081198",
}  # fmt: skip
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
                limit=MOST_STUDIES, fields=STUDY_FIELDS, search_filters=_filters(query)
            )
            return newest_first([_study(item) for item in items])

    def series(self, study: Study) -> tuple[StudySeries, ...]:
        """The series of a study, by number."""
        with error_context(self.url):
            items = self._client().search_for_series(study.uid, fields=SERIES_FIELDS)
            return by_number([_series(study.uid, item) for item in items])

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
            wanted = set(_instances(client, series))
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
                numbers = _instances(client, series)
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


def _filters(query: Query) -> dict[str, Any]:
    """The question as QIDO writes it."""
    days = [day.strftime("%Y%m%d") if day else "" for day in (query.first, query.last)]
    wanted = {
        "PatientName": pattern(query.patient_name),
        "PatientID": pattern(query.patient_id),
        "StudyDescription": pattern(query.description),
        "ModalitiesInStudy": query.modality,
        "StudyDate": "-".join(days) if any(days) else "",
    }
    return {keyword: value for keyword, value in wanted.items() if value}


def _instances(client: DICOMwebClient, series: StudySeries) -> dict[str, int]:
    """The number of each instance of a series by its UID, page by page."""
    numbers: dict[str, int] = {}
    while True:
        page = client.search_for_instances(
            series.study_uid, series.uid, fields=["InstanceNumber"], offset=len(numbers)
        )
        new = {_text(i, "instance"): _integer(i, "instance_number") or 0 for i in page}
        if len(numbers) > MOST_INSTANCES:
            raise ArchiveError(
                f"The series lists more than {MOST_INSTANCES} images.",
                "Contact the server's administrator.",
            )
        if new.keys() <= numbers.keys():  # the last, or a server that knows no pages
            return numbers
        numbers |= new


def _study(item: Match) -> Study:
    return Study(
        uid=_text(item, "study"),
        patient_name=_text(item, "name").replace("^", " ").strip(),
        patient_id=_text(item, "id"),
        day=day_of(_text(item, "day")),
        description=_text(item, "study_description"),
        modalities=tuple(map(str, _values(item, "modalities"))),
        series=_integer(item, "series_count"),
    )


def _series(study_uid: str, item: Match) -> StudySeries:
    return StudySeries(
        uid=_text(item, "series"),
        study_uid=study_uid,
        number=_integer(item, "series_number"),
        description=_text(item, "series_description"),
        modality=_text(item, "modality"),
        images=_integer(item, "images"),
    )


def _values(item: Match, name: str) -> list[Any]:
    values = item.get(TAGS[name], {}).get("Value") or []
    return [value for value in values if value is not None]


def _text(item: Match, name: str) -> str:
    """The first value as text; of a person's name the one in Latin letters."""
    first = next(iter(_values(item, name)), "")
    if isinstance(first, Mapping):
        first = first.get("Alphabetic") or next(iter(first.values()), "")
    return str(first).strip()


def _integer(item: Match, name: str) -> int | None:
    text = _text(item, name)
    return int(text) if text.lstrip("-").isdigit() else None


def _is_cut(dataset: Dataset) -> bool:
    """Whether pixels are missing at the end, where the connection was closed early."""
    from pydicom.pixels.utils import get_expected_length

    if "PixelData" not in dataset or dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return False
    return len(dataset.PixelData) < get_expected_length(dataset)
