"""``tests/newcomer_findings.tsv``: findings of first visits, each with its state and its tests."""

from __future__ import annotations

import csv

from tests.test_field_cases import ROOT, names_in

STATES = ("good", "fair", "bad", "open")
LEAST_GOOD = 96
"""Findings that are good; the number may only rise."""


def findings():
    with (ROOT / "tests" / "newcomer_findings.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_good_findings_name_existing_tests_and_open_ones_state_what_is_missing():
    wrong = []
    for finding in findings():
        entries = [entry for entry in finding["tests"].split("; ") if entry]
        if not (entries if finding["now"] == "good" else finding["missing"]):
            wrong.append(finding["id"])
        for entry in entries:
            path, _, name = entry.partition("::")
            if not (ROOT / path).exists() or name not in names_in(path):
                wrong.append(entry)
    assert not wrong


def test_states_are_known_and_no_fewer_findings_are_good_than_before():
    table = findings()
    assert len({finding["id"] for finding in table}) == len(table)
    assert {state for finding in table for state in (finding["then"], finding["now"])} <= {*STATES}
    assert sum(finding["now"] == "good" for finding in table) >= LEAST_GOOD
