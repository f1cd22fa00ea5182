"""Writes the source of the documentation site: the pages of ``docs/`` and generated ones.

Generated are the reference of the Python names, of the commands and of the models, the gallery, and
the pages of files that lie outside ``docs/``. They are plain Markdown, so that the site's generator
can be replaced; only the Python reference has directives, those of mkdocstrings.
"""

from __future__ import annotations

import csv
import importlib
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from posixpath import normpath, relpath
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SOURCE_URL = "https://github.com/napari-medvlm/napari-medvlm/blob/main/"
SITE_URL = "https://napari-medvlm.github.io/napari-medvlm/"
"""Stored pages link to generated ones by their address, which works on GitHub too."""

OUTSIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTEXT.md": "glossary.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
}
"""Files of the root, and the page of each; the site has a first page of its own."""

PICTURES = (".png", ".gif")
PACKAGE = "napari_medvlm"
PYTHON_PAGES = {
    "files": ("Files and images", r"io(\.|$)|data\.(volume|label_image|mask)"),
    "prompts": ("Prompts", r"data\.prompts"),
    "sessions": ("Sessions", r"sessions|ledger|data\.geometry"),
    "backends": ("Backends", r"backends"),
    "results": ("Results", r""),
}
"""Title of a page, and the modules whose public names are on it; the first page that fits."""

COMMON_OPTIONS = ("quiet", "verbose", "log", "help", "install_completion", "show_completion")
GENERATED = re.compile(rf"(\]\(){re.escape(SITE_URL)}([^)#\s]+)/((?:#[^)\s]*)?\))")
PICTURE = re.compile(r"!\[([^\]]*)\]\((?:https:[^)\s]*/)?images/([\w.-]+)\)")
SHARED_ENTRY = re.compile(r"^((?:\*{0,2}\w+, )+\*{0,2}\w+)\n((?: +\S.*\n|\n(?= ))+)", re.MULTILINE)
LINK = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?(\))")


def python_pages() -> dict[str, str]:
    """The Python reference, by path: a directive of mkdocstrings for each public name."""
    names: dict[str, list[str]] = {page: [] for page in PYTHON_PAGES}
    package = importlib.import_module(PACKAGE)
    for name in package.__all__:
        home = package._HOMES[name]
        page = next(p for p, (_, modules) in PYTHON_PAGES.items() if re.match(modules, home))
        names[page].append(f"{PACKAGE}.{name}")
    titles = {page: title for page, (title, _) in PYTHON_PAGES.items()}
    for page in ("backends", "checks", "evaluation"):
        module = importlib.import_module(f"{PACKAGE}.{page}")
        titles.setdefault(page, page.capitalize())
        names.setdefault(page, []).extend(f"{module.__name__}.{name}" for name in module.__all__)
    return {
        f"reference/python/{page}.md": "\n\n".join(
            [f"# {titles[page]}", *(f"::: {name}" for name in sorted(names[page], key=str.lower))]
        )
        for page in names
    }


def commands() -> Iterator[tuple[str, Any]]:
    """Name and click command of each command, groups before their commands."""
    import typer.main

    from napari_medvlm.cli import app

    def walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield path, command
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(f"{path} {name}", inner)

    return walk("napari-medvlm", typer.main.get_command(app))


