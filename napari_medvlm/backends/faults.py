"""Which line of a backend's code is at fault, for its author."""

from __future__ import annotations

import inspect
import sys
import traceback
from pathlib import Path

OWN_PACKAGE = "napari_medvlm"
READ_ONLY_HINT = "The image is read-only: work on a copy, such as volume.data.copy()."


def error_position(error: BaseException, cls: type) -> str:
    """The innermost line of a backend's code in a traceback, as ``ball.py, line 12, in segment``.

    Empty if the traceback does not go through it.
    """
    source = _source(cls)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if source is not None and (path == source or source in path.parents):
            return f"{path.name}, line {frame.lineno}, in {frame.name}"
    return ""


def method_position(cls: type, method: str) -> str:
    """Where a backend defines a method, as ``ball.py, line 12, in segment``; the class if not."""
    own = getattr(cls, method, None)
    for item, name in ((own, method), (cls, cls.__name__)):
        try:
            item = inspect.unwrap(item) if callable(item) else item
            path = inspect.getsourcefile(item)  # type: ignore[arg-type]  # what has no source raises
            _, line = inspect.findsource(item)  # type: ignore[arg-type]
        except (TypeError, OSError):
            continue
        if path is not None and (cls.__module__.startswith(OWN_PACKAGE) or not _is_own(path)):
            return f"{Path(path).name}, line {line + 1}, in {name}"
    return ""


def is_foreign(cls: type) -> bool:
    """Whether a backend is of another package."""
    return cls.__module__.partition(".")[0] != OWN_PACKAGE


def author_hint(error: BaseException) -> str:
    """What the author of a backend should change, of mistakes whose error does not state it."""
    return READ_ONLY_HINT if isinstance(error, ValueError) and "read-only" in str(error) else ""


def _source(cls: type) -> Path | None:
    """The file of a backend's module, or the folder of its package."""
    top = cls.__module__ if not is_foreign(cls) else cls.__module__.partition(".")[0]
    path = getattr(sys.modules.get(top), "__file__", None)
    if path is None:
        return None
    return Path(path).parent if Path(path).name == "__init__.py" else Path(path)


def _is_own(path: str) -> bool:
    """Whether a file is of this package."""
    return Path(__file__).parents[1] in Path(path).parents
