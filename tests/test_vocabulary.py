"""Names use the terms of the glossary: the avoided words occur in no stored name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "napari_medvlm"
AVOIDED = frozenset(
    ("told", "said", "made", "found", "kept", "place", "hand", "one", "each", "who"),
)
ALLOWED = frozenset(
    {
        "not_found",  # the result of a phrase without a region, and its key in JSON
        "NotFound",
        "NOT_FOUND",
        "one_hot",
        "one_object",  # SAM: the mask of one object
        "OneObject",
    }
)
"""Names with an avoided word that is the field's own."""
FOLDERS = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())


def words_of(name: str) -> set[str]:
    """The lower-case words of a snake_case or CamelCase name."""
    return set(re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower().split("_"))


def stored_names(tree: ast.Module) -> Iterator[str]:
    """Names of variables, arguments, assigned attributes, functions and classes."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.alias(asname=str(name)):
                yield name
            case ast.ExceptHandler(name=str(name)):
                yield name


def avoided_names(folder: Path) -> list[str]:
    """``path: name`` of each stored name of a folder that has an avoided word."""
    names = []
    for path in sorted(folder.rglob("*.py")):
        relative = path.relative_to(ROOT).as_posix()
        stored = [path.stem, *stored_names(ast.parse(path.read_text("utf-8")))]
        names += [
            f"{relative}: {name}"
            for name in stored
            if name not in ALLOWED and words_of(name) & AVOIDED
        ]
    return names


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_has_no_avoided_names(folder: str) -> None:
    names = avoided_names(PACKAGE / folder)
    assert not names, "\n".join(names)


def test_modules_at_the_top_have_no_avoided_names() -> None:
    for path in PACKAGE.glob("*.py"):
        names = [path.stem, *stored_names(ast.parse(path.read_text("utf-8")))]
        assert not [name for name in names if words_of(name) & AVOIDED], path.name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("told_of", {"told", "of"}),
        ("_found", {"", "found"}),
        ("FoundRegion", {"found", "region"}),
        ("placement", {"placement"}),
    ],
)
def test_words_of_a_name_are_found_in_both_spellings(name: str, words: set[str]) -> None:
    assert words_of(name) == words