def commands_page() -> str:
    """Usage, arguments and options of each command, as ``--help`` states them."""
    parts = [
        "# Commands",
        "Every command also takes `--quiet`, `--verbose` and `--log`; see "
        "[the command line](../command-line.md) for output and exit status.",
    ]
    for path, command in commands():
        context = command.context_class(command, info_name=path)
        usage = command.get_usage(context).removeprefix("Usage: ")
        parts += [f"## {path}", escaped(command.help or ""), f"```text\n{usage}\n```"]
        own = [p for p in command.params if p.name not in COMMON_OPTIONS and not p.hidden]
        records = [record for p in own if (record := p.get_help_record(context))]
        if records:
            rows = (f"| `{names}` | {escaped(text)} |" for names, text in records)
            parts.append("\n".join(["| | |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def catalogue_page() -> str:
    """The models that are known by name: backend, licences, memory, source."""
    from napari_medvlm.backends.models.published import known

    parts = [
        "# Catalogue of models",
        "Models that the Models dock and `napari-medvlm models list` know. Licences are as their "
        "authors state them: read the page of a model before you use it. How to get one: "
        "[Models](../models.md).",
    ]
    models: dict[str, list[Any]] = {}
    for model in known():
        models.setdefault(model.backend, []).append(model)
    for backend, rows in sorted(models.items()):
        parts.append(f"## {backend}")
        table = [
            "| model | licence of weights | of code | memory | notes |",
            "|---|---|---|---|---|",
        ]
        for row in sorted(rows, key=lambda row: row.title.lower()):
            url = row.source if "//" in row.source else f"https://huggingface.co/{row.source}"
            memory = f"{row.memory_mib / 1024:.1f} GB" if row.memory_mib else ""
            cells = (row.weights_licence, row.code_licence, memory, row.notes)
            table.append(f"| [{escaped(row.title)}]({url}) | {' | '.join(map(escaped, cells))} |")
        parts.append("\n".join(table))
    return "\n\n".join(parts)


def systems_page() -> str:
    """The published systems of ``docs/systems.tsv``, and what of each works."""
    with (DOCS / "systems.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    table = ["| system | task | status | missing |", "|---|---|---|---|"]
    for row in rows:
        cells = (escaped(row[key] or "") for key in ("name", "task", "status", "missing"))
        table.append(f"| {' | '.join(cells)} |")
    return "\n\n".join(
        [
            "# Published systems",
            "[Which model](../which-model.md) explains the states; "
            "[systems.tsv](../systems.tsv) also names the tests of each.",
            "\n".join(table),
        ]
    )


def gallery_page() -> str:
    """All pictures of ``docs/images`` with the text and the page that they belong to.

    Raises
    ------
    KeyError
        If no page shows a picture.
    """
    parts = ["# Gallery", "Made by `make pictures`. Choose a picture to read its page."]
    captions = picture_captions()
    for picture in sorted(p for p in (DOCS / "images").iterdir() if p.suffix in PICTURES):
        name = f"images/{picture.name}"
        caption, page = captions[picture.name]
        parts += [f"## {caption}", f"[![{caption}]({name}){{ loading=lazy }}]({page})"]
    return "\n\n".join(parts)


def notebook_page(path: Path) -> str:
    """A notebook as Markdown: its text, and its code in blocks."""
    parts = [f"Download this page as a [notebook]({path.name})."]
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        text = "".join(line for line in cell["source"] if not line.startswith("# ruff:"))
        parts.append(f"```python\n{text}\n```" if cell["cell_type"] == "code" else text)
    title, *others = parts[1:]
    return "\n\n".join([title, parts[0], *others]) + "\n"


def notebook_pages() -> dict[str, str]:
    """The notebooks of ``docs/``, by the path of their page."""
    return {
        path.relative_to(DOCS).with_suffix(".md").as_posix(): notebook_page(path)
        for path in sorted(DOCS.rglob("*.ipynb"))
    }


def picture_captions() -> dict[str, tuple[str, str]]:
    """Alternative text of each picture, and the page that shows it first, by file name."""
    captions: dict[str, tuple[str, str]] = {}
    for page in (*sorted(DOCS.glob("*.md")), ROOT / "README.md"):
        for text, name in PICTURE.findall(page.read_text("utf-8")):
            captions.setdefault(name, (" ".join(text.split()), OUTSIDE.get(page.name, page.name)))
    return captions


def separate_parameters(docstring: str) -> str:
    """A numpydoc text with an entry for each of several parameters that share one.

    The site's generator takes type and default value of the first one for all of them.
    """
    return SHARED_ENTRY.sub(
        lambda match: "".join(f"{name}\n{match[2]}" for name in match[1].split(", ")),
        f"{docstring.rstrip()}\n",
    )


def escaped(text: str) -> str:
    """Text without the characters that Markdown would take for markup."""
    return re.sub(r"([|<>\[\]*_])", r"\\\1", " ".join(text.split()))


def pages() -> dict[str, str]:
    """All generated pages, by path in the site."""
    texts = {
        "reference/commands.md": commands_page(),
        "reference/catalogue.md": catalogue_page(),
        "reference/systems.md": systems_page(),
        "gallery.md": gallery_page(),
        **python_pages(),
        **notebook_pages(),
    }
    for name, path in OUTSIDE.items():
        if path != "index.md":
            texts[path] = (ROOT / name).read_text("utf-8")
    return texts


def with_links(text: str, page: str) -> str:
    """Lead links to generated pages and out of ``docs/`` to the page or to the repository.

    Parameters
    ----------
    text
        Markdown.
    page
        Path of the page in the site.
    """
    outside = {path: name for name, path in OUTSIDE.items() if name != "README.md"}
    folder = Path(outside.get(page, f"docs/{page}")).parent.as_posix()

    def rewritten(match: re.Match[str]) -> str:
        start, target, anchor, end = match.groups()
        target = normpath(f"{folder}/{target}")
        if target in OUTSIDE:
            target = f"docs/{OUTSIDE[target]}"
        if not target.startswith("docs/"):
            return f"{start}{SOURCE_URL}{target}{anchor or ''}{end}"
        inner = relpath(target.removeprefix("docs/"), Path(page).parent.as_posix())
        return f"{start}{inner}{anchor or ''}{end}"

    up = "../" * page.count("/")
    return GENERATED.sub(rf"\1{up}\2.md\3", LINK.sub(rewritten, text))


def write(folder: Path) -> int:
    """Write the source of the site, and return the number of its pages."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DOCS, folder)
    texts = {path.relative_to(DOCS).as_posix(): path.read_text("utf-8") for path in sources()}
    texts |= pages()
    for name, text in texts.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(with_links(text, name), "utf-8")
    return len(texts)


def sources() -> list[Path]:
    """The stored pages of ``docs/``."""
    return sorted(DOCS.rglob("*.md"))


if __name__ == "__main__":
    print(write(Path(sys.argv[1])), "pages")
