"""Where results of a case list go, as this program wrote it; a list from elsewhere cannot say.

Files of earlier results are replaced. A list may come from somebody else, so what it says of
results counts only if it lies in the settings folder. For other lists a copy is kept there.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_medvlm.data.atomic_write import write_text
from napari_medvlm.sessions.cases.case_list import CaseList
from napari_medvlm.settings.paths import home


class _Results(BaseModel):
    """The folder of results, and the files of each case by its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    folder: str = ""
    files: dict[str, tuple[str, ...]] = {}


def list_folder() -> Path:
    """The folder of the lists that this program began."""
    return home() / "cases"


def restored(path: Path, known: CaseList) -> CaseList:
    """A list as it stands in a file, with the folder and results that this program wrote."""
    if _is_own(path):
        return known
    try:
        own = _Results.model_validate_json(_copy(path).read_text("utf-8"))
    except (OSError, ValueError, ValidationError):
        own = _Results()
    cases = tuple(
        case.model_copy(update={"results": own.files.get(case.name, ())}) for case in known.cases
    )
    return known.model_copy(update={"folder": own.folder, "cases": cases})


def keep(path: Path, known: CaseList) -> None:
    """Keep the folder and results of a list that lies elsewhere.

    Raises
    ------
    CannotSave
        If that cannot be written.
    """
    if _is_own(path):
        return
    files = {case.name: case.results for case in known.cases if case.results}
    if known.folder or files or _copy(path).exists():
        _copy(path).parent.mkdir(parents=True, exist_ok=True)
        write_text(_copy(path), _Results(folder=known.folder, files=files).model_dump_json())


def _is_own(path: Path) -> bool:
    return path.resolve().parent == list_folder().resolve()


def _copy(path: Path) -> Path:
    digest = hashlib.sha256(str(path.resolve()).encode(errors="surrogateescape")).hexdigest()[:24]
    return list_folder() / "results" / f"{digest}.json"
