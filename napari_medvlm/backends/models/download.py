"""Download models of the Hugging Face hub after the user has confirmed the licence."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.models.offline import refuse
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, CannotDownload

TEXTS = ["*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken", "LICENSE*", "README.md"]
CODE = ["*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle", "*.npy", "*.npz", "*.py", "*.so"]
WANTED: dict[str, list[str]] = {
    "allow_patterns": ["*.safetensors", *TEXTS],
    "ignore_patterns": CODE,
}
"""What is fetched, as the hub library takes it: nothing that runs code when it is loaded."""

ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Offer:
    """Description of a model before its download.

    Parameters
    ----------
    model
        Its id on the hub, ``owner/name``.
    licence
        As its page states it, such as ``"apache-2.0"``, or ``"not stated"``.
    files, bytes
        How many would be fetched, and their size; files that are here already do not count.
    gated
        Whether its terms must be accepted on its page first.
    url
        Its page.
    """

    model: str
    licence: str
    files: int
    bytes: int
    gated: bool
    url: str

    @property
    def size(self) -> str:
        """The size in words."""
        return megabytes(self.bytes)


def is_hub_id(text: str) -> bool:
    """Return whether a text is a possible hub id and not a local folder."""
    return ID.fullmatch(text) is not None and not Path(text).is_dir()


def megabytes(count: int) -> str:
    """A number of bytes in words."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def offer(model: str) -> Offer:
    """Describe a download without fetching files of the model.

    Raises
    ------
    CannotDownload
        If there is no such model, it has no weights that are safe to load, or the hub cannot be
        reached.
    BackendUnavailable
        If the hub's library is not installed.
    """
    with _download_errors(model):
        info, missing = _listed(model)
    return Offer(
        model, _licence(info), len(missing), sum(missing.values()), bool(info.gated), _url(model)
    )


def fetch(model: str, progress: Progress) -> Path:
    """Download a model and return its folder.

    Parameters
    ----------
    progress
        Is called from several threads, one at a time, about once a megabyte; when it raises
        `Cancelled`, the download stops. Files that are whole by then stay and are not fetched
        again; of the others nothing stays.

    Raises
    ------
    Cancelled
        If ``progress`` raised it.
    CannotDownload
        As `offer`, and if terms must be accepted first, or the disk is too full.
    BackendUnavailable
        If the hub's library is not installed.
    """
    with _download_errors(model):
        _, missing = _listed(model)
        from huggingface_hub import constants, snapshot_download

        total = sum(missing.values())
        _check_space(model, total, Path(constants.HF_HUB_CACHE))
        # The library's faster transfer reports from threads in which an error stops nothing,
        # and in pieces of its usual 10 MB a slow line would let Cancel wait.
        constants.HF_HUB_DISABLE_XET = True
        constants.DOWNLOAD_CHUNK_SIZE = min(constants.DOWNLOAD_CHUNK_SIZE, CHUNK_BYTES)
        meter = _Meter(total, progress)
        meter.count(0)
        folder = Path(snapshot_download(model, tqdm_class=_bar(meter), **WANTED))
    progress(1.0, f"Downloaded {megabytes(total)}")
    return folder


class _Meter:
    """Report the bytes downloaded over all files; raises in every thread once cancelled."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total = total
        self._progress = progress
        self._most = 0
        self._stopped = False
        self.guard = threading.RLock()

    def count(self, done: int) -> None:
        """Report ``done`` bytes; a restarted file does not reduce the total."""
        with self.guard:
            if self._stopped:
                raise Cancelled
            self._most = max(self._most, min(done, self._total))
            message = f"{megabytes(self._most)} of {megabytes(self._total)}"
            try:
                self._progress(self._most / max(self._total, 1), message)
            except Cancelled:
                self._stopped = True
                raise


def _bar(meter: _Meter) -> type:
    """A class of bars that draw nothing, for the library to count its bytes by."""
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):  # type: ignore[misc]  # the library's own is not typed
        monitor_interval = 0  # else a thread watches it

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.of_bytes = kwargs.get("unit") == "B"
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> None:
            with meter.guard:
                self.n += n or 0
                if self.of_bytes:
                    meter.count(int(self.n))

    return Bar


def _listed(model: str) -> tuple[Any, dict[str, int]]:
    """The hub's description of a model, and the sizes of the files to download."""
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.utils import filter_repo_objects

    info = HfApi().model_info(model, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    wanted = list(filter_repo_objects(sizes, **WANTED))
    if not any(name.endswith(".safetensors") for name in wanted):
        raise CannotDownload(
            f"{model} has no weights in safetensors among its {len(sizes)} files, and pickles are "
            "not fetched, because loading one can run code.",
            "Choose a version of it that was converted to safetensors.",
        )
    here = {
        n for n in wanted if isinstance(try_to_load_from_cache(model, n, revision=info.sha), str)
    }
    return info, {name: sizes[name] for name in wanted if name not in here}


def _licence(info: Any) -> str:
    card = info.card_data or {}
    stated = card.get("license")
    if stated == "other":
        named = [card.get(key) for key in ("license_name", "license_link")]
        stated = [part for part in named if part] or stated
    if isinstance(stated, list):
        stated = ", ".join(map(str, stated))
    return "".join(filter(str.isprintable, str(stated or "not stated")))


def _check_space(model: str, needed: int, cache: Path) -> None:
    folder = next(path for path in (cache, *cache.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise CannotDownload(
            f"{model} needs {megabytes(needed)}, and the disk of {cache} has {megabytes(free)}.",
            "Free some space, or set HF_HOME to a folder on another disk.",
        )


@contextmanager
def _download_errors(model: str) -> Iterator[None]:
    """Translate errors of huggingface_hub; raise if the program is offline."""
    refuse(model)
    try:
        from huggingface_hub import errors as hub
    except ImportError:
        raise BackendUnavailable(
            "Downloading models needs huggingface_hub, which is not installed.",
            'Install it with: pip install "napari-medvlm[vlm]"',
        ) from None
    try:
        yield
    except (hub.HTTPError, hub.HFValidationError, OSError) as error:
        raise CannotDownload(*_words(model, error)) from error


def _words(model: str, error: Exception) -> tuple[str, str]:
    """Message and hint for an error; specific classes are tested first."""
    from huggingface_hub import errors as hub

    if isinstance(error, hub.HFValidationError):
        return f"{model!r} is not the id of a model.", "Write it as owner/name, as on its page."
    if isinstance(error, hub.GatedRepoError):
        return (
            f"The terms of {model} must be accepted before it can be downloaded.",
            f"Accept them at {_url(model)}, then sign in on this computer: hf auth login",
        )
    if isinstance(error, hub.RepositoryNotFoundError):
        return (
            f"The hub has no model {model}, or it is private.",
            "Check its id on its page; for a private one, sign in first: hf auth login",
        )
    if isinstance(error, hub.HfHubHTTPError):
        status = error.response.status_code
        message = f"The hub returned status {status} for {model}."
        return message, "Try again later; complete files are not downloaded again."
    if isinstance(error, (hub.HTTPError, hub.LocalEntryNotFoundError, ConnectionError)):
        message = f"The hub cannot be reached at {_url('').rstrip('/')}."
        return message, "Check the network, the proxy, and that HF_HUB_OFFLINE is not set."
    message = f"{model} could not be written: {error}."
    return message, "Check the space and the permissions of the folder that HF_HOME names."


def _url(model: str) -> str:
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{model}"
