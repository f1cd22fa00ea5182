"""The documentation site is complete: navigation, links, generated pages. MkDocs is not needed."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
# Not imported: a package named scripts would hide the scripts of MONAI bundles.
SITE = runpy.run_path(str(ROOT / "scripts" / "site_pages.py"))
CHECK = runpy.run_path(str(ROOT / "scripts" / "check_site.py"))
STORED = {path.relative_to(DOCS).as_posix(): path.read_text("utf-8") for path in SITE["sources"]()}
SETTINGS = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
PUBLIC = ("napari_medvlm", "napari_medvlm.backends", "napari_medvlm.checks",
          "napari_medvlm.evaluation")  # fmt: skip


@pytest.fixture(scope="module")
def generated() -> dict[str, str]:
    return SITE["pages"]()


def pages_of(entries: Any) -> Iterator[str]:
    """The paths of a part of the navigation."""
    if isinstance(entries, str):
        yield entries
    elif isinstance(entries, dict):
        for inner in entries.values():
            yield from pages_of(inner)
    else:
        for entry in entries:
            yield from pages_of(entry)


def anchors_of(text: str) -> set[str]:
    """The ids that MkDocs gives to the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    plain = (re.sub(r"[`*\\]|\]\([^)]*\)|\[", "", title).lower() for title in titles)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", title).strip()) for title in plain}


def test_the_navigation_names_every_page_once(generated: dict[str, str]) -> None:
    named = list(pages_of(SETTINGS["nav"]))
    missing = sorted({*STORED, *generated} - set(named))
    assert not missing, f"add these pages to nav of mkdocs.yml: {missing}"
    assert not set(named) - {*STORED, *generated}, "nav names pages that do not exist"
    assert len(named) == len(set(named))


def test_every_link_leads_to_a_page_and_a_heading(generated: dict[str, str]) -> None:
    texts = {**STORED, **generated}
    broken = []
    for page, text in texts.items():
        folder = (DOCS / page).parent
        plain = re.sub(r"```.*?```", "", SITE["with_links"](text, page), flags=re.DOTALL)
        for target, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)#?([^)\s]*)\)", plain):
            path = (folder / target).resolve() if target else DOCS / page
            name = path.relative_to(DOCS).as_posix()
            if not (name in texts or path.is_file()):
                broken.append(f"{page}: {target}")
            elif anchor and anchor not in anchors_of(texts[name]):
                broken.append(f"{page}: {target}#{anchor}")
    assert not broken


def test_links_to_the_repository_lead_to_its_files(generated: dict[str, str]) -> None:
    start = SITE["SOURCE_URL"]
    texts = {**STORED, **generated, "README.md": (ROOT / "README.md").read_text("utf-8")}
    for page, text in texts.items():
        linked = SITE["with_links"](text, page) if page != "README.md" else text
        for target in re.findall(rf"\]\({re.escape(start)}([^)#\s]+)", linked):
            assert (ROOT / target).exists(), f"{page}: {target}"


@pytest.mark.parametrize("package", PUBLIC)
def test_the_python_reference_has_every_public_name(
    package: str, generated: dict[str, str]
) -> None:
    entries = [
        line.removeprefix("::: ")
        for page, text in generated.items()
        if page.startswith("reference/python/")
        for line in text.splitlines()
        if line.startswith("::: ")
    ]
    for name in import_module(package).__all__:
        assert entries.count(f"{package}.{name}") == 1, name


def test_the_reference_of_commands_has_every_option_of_segment(generated: dict[str, str]) -> None:
    page = generated["reference/commands.md"]
    section = page.split("## napari-medvlm segment\n")[1].split("\n## ")[0]
    for option in ("--point", "--negative", "--box", "--out", "--backend", "--device", "--json"):
        assert f"`{option}" in section
    assert "[default: cpu]" in section.replace("\\", "")
    assert "## napari-medvlm evaluate segment" in page


def test_the_catalogue_links_every_model_to_its_source(generated: dict[str, str]) -> None:
    from napari_medvlm.backends.models.published import known

    for model in known():
        address = model.source if "//" in model.source else f"huggingface.co/{model.source}"
        assert f"{address})" in generated["reference/catalogue.md"]


def test_the_gallery_shows_every_picture(generated: dict[str, str]) -> None:
    for picture in (DOCS / "images").glob("*.png"):
        assert f"(images/{picture.name})" in generated["gallery.md"]


def test_blocks_in_lists_have_the_indent_that_markdown_needs(generated: dict[str, str]) -> None:
    """A block of fewer than four blanks ends its list, and the next item is number 1 again."""
    wrong = []
    for page, text in {**STORED, **generated}.items():
        outside = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
        wrong += [f"{page}: {block}" for block in re.findall(r"\n\n {1,3}(\S.*)", outside)]
    assert not wrong


