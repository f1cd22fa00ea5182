"""``tests/field_cases.tsv``: cases of use and of attack, each with the tests that show it."""

from __future__ import annotations

import ast
import csv
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEAST_SHOWN = {"window": 74, "security": 34}
"""Cases with tests by kind; a number may only rise."""


def cases(name="field_cases.tsv"):
    with (ROOT / "tests" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@cache
def names_in(path):
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_the_tests_of_each_case_exist_or_it_is_stated_what_is_missing():
    wrong = []
    for case in cases():
        entries = [entry.strip() for entry in case["tests"].split(";") if entry.strip()]
        if not entries and not case["missing"]:
            wrong.append(case["id"])
        for entry in entries:
            path, _, name = entry.partition("::")
            if not (ROOT / path).exists() or name not in names_in(path):
                wrong.append(entry)
    assert not wrong


def test_no_fewer_cases_have_tests_than_before():
    table = cases()
    assert len({case["id"] for case in table}) == len(table)
    for kind, least in LEAST_SHOWN.items():
        assert sum(case["id"].startswith(kind) and bool(case["tests"]) for case in table) >= least


def test_each_kind_of_case_has_tests_that_exist():
    kinds = cases("field_kinds.tsv")
    assert [kind["kind"] for kind in kinds] == [str(number) for number in range(1, 13)]
    for kind in kinds:
        entries = [entry.strip().partition("::") for entry in kind["tests"].split(";")]
        assert all(name in names_in(path) for path, _, name in entries), kind["title"]
