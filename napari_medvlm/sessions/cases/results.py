"""The results of a case: masks, the session and the measurements, as files side by side."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from tempfile import TemporaryDirectory

from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.measurements.ruler import Ruler, write_rulers
from napari_medvlm.data.measurements.table import write_csv
from napari_medvlm.sessions.cases.case_list import Case, MaskFormat, free_name
from napari_medvlm.sessions.export.masks import write_objects
from napari_medvlm.sessions.export.measurements import Measurements
from napari_medvlm.sessions.segment.session import SegmentationSession


def write_results(
    session: SegmentationSession,
    case: Case,
    folder: Path,
    masks: MaskFormat,
    rulers: Sequence[Ruler] = (),
) -> tuple[str, ...]:
    """Write what came of a case; its earlier files are replaced, those of others never.

    Returns
    -------
    The files: masks, ``..._session.json``, ``..._measurements.csv`` and, where distances or
    angles are drawn, ``..._lines.csv``.

    Raises
    ------
    CannotSave
        If a mask is still on its way, or a file cannot be written; none is then left half done.
    """
    if session.pending or session.pending_prompts():
        raise CannotSave("A mask is still being computed.", "Wait until it is there.")
    own = {path for path in map(Path, case.results) if _may_replace(path, case, folder)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".", dir=folder) as temporary:
            files = _written(session, case, Path(temporary), masks, own, rulers)
            for path in files:
                path.replace(folder / path.name)
    except OSError as error:
        raise CannotSave(
            f"The results of {case.name} could not be written: {error.strerror or error}.",
            "Choose a folder that you may write to, with space left.",
        ) from error
    there = tuple(folder / path.name for path in files)
    for path in own - set(there):
        path.unlink(missing_ok=True)
    return tuple(map(str, there))


def _may_replace(path: Path, case: Case, folder: Path) -> bool:
    """Whether a file could be a result of a case: in the folder, with a name and ending of it."""
    endings = (*(masks.suffix for masks in MaskFormat), ".json", ".csv", ".tsv")
    return (
        path.parent == folder
        and path.name.startswith(free_name(case.name, ()))
        and path.name.endswith(endings)
    )


def _written(
    session: SegmentationSession,
    case: Case,
    temporary: Path,
    masks: MaskFormat,
    own: AbstractSet[Path],
    rulers: Sequence[Ruler],
) -> Sequence[Path]:
    """The files in a folder of their own, under names that no file of others has."""
    taken: set[str] = set()
    while True:
        stem = free_name(case.name, taken)
        attempt = temporary / stem
        attempt.mkdir()
        files = _write(session, attempt, stem, masks, rulers)
        targets = [temporary.parent / path.name for path in files]
        if all(target in own or not target.exists() for target in targets):
            return files
        taken.add(stem.casefold())


def _write(
    session: SegmentationSession,
    folder: Path,
    stem: str,
    masks: MaskFormat,
    rulers: Sequence[Ruler],
) -> Sequence[Path]:
    ledger, table = folder / f"{stem}_session.json", folder / f"{stem}_measurements.csv"
    files = [*write_objects(session, folder / f"{stem}{masks.suffix}"), ledger, table]
    session.ledger.save(ledger)
    write_csv(table, list(Measurements(session).rows().values()))
    if rulers:
        files.append(folder / f"{stem}_lines.csv")
        write_rulers(files[-1], rulers)
    return files
