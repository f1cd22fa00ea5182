"""YAML files of words, read and checked: what is wrong is named by its line.

It knows neither what the files are about nor where they lie.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_medvlm.data.errors import SettingsError

HERE = Path(__file__).parent
"""The folder of the packaged files."""
PACKAGE = HERE.parent


class YamlTable(BaseModel):
    """What a file may say: the fields of the subclass and nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


SheetT = TypeVar("SheetT", bound=YamlTable)


def read(path: Path, sheet: type[SheetT]) -> SheetT:
    """The file as a `sheet`; an empty file is one without entries.

    Raises
    ------
    SettingsError
        The file is missing, is not text in UTF-8 or not YAML, or has an unknown key or a value of a
        wrong type.
    """
    text = _text(path)
    content = _content(path, text)
    try:
        return sheet.model_validate({} if content is None else content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        location = tuple(first["loc"])
        what = f"{' / '.join(map(str, location)) or 'the file'}: {first['msg']}"
        allowed = ", ".join(sheet.model_fields)
        raise SettingsError(
            f"Line {_line(text, location)} of {path.name}: {what}.",
            f"Correct {path}; at the top it may have {allowed}. Or move it away.",
        ) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path.name} cannot be read: {error}.",
            f"See that {path} is there and is a text file in UTF-8, or move it away.",
        ) from error


def _content(path: Path, text: str) -> Any:
    import yaml

    if PACKAGE in path.parents and hasattr(yaml, "CSafeLoader"):
        # libyaml is fast; on thousands of brackets in a file of a user it crashes.
        return yaml.load(text, Loader=yaml.CSafeLoader)
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # ValueError: a date that does not exist. RecursionError: thousands of brackets.
        mark = getattr(error, "problem_mark", None)
        line = f"Line {mark.line + 1} of {path.name}" if mark else path.name
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise SettingsError(
            f"{line} is not YAML: {problem}.",
            f"Correct {path}: mind indents and put texts with a colon in quotes. Or move it away.",
        ) from error


def _line(text: str, location: tuple[int | str, ...]) -> int:
    """The line, from 1, of the entry that the path of keys `where` leads to."""
    import yaml

    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 0
    for step in location:
        child = _child(node, step)
        if child is None:
            break
        line, node = child
    return int(line) + 1


def _child(node: Any, step: int | str) -> tuple[int, Any] | None:
    import yaml

    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return node.value[step].start_mark.line, node.value[step]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line, value
    return None
