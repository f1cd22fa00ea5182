"""A run on disk: what it does, and a file for each case that is done, so that it can go on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import FileLock, Timeout

from napari_medvlm.data import atomic_write
from napari_medvlm.data.atomic_write import cannot_save
from napari_medvlm.data.errors import DAMAGED, CannotSave, SessionFileError, SettingsError

Json = dict[str, Any]
MAX_LISTED = 10
"""So many cases are named where another one was asked for."""
MAX_NAME_LENGTH = 200
"""Characters of a file's name; most systems take 255, some of which are for the ending."""


PATHS = {"image", "masks", "images", "labels", "names", "references"}
"""Keys of data and of cases whose texts, also in lists, are paths."""
HARDWARE = "hardware"
"""Key of the machines that worked on a run; another one may go on with it."""


class RunFolder:
    """The folder of a run.

    ``run.json`` says what is run; ``cases/NAME.json`` is what came of a case, whole or not there.
    Paths in them are relative to the folder.

    Parameters
    ----------
    path
        Made if it is not there.
    settings
        What the results depend on. Cases that are there must have come of the same; where none is,
        others take the place of those that were there.
    extendable
        Numbers in ``plan`` that may be larger than those of the cases that are there.

    Raises
    ------
    SettingsError
        If the folder holds a run with other settings.
    CannotSave
        If the folder cannot be written to.
    """

    def __init__(
        self, path: Path, settings: Mapping[str, Any], extendable: Collection[str] = ()
    ) -> None:
        self.path = path
        wanted = json.loads(json.dumps(settings))
        recorded = read_json(path / "run.json")
        machines = wanted.pop(HARDWARE, [])
        if recorded is not None and self.done():
            known = recorded.pop(HARDWARE, [])
            machines = [*known, *(machine for machine in machines if machine not in known)]
            recorded = _with_data(recorded, path, located)
            if recorded != wanted and not _is_extended(recorded, wanted, extendable):
                raise SettingsError(
                    f"{path} holds a run with other settings: {_difference(recorded, wanted)}.",
                    "Choose another folder with --out, or the settings of that run.",
                )
        content = _with_data(wanted, path, portable)
        write_json(path / "run.json", content | ({HARDWARE: machines} if machines else {}))

    def done(self) -> dict[str, Json]:
        """What came of the cases that are done, by their names."""
        return {str(content["case"]): content for content in case_contents(self.path)}

    def keep(self, outcome: Json) -> None:
        """Write what came of a case."""
        if "source" in outcome:
            outcome = outcome | {"source": portable(outcome["source"], self.path)}
        write_json(self.path / "cases" / f"{safe(outcome['case'])}.json", outcome)


def portable(content: Json, out: Path) -> Json:
    """With paths relative to the folder of a run, so that both can be moved together."""
    return _with_paths(content, lambda path: _relative(path, out))


def located(content: Json, out: Path) -> Json:
    """With paths that `portable` wrote made absolute; absolute ones stay."""
    return _with_paths(content, lambda path: os.path.normpath(out.resolve() / path))


def case_contents(out: Path) -> Iterator[Json]:
    """What came of each case that is done, in the order of file names, with absolute paths."""
    for path in sorted((out / "cases").glob("[!.]*.json")):
        content = read_json(path)
        if content is not None:
            yield _with_source(content, out)


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Keep others out of the folder of a run for as long as this one writes there.

    The system lets go of it when the program ends, however it ends. The file of the lock stays: one
    that is removed could be held twice.

    Parameters
    ----------
    out
        Made if it is not there.

    Raises
    ------
    CannotSave
        If another run writes to the folder, or it cannot be written to.
    """
    lock = FileLock(out / ".lock", thread_local=False)
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise CannotSave(
            f"Another run is writing to {out}.",
            "Wait until it has ended, or choose another folder for this one (--out).",
        ) from None
    except OSError as error:
        raise cannot_save(out, error) from error
    try:
        yield
    finally:
        lock.release()


def case_of(out: Path, case: str) -> Json:
    """What came of a case of a run.

    Raises
    ------
    SessionFileError
        If there is no run, or it has no such case.
    """
    content = read_json(out / "cases" / f"{safe(case)}.json")
    if content is not None:
        return _with_source(content, out)
    if read_json(out / "run.json") is None:
        seeds = sorted(path.parent.name for path in out.glob("seed-*/run.json"))[:MAX_LISTED]
        raise SessionFileError(
            f"There is no run of 'napari-medvlm evaluate' in {out}.",
            f"Give the folder of a seed: {', '.join(seeds)}." if seeds else "Check the path.",
        )
    files = [read_json(path) for path in sorted((out / "cases").glob("[!.]*.json"))[:MAX_LISTED]]
    known = ", ".join(str(content["case"]) for content in files if content is not None)
    raise SessionFileError(
        f"The run in {out} has no case {case!r}.",
        f"It has, to begin with: {known}." if known else "None of its cases is done yet.",
    )


def session_path(out: Path, case: str, structure: str) -> Path:
    """Return the path of the session file of a structure of a case."""
    return out / "sessions" / safe(case) / f"{safe(structure)}.json"


def safe(name: str) -> str:
    """A name as one part of a path; a digest takes the place of what is too long for one."""
    part = quote(name, safe=" ,()+=@").replace("..", "%2E%2E")
    if len(part) <= MAX_NAME_LENGTH:
        return part
    digest = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
    return f"{part[: MAX_NAME_LENGTH - len(digest) - 1]}-{digest}"


def read_json(path: Path) -> Json | None:
    """The mapping in a file; `None` if there is none, or it is damaged."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except DAMAGED:
        return None
    return content if isinstance(content, dict) else None


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping; the file is whole or is not there."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False))


def write_text(path: Path, text: str) -> None:
    """Write a text; see `write_bytes`."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, which is whole or is as it was before.

    Raises
    ------
    CannotSave
        If the folder cannot be written to or is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_save(path, error) from error
    atomic_write.write_bytes(path, content)


def _with_source(content: Json, out: Path) -> Json:
    source = content.get("source")
    return content if source is None else content | {"source": located(source, out)}


def _with_data(content: Json, out: Path, change: Callable[[Json, Path], Json]) -> Json:
    data = content.get("data")
    return content if data is None else content | {"data": change(data, out)}


def _with_paths(content: Json, change: Callable[[str], str]) -> Json:
    """With the values of `PATHS` changed, texts and lists of texts."""
    changed = dict(content)
    for key in PATHS & content.keys():
        value = content[key]
        if isinstance(value, str):
            changed[key] = change(value)
        elif isinstance(value, list):
            changed[key] = [change(item) if isinstance(item, str) else item for item in value]
    return changed


def _relative(path: str, out: Path) -> str:
    try:
        return Path(os.path.relpath(Path(path).resolve(), out.resolve())).as_posix()
    except ValueError:  # on another drive
        return path


def _is_extended(recorded: Json, wanted: Json, extendable: Collection[str]) -> bool:
    """Whether nothing differs but numbers of the plan that have become larger."""
    old, new = recorded.get("plan", {}), wanted.get("plan", {})
    larger = {name: new[name] for name in extendable if name in old and new[name] > old[name]}
    return bool(recorded | {"plan": old | larger} == wanted)


def _difference(recorded: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    differences = [
        f"{key} {old!r}, not {new!r}"
        for key, old, new in _differing(recorded, wanted)
        if old != new
    ]
    return "; ".join(differences[:3])


def _differing(
    recorded: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    for key in dict.fromkeys((*recorded, *wanted)):
        old, new = recorded.get(key), wanted.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differing(old, new)
        elif old != new:
            yield key, old, new
