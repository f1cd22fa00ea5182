"""Files of weights that may run code when they are read: only those that the user trusts.

Older formats of weights are pickles, and a pickle can hold any program. torch reads most of them
as plain numbers; what it cannot read so is refused, unless the user trusts that very file.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_medvlm.backends.models.files import digest_of_list
from napari_medvlm.backends.models.weights import require_weights
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.settings.files import read_setting, write_setting
from napari_medvlm.settings.paths import home
from napari_medvlm.settings.shell import quoted

FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
"""torch's own switch for libraries that ask it to run what a file holds."""
PICKLED = (b"PK\x03\x04", b"\x80")
"""How files of torch begin: archives, and plain pickles."""


def trusted(path: Path | str) -> bool:
    """Return whether the user trusts a file, by its content at any path.

    A folder means all files in it and behind its links: whatever Python may run is checked.
    """
    known = _known()
    try:
        return bool(known) and _sha256(Path(path)) in known
    except BackendUnavailable:
        return False


def trusted_before(path: Path | str) -> bool:
    """Return whether the user trusted a file or folder at this path, whatever its content now."""
    return str(Path(path).expanduser().resolve()) in _known().values()


def trust(path: Path | str) -> None:
    """Mark the current content of a file, or of all files of a folder, as trusted.

    Raises
    ------
        BackendUnavailable
            If there is no such file or folder, it is a text, or its content cannot be checked.
    SettingsError
        If the list of trusted files cannot be written.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise BackendUnavailable(f"There is no file {path}.", "Choose the file with the weights.")
    require_weights(path)
    known = {**_known(), _sha256(path): str(path.resolve())}
    write_setting(_file(), dict(sorted(known.items())))


def require_trusted(path: Path, what: str) -> None:
    """Raise `BackendUnavailable` unless the user has accepted to run the code that a model brings.

    Raises
    ------
    BackendUnavailable
        If the user has not.
    """
    if not trusted(path):
        raise BackendUnavailable(
            f"{what} {path} contains code that would run on this computer, and it is not trusted.",
            f"If you trust its authors, run: napari-medvlm models trust {quoted(str(path))}",
        )


def check_weights_file(path: Path) -> None:
    """Refuse what was saved in place of weights: a web page, a pointer to them, a text.

    Raises
    ------
    BackendUnavailable
        If a file does not begin as those of torch do.
    """
    with path.open("rb") as file:
        start = file.read(24)
    if not start.startswith(PICKLED):
        how = f"it begins with {start.decode('ascii', 'replace')!r}" if start else "it is empty"
        raise BackendUnavailable(
            f"{path} has no weights: {how}.",
            "A web page or a link may have been saved instead. Download it again.",
        )


@contextmanager
def only_weights(path: Path | str) -> Iterator[None]:
    """Within, ``torch.load`` reads nothing but numbers, whatever a library asks of it.

    Parameters
    ----------
    path
        The file that is about to be read. Nothing changes if the user trusts it.

    Raises
    ------
    BackendUnavailable
        If the file holds more than numbers, or no weights.
    """
    if Path(path).is_file():
        check_weights_file(Path(path))
    from torch.serialization import safe_globals

    if trusted(path):
        yield
        return
    before = os.environ.get(FORCE)
    os.environ[FORCE] = "1"
    try:
        with safe_globals(numbers_of_numpy()):
            yield
    except pickle.UnpicklingError as error:
        raise BackendUnavailable(
            f"{path} can run code when it is loaded: it holds more than weights.",
            "Use a file from its authors. If you trust this one, run: "
            f"napari-medvlm models trust {quoted(str(path))}",
        ) from error
    finally:
        if before is None:
            del os.environ[FORCE]
        else:
            os.environ[FORCE] = before


def numbers_of_numpy() -> list[Any]:
    """Numbers and arrays of numpy, under the names of its older versions too."""
    import numpy as np
    from numpy._core.multiarray import _reconstruct, scalar

    kinds = {type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"}
    older = [
        (function, f"numpy.core.multiarray.{function.__name__}")
        for function in (scalar, _reconstruct)
    ]
    return [np.dtype, np.ndarray, *kinds, scalar, _reconstruct, *older]


def _known() -> dict[str, str]:
    """SHA-256 of each trusted file, and where it lay."""
    stored = read_setting(_file())
    return stored if isinstance(stored, dict) else {}


def _sha256(path: Path) -> str:
    if path.is_dir():
        return digest_of_list({f.relative_to(path).as_posix(): _sha256(f) for f in _files(path)})
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> list[Path]:
    """All files of a folder, at any depth and behind links.

    Raises
    ------
    BackendUnavailable
        If there is something else, such as a pipe, a link that leads back, or a name with control
        characters.
    """
    files, entered = [], set()
    for root, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        other = [name for name in names if not Path(root, name).is_file()]
        other += [name for name in (*folders, *names) if not name.isprintable()]
        if other or real in entered:
            raise BackendUnavailable(
                f"The content of {folder} cannot be checked: {(*other, root)[0]!r} is no file, is "
                "reached twice by a link, or has an unusual name.",
                "Remove it, or put a copy in the place of the link.",
            )
        entered.add(real)
        files += [Path(root, name) for name in names]
    return sorted(files)


def _file() -> Path:
    return home() / "trusted.json"
