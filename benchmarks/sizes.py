"""The sizes of this code as a row of a markdown table: ``python -m benchmarks.sizes [FOLDER ...]``.

Lines are all lines of a file, or from ``def`` and ``class`` to the last line of the body. Medians
barely tell good code from bad: look at the 90th percentile of functions, and the largest class.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "napari_medvlm"
HEADER = """\
| code | files | LOC | file med / p90 / max | function med / p90 / max | class p90 / max \
| args typed | public docstrings |
|---|---|---|---|---|---|---|---|"""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


@dataclass(frozen=True)
class Module:
    """A source file: its path, its text and its syntax tree."""

    path: Path
    text: str
    tree: ast.Module

    @classmethod
    def read(cls, path: Path) -> Module:
        """The module in a file."""
        text = path.read_text(encoding="utf-8")
        return cls(path, text, ast.parse(text))

    @property
    def lines(self) -> int:
        """How many lines the file has."""
        return len(self.text.splitlines())

    def functions(self) -> Iterator[Function]:
        """All functions and methods, also those inside others."""
        return (n for n in ast.walk(self.tree) if isinstance(n, Function))

    def classes(self) -> Iterator[ast.ClassDef]:
        """All classes."""
        return (n for n in ast.walk(self.tree) if isinstance(n, ast.ClassDef))


def modules(folder: Path) -> list[Module]:
    """The Python files under a folder, sorted by path; empty ones are left out."""
    found = (Module.read(path) for path in sorted(folder.rglob("*.py")))
    return [module for module in found if module.lines]


def length(node: Definition) -> int:
    """Lines of a definition, without its decorators."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def arguments(function: Function) -> list[ast.arg]:
    """The arguments that can be annotated: all but ``self`` and ``cls``."""
    a = function.args
    every = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
    return [arg for arg in every if arg.arg not in ("self", "cls")]


def public(node: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    """The public classes, functions and methods of a module or class; not what they hold inside."""
    for child in node.body:
        if isinstance(child, Definition) and not child.name.startswith("_"):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from public(child)


def median_p90_max(values: Iterable[int]) -> tuple[int, int, int]:
    """Median, 90th percentile and largest of some sizes, rounded; zeros if there are none."""
    ordered = sorted(values)
    if not ordered:
        return 0, 0, 0
    p90 = ordered[round(0.9 * (len(ordered) - 1))]
    return round(statistics.median(ordered)), p90, ordered[-1]


def percent(part: Sequence[bool]) -> str:
    """The share of what is true."""
    return f"{100 * sum(part) / len(part):.0f} %" if part else "-"


def row(folder: Path) -> str:
    """The sizes of the code under a folder as a row of the table."""
    code = modules(folder)
    functions = [f for m in code for f in m.functions()]
    files = median_p90_max(m.lines for m in code)
    sizes = median_p90_max(map(length, functions))
    classes = median_p90_max(length(c) for m in code for c in m.classes())
    cells = [
        folder.name,
        str(len(code)),
        f"{sum(m.lines for m in code):,}",
        " / ".join(map(str, files)),
        " / ".join(map(str, sizes)),
        " / ".join(map(str, classes[1:])),
        percent([a.annotation is not None for f in functions for a in arguments(f)]),
        percent([ast.get_docstring(d) is not None for m in code for d in public(m.tree)]),
    ]
    return f"| {' | '.join(cells)} |"


def main(folders: Sequence[str]) -> None:
    """Print the table."""
    print(HEADER)
    for folder in map(Path, folders or [str(PACKAGE)]):
        print(row(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
