"""Groups of cases are thirds by size and the values of columns."""

import pytest

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.summary import summary
from napari_medvlm.evaluation.studies.strata import groups_of, read_columns
from tests.evaluation.segment.test_evaluate import outcome

SIZES = {(f"c{n}", "a"): float(n) for n in range(1, 7)}


def sized(case, dice, size):
    came = outcome(case, 0.1, dice)
    attempts = tuple(a.model_copy(update={"truth_ml": size}) for a in came.attempts)
    return came.model_copy(update={"attempts": attempts})


def test_sizes_are_thirds_with_their_limits_in_the_name():
    groups = groups_of(SIZES, {})
    assert [group.name for group in groups] == [
        "small (1 to 2 mL)",
        "medium (3 to 4 mL)",
        "large (5 to 6 mL)",
    ]
    assert groups[0].keys == {("c1", "a"), ("c2", "a")}
    assert groups_of(dict.fromkeys(SIZES, 2.0), {}) == [], "one size has no thirds"
    assert groups_of(dict.fromkeys(SIZES), {}) == [], "older runs do not know sizes"


def test_a_column_of_a_table_groups_cases(tmp_path):
    table = tmp_path / "cases.csv"
    table.write_text("case,scanner,age\nc1,A,old\nc2,B,\nc3,A,young\nother,B,old\n")
    columns = read_columns(table)
    assert columns["age"] == {"c1": "old", "c3": "young", "other": "old"}
    groups = {(g.column, g.name): g.keys for g in groups_of(dict.fromkeys(SIZES), columns)}
    assert groups["scanner", "A"] == {("c1", "a"), ("c3", "a")}
    assert groups["scanner", "B"] == {("c2", "a")}
    assert set(groups) == {
        ("scanner", "A"), ("scanner", "B"), ("age", "old"), ("age", "young")
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "name,scanner\na,b\n", "case\na\n"])
def test_a_table_without_cases_or_columns_is_refused(tmp_path, text):
    table = tmp_path / "cases.csv"
    table.write_text(text)
    with pytest.raises(InvalidReference, match="no cases with groups"):
        read_columns(table)


def test_the_mean_of_a_group_is_the_mean_of_its_cases():
    outcomes = [sized(f"c{n}", n / 10, float(n)) for n in range(1, 7)]
    columns = {"scanner": {"c1": "A", "c2": "A", "c6": "B"}}
    strata = summary(outcomes, [], Plan(interactions=2), columns)["strata"]
    assert strata["size"]["large (5 to 6 mL)"]["dice"][-1] == pytest.approx(0.55)
    assert strata["scanner"]["A"]["dice"][-1] == pytest.approx(0.15)
    assert strata["scanner"]["B"]["cases"] == 1