def test_each_parameter_of_a_shared_entry_has_an_entry_in_the_reference() -> None:
    text = "Act.\n\nParameters\n----------\na, *b\n    Both,\n\n    twice.\nc\n    It.\n"
    entry = "    Both,\n\n    twice.\n"
    start = "Act.\n\nParameters\n----------\n"
    assert SITE["separate_parameters"](text) == f"{start}a\n{entry}*b\n{entry}c\n    It.\n"
    assert SITE["separate_parameters"]("Words, words\n\nMore.") == "Words, words\n\nMore.\n"


def test_every_picture_is_made_by_a_program() -> None:
    programs = [*(ROOT / "examples").glob("*.py"), ROOT / "benchmarks" / "lesion_pictures.py"]
    sources = "".join(path.read_text("utf-8") for path in programs)
    for picture in (p.stem for p in (DOCS / "images").iterdir() if p.stem != "axial"):
        several = picture.split("-")[0] + "-{"  # a name for each plane, model or case
        assert f'"{picture}' in sources or several in sources, picture


def test_the_readme_installs_before_it_builds() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert readme.index("pip install") < readme.index("make demo")


def test_the_page_of_file_formats_names_every_ending() -> None:
    from napari_medvlm.io.medical_images import MEDICAL
    from napari_medvlm.io.raster_images import PICTURES, TIFFS

    page = STORED["file-formats.md"]
    assert not [ending for ending in (*MEDICAL, *PICTURES, *TIFFS) if f"`{ending}`" not in page]


@pytest.mark.parametrize(
    ("link", "page", "there"),
    [
        ("../CONTEXT.md", "architecture.md", "glossary.md"),
        ("../CONTEXT.md#grid", "architecture.md", "glossary.md#grid"),
        ("../../CONTEXT.md", "adr/0007-folders-are-layers.md", "../glossary.md"),
        ("docs/models.md#a", "contributing.md", "models.md#a"),
        ("LICENSE", "contributing.md",
         "https://github.com/napari-medvlm/napari-medvlm/blob/main/LICENSE"),
        ("../napari_medvlm/napari.yaml", "tools.md",
         "https://github.com/napari-medvlm/napari-medvlm/blob/main/napari_medvlm/napari.yaml"),
        ("https://napari-medvlm.github.io/napari-medvlm/reference/commands/#a", "index.md",
         "reference/commands.md#a"),
        ("https://napari-medvlm.github.io/napari-medvlm/gallery/", "adr/a.md", "../gallery.md"),
        ("images/axial.png", "segment.md", "images/axial.png"),
        ("https://napari.org", "segment.md", "https://napari.org"),
    ],
)  # fmt: skip
def test_a_link_that_leaves_the_pages_leads_to_a_page_or_the_repository(
    link: str, page: str, there: str
) -> None:
    assert SITE["with_links"](f"[text]({link})", page) == f"[text]({there})"


def test_the_check_of_a_built_site_names_broken_links_only(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "index.html").write_text(
        '<h1 id="a">A</h1><a href="#a"></a><a href="#b"></a><a href="inner/#c"></a>'
        '<a href="inner/#d"></a><img src="no.png"><a href="https://napari.org"></a>'
    )
    (tmp_path / "inner" / "index.html").write_text('<p id="c"></p><a href="../index.html#a"></a>')
    broken, pages, inner, outer = CHECK["broken_links"](tmp_path)
    assert broken == ["index.html: #b", "index.html: inner/#d", "index.html: no.png"]
    assert (pages, inner, outer) == (2, 6, 1)


def test_links_and_pictures_of_the_readme_work_on_other_sites() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    pictures = "https://raw.githubusercontent.com/napari-medvlm/napari-medvlm/main/"
    targets = re.findall(r"(!?)\[[^\]]*\]\(([^)\s]+)\)", text)
    assert len(targets) > 20
    for picture, target in targets:
        assert target.startswith("https://"), target
        if picture:
            assert target.startswith(pictures), target
            assert (ROOT / target.removeprefix(pictures)).is_file(), target
        name, _, anchor = target.removeprefix(SITE["SOURCE_URL"]).partition("#")
        if anchor and name.startswith("docs/"):
            assert anchor in anchors_of((ROOT / name).read_text("utf-8")), target


def test_pages_name_docks_as_the_menu_does() -> None:
    manifest = yaml.safe_load((ROOT / "napari_medvlm" / "napari.yaml").read_text("utf-8"))
    plugin = manifest["display_name"]
    docks = [widget["display_name"] for widget in manifest["contributions"]["widgets"]]
    entries = {f"Plugins > {plugin} > {dock} ({plugin})" for dock in docks}
    for page, text in {**STORED, "README.md": (ROOT / "README.md").read_text("utf-8")}.items():
        for entry in re.findall(r"\*(Plugins\s[^*]+)\*", text):
            assert " ".join(entry.split()) in entries, f"{page}: {entry}"


def test_the_glossary_defines_a_word_once():
    words = re.findall(r"^\*\*([^*]+)\*\*", (ROOT / "CONTEXT.md").read_text("utf-8"), re.MULTILINE)
    entries = [word.casefold() for entry in words for word in entry.split(", ")]
    assert "case" in entries
    assert len(entries) == len(set(entries))
