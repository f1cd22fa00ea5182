"""``docs/systems.tsv``: the state of all published systems, each *works* with tests that exist."""

from __future__ import annotations

import ast
import csv
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from napari_medvlm.backends.models import catalog
from napari_medvlm.backends.models.published import FREE_WORDS, in_words, known

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = ["id", "name", "tier", "task", "status", "evidence", "missing"]
STATUSES = {"works", "seam", "part", "gap"}
LEAST_WORKS = {"M": 21, "S": 21, "P": 10}
"""Systems that work by tier; a number may only rise."""


def systems():
    with (ROOT / "docs" / "systems.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@cache
def names_in(path):
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def evidence_of(system):
    return [entry.strip() for entry in system["evidence"].split(";") if entry.strip()]


def test_all_128_systems_have_a_status_and_a_tier():
    table = systems()
    assert list(table[0]) == COLUMNS
    assert [system["id"] for system in table] == [f"A{number}" for number in range(1, 129)]
    assert {system["status"] for system in table} == STATUSES
    assert Counter(system["tier"] for system in table) == {"M": 26, "S": 59, "P": 43}


@pytest.mark.parametrize("system", systems(), ids=lambda system: system["id"])
def test_the_tests_that_show_a_system_exist(system):
    entries = evidence_of(system)
    assert entries or system["status"] != "works"
    for entry in entries:
        path, _, name = entry.partition("::")
        assert (ROOT / path).exists(), path
        assert not name or name in names_in(path), entry


def test_what_does_not_work_states_what_is_missing():
    assert not [s["id"] for s in systems() if s["status"] != "works" and not s["missing"]]


@pytest.mark.parametrize("tier", LEAST_WORKS)
def test_no_fewer_systems_of_a_tier_work_than_before(tier):
    works = [s["id"] for s in systems() if s["tier"] == tier and s["status"] == "works"]
    assert len(works) >= LEAST_WORKS[tier]


def test_the_documentation_gives_the_counts_of_the_table():
    table = systems()
    page = (ROOT / "docs" / "which-model.md").read_text("utf-8")
    for tier in LEAST_WORKS:
        own = Counter(s["status"] for s in table if s["tier"] == tier)
        row = " | ".join(str(own[status]) for status in ("works", "seam", "part", "gap"))
        assert f"| {tier} | {row} |" in page


def test_the_documentation_counts_the_systems_that_work_by_capability_alone():
    page = (ROOT / "docs" / "which-model.md").read_text("utf-8").replace("\n", " ")
    counts = Counter(
        s["tier"]
        for s in systems()
        if s["status"] == "works"
        and ("no weights are published" in s["missing"] or s["missing"].startswith("capability"))
    )
    counted = ", ".join(f"{counts[tier]} of tier {tier}" for tier in LEAST_WORKS)
    assert counted in page


SEGMENT, BY_NAME = "Segment by clicks, boxes and strokes", "Segment by name or phrase"
FIND, ASK, LABEL = "Find phrases and findings", "Ask questions and write reports", "Label images"
TASKS = {
    "click-network": {SEGMENT}, "nninteractive": {SEGMENT}, "sam": {SEGMENT}, "sam2": {SEGMENT},
    "sammed3d": {SEGMENT}, "vista3d": {SEGMENT, BY_NAME}, "voxtell": {BY_NAME}, "sam3": {BY_NAME},
    "network": {BY_NAME}, "detector": {FIND}, "florence": {FIND}, "similarity": {LABEL},
}  # fmt: skip
"""The tables of the page that a backend's models are in; those of `vlm` by what they are asked."""


def rows_by_table():
    """The rows of *Which models can I use?*: the names and the licences, by the headings."""
    page = (ROOT / "docs" / "which-model.md").read_text("utf-8")
    for section in page.split("\n## ")[1:]:
        lines = [line for line in section.splitlines() if line.startswith("| ")]
        yield section.splitlines()[0], [line.strip("| ").split(" | ")[:2] for line in lines[1:]]


def tables_of(about):
    if about.backend != "vlm":
        return TASKS[about.backend]
    row = next(row for row in catalog.rows() if row.title == about.title)
    return {table for table, asked in ((FIND, row.prompt), (ASK, row.answers)) if asked}


@pytest.mark.parametrize("about", known(), ids=lambda about: f"{about.title} {about.backend}")
def test_the_page_has_each_known_model_under_its_tasks_with_its_licence(about):
    name = re.split(r", | \(", about.title)[0]
    words, licence = in_words(about.weights_licence), re.split("[ ,;]", about.weights_licence)[0]
    rows = dict(rows_by_table())
    for table in tables_of(about):
        named = [
            own for names, own in rows[table] if re.search(rf"(?<![\w-]){name}(?![\w-])", names)
        ]
        assert named, table
        stated = re.split(", | or ", named[0])
        if stated != ["as above"]:
            assert words in map(in_words, stated)
            assert words != FREE_WORDS or licence in stated
