"""Parts of the Evaluate dock alone."""

import pytest

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.evaluation.segment.outcomes import Step
from napari_medvlm.widgets.evaluate.curve import Curve
from napari_medvlm.widgets.evaluate.steps import StepTable
from napari_medvlm.widgets.parts.job_bar import TimeLeft
from napari_medvlm.widgets.parts.path_edit import PathEdit


def step(dice, **more):
    figures = {"iou": 0.5, "nsd": 0.7, "hd95_mm": 2.0, "seconds": 0.25, "zyx": (1, 2, 3)}
    return Step(prompt="point", positive=True, dice=dice, **(figures | more))


@pytest.mark.parametrize(
    ("took_s", "left"), [(2, "6 s left"), (60, "3 min left"), (3600, "3.0 h left")]
)
def test_the_time_left_follows_from_what_was_done(took_s, left):
    now = [100.0]
    clock = TimeLeft(lambda: now[0])
    assert clock.words(0.2) == ""  # what was done before says nothing
    now[0] += took_s
    assert clock.words(0.4) == left
    now[0] += took_s / 1000
    assert clock.words(0.4)  # it counts down between two reports


def test_the_curve_shows_all_steps_and_states_which_was_clicked(qtbot):
    curve = Curve()
    qtbot.addWidget(curve)
    assert not curve.isVisible()
    curve.show_steps([step(0.55), step(0.9)], 5, 1)
    assert curve.points == {"Dice": [0.55, 0.9], "NSD": [0.7, 0.7]}
    assert curve._axes.get_ylim()[0] == pytest.approx(0.5)
    low, high = curve._axes.get_xlim()
    assert low < 1
    assert high > 5
    event = type("Event", (), {"xdata": 4.2})
    with qtbot.waitSignal(curve.chosen) as reported:
        curve._on_click(event)
    assert reported.args == [2]  # the last that is there


def test_the_table_of_steps_lists_problems(qtbot):
    table = StepTable()
    qtbot.addWidget(table)
    steps = [
        step(0.5),
        step(0.5, problem="Out of memory.", hd95_mm=None),
        step(1.0).model_copy(update={"prompt": "", "seconds": None, "zyx": None}),
    ]
    table.show_steps(steps, 2)
    rows = [[table.topLevelItem(r).text(c) for c in range(7)] for r in range(3)]
    assert rows[0] == ["1", "+ point", "0.500", "0.500", "0.700", "2.0", "0.25"]
    assert rows[1][1] == "+ point: no new mask"
    assert table.topLevelItem(1).toolTip(1) == "Out of memory."
    assert rows[2][1] == "none needed"
    with qtbot.waitSignal(table.chosen) as reported:
        table.setCurrentItem(table.topLevelItem(0))
    assert reported.args == [1]


def test_a_missing_path_is_asked_for(qtbot, tmp_path):
    edit = PathEdit("Folder of the run.")
    qtbot.addWidget(edit)
    with pytest.raises(InvalidReference, match="not set"):
        edit.required()
    with qtbot.waitSignal(edit.changed):
        edit.set_path(tmp_path)
    assert edit.required() == tmp_path
