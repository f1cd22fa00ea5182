"""Paired differences of two runs, and how sure they are."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_medvlm.cli import app
from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.outcomes import Outcome as Answered
from napari_medvlm.evaluation.ask.plan import Plan as Asking
from napari_medvlm.evaluation.ask.summary import summary
from napari_medvlm.evaluation.ground.outcomes import Outcome as Grounded
from napari_medvlm.evaluation.ground.outcomes import PhraseResult, ScoredBox
from napari_medvlm.evaluation.ground.plan import Plan as Grounding
from napari_medvlm.evaluation.metrics.confidence_intervals import (
    difference_interval,
    grouped_mean,
    interval,
)
from napari_medvlm.evaluation.metrics.paired_tests import holm, rank_biserial, wilcoxon_p
from napari_medvlm.evaluation.runs.run_folder import RunFolder
from napari_medvlm.evaluation.runs.runner import write_outcome
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.studies.compare import compare
from napari_medvlm.evaluation.studies.strata import store_columns
from tests.evaluation.segment.test_evaluate import outcome

run = CliRunner().invoke


def write_run(path, dice, **plan):
    """A run of two interactions over cases of those final Dice."""
    settings = Plan(interactions=2, **plan).model_dump(mode="json")
    folder = RunFolder(path, {"task": "segment", "plan": settings})
    for case, final in dice.items():
        folder.keep(outcome(case, 0.1, final).model_dump(mode="json") | {"source": {}})
    return path


@pytest.fixture
def runs(tmp_path):
    rng = np.random.default_rng(0)
    first = {f"case {k}": 0.5 + 0.3 * rng.random() for k in range(20)}
    second = {case: dice + rng.normal(0.05, 0.02) for case, dice in first.items()}
    second["only here"] = 0.5
    return write_run(tmp_path / "a", first), write_run(tmp_path / "b", second, backend="vlm")


def test_a_difference_that_is_there_is_found_by_pairing(runs):
    found = compare(*runs)
    assert found["pairs"] == 20
    assert found["unpaired"] == ["only here: a"]
    dice = found["metrics"]["dice"]
    assert dice["cases"] == 20
    assert dice["difference"] == pytest.approx(dice["b"] - dice["a"])
    assert 0 < dice["low"] < dice["difference"] < dice["high"] < 0.1
    assert compare(*runs) == found, "the same data give the same interval"
    back = compare(runs[1], runs[0])["metrics"]["dice"]
    assert back["difference"] == pytest.approx(-dice["difference"])
    same = compare(runs[0], runs[0])["metrics"]["dice"]
    assert (same["low"], same["difference"], same["high"]) == (0, 0, 0)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    held = 0
    for k in range(60):
        low, high = interval(rng.normal(0.3, 1, 30), k)
        held += low <= 0.3 <= high
    assert 50 <= held <= 60


def test_runs_of_answers_are_compared(tmp_path):
    for name, right in (("a", (False, False, True, True)), ("b", (True, False, True, True))):
        plan = Asking(backend=name).model_dump(mode="json")
        folder = RunFolder(tmp_path / name, {"task": "ask", "plan": plan})
        for number, correct in enumerate(right):
            came = Answered(case=f"q{number}", correct=correct, f1=None, seconds=1.0)
            folder.keep(came.model_dump(mode="json"))
    found = compare(tmp_path / "a", tmp_path / "b")
    accuracy = found["metrics"]["accuracy"]
    assert (found["pairs"], accuracy["a"], accuracy["b"]) == (4, 0.5, 0.75)
    assert accuracy["low"] <= 0.25 <= accuracy["high"]
    assert found["metrics"]["f1"]["cases"] == 0


def write_answers(path, outcomes):
    """A run of (images, outcome) pairs, and its summary."""
    plan = Asking(backend=path.name)
    folder = RunFolder(path, {"task": "ask", "plan": plan.model_dump(mode="json")})
    scored_items = []
    for image, came in outcomes:
        kind = AnswerKind.YES_NO if came.exact is None else AnswerKind.OPEN
        item = Item(name=came.case, images=(image,), question="Q?", answer="yes", kind=kind)
        write_outcome(folder, item.model_dump(mode="json"), came)
        scored_items.append((item, came))
    return summary(scored_items, (), plan)


def answered(count, right, open_count):
    """Closed questions, the first of them right, and open ones with another text: 4 an image."""
    closed = [Answered(case=f"c{n}", correct=n < right) for n in range(count)]
    free = [
        Answered(case=f"o{n}", correct=False, exact=False, f1=0.5, rouge1=0.5, rouge_l=0.5)
        for n in range(open_count)
    ]
    return [(Path(f"{n // 4}.png"), outcome) for n, outcome in enumerate((*closed, *free))]


def test_the_accuracy_and_its_images_are_those_of_the_report(tmp_path):
    reports = [
        write_answers(tmp_path / name, answered(12, right, 5))["mean"]
        for name, right in (("a", 8), ("b", 12))
    ]
    metrics = compare(tmp_path / "a", tmp_path / "b")["metrics"]
    accuracy = metrics["accuracy"]
    assert reports[0]["accuracy"] == pytest.approx(8 / 12)
    assert (accuracy["a"], accuracy["b"]) == tuple(report["accuracy"] for report in reports)
    assert (accuracy["cases"], metrics["refused"]["cases"]) == (3, 5), "images, not questions"
    assert (metrics["f1"]["a"], metrics["f1"]["cases"]) == (0.5, 2)


def test_an_interval_of_answers_resamples_images_as_the_report_does(tmp_path):
    none = [(Path(f"{n // 4}.png"), Answered(case=f"c{n}", correct=False)) for n in range(24)]
    some = [
        (image, Answered(case=o.case, correct=n // 4 in (0, 1, 4)))
        for n, (image, o) in enumerate(none)
    ]
    write_answers(tmp_path / "none", none)
    report = write_answers(tmp_path / "some", some)["mean"]
    accuracy = compare(tmp_path / "none", tmp_path / "some")["metrics"]["accuracy"]
    expected = pytest.approx(report["intervals"]["accuracy"])
    assert [accuracy["low"], accuracy["high"]] == expected


def test_means_over_structures_are_those_of_the_report():
    first = [("1", "liver", 0.9), ("2", "liver", 0.8), ("1", "spleen", 0.2)]
    assert grouped_mean(first) == pytest.approx((0.85 + 0.2) / 2)
    second = [(case, group, value + 0.1) for case, group, value in first]
    assert difference_interval(first, second) == pytest.approx((0.1, 0.1))


def test_runs_of_grounding_are_compared(tmp_path, runs):
    place = ScoredBox(low=(0, 0, 0), high=(1, 4, 4))
    for name, iou in (("g", 0.4), ("h", 0.6)):
        plan = Grounding(backend=name).model_dump(mode="json")
        folder = RunFolder(tmp_path / name, {"task": "ground", "plan": plan})
        sought = PhraseResult(phrase="it", label="it", iou=iou, pointed=True, wanted=(place,),
                        predicted=(place,), overlaps=((iou,),))  # fmt: skip
        folder.keep(Grounded(case="one", results=(sought,)).model_dump(mode="json"))
    found = compare(tmp_path / "g", tmp_path / "h")["metrics"]
    assert found["iou"]["difference"] == pytest.approx(0.2)
    assert found["acc50"]["difference"] == 1
    done = run(app, ["evaluate", "compare", str(tmp_path / "g"), str(runs[0])])
    assert "task ground, segment" in " ".join(done.output.split())


def test_one_case_has_no_interval(tmp_path):
    a, b = (write_run(tmp_path / n, {"x": d}) for n, d in (("a", 0.5), ("b", 0.7)))
    dice = compare(a, b)["metrics"]["dice"]
    assert (dice["low"], dice["high"]) == (None, None)
    assert dice["difference"] == pytest.approx(0.2)
    assert "one case" in run(app, ["evaluate", "compare", str(a), str(b)]).stdout


def test_the_command_states_the_differences(runs):
    done = run(app, ["evaluate", "compare", *map(str, runs)])
    assert done.exit_code == 0, done.output
    assert "20 pairs" in done.stdout
    assert "only in one run: only here: a" in done.stdout
    reported = json.loads(run(app, ["evaluate", "compare", *map(str, runs), "--json"]).stdout)
    assert reported == compare(*runs)


def test_settings_that_differ_are_stated_and_what_depends_on_them_is_left_out(tmp_path, runs):
    other = write_run(tmp_path / "c", {"case 1": 0.5, "case 2": 0.6}, tolerance_mm=5.0, seed=1)
    comparison = compare(runs[0], other)
    assert comparison["settings"] == {"tolerance_mm": [2.0, 5.0], "seed": [42, 1]}
    assert comparison["omitted"] == ["nsd", "nsd_auc"]
    assert "dice" in comparison["metrics"]
    assert "nsd" not in comparison["metrics"]
    printed = run(app, ["evaluate", "compare", str(runs[0]), str(other)]).stdout
    assert "setting tolerance_mm: 2.0 -> 5.0" in printed
    assert "not comparable under these settings: nsd, nsd_auc" in printed


def test_p_values_are_adjusted_for_the_number_of_metrics(runs):
    comparison = compare(*runs)
    dice = comparison["metrics"]["dice"]
    assert 0 < dice["p"] <= dice["p_holm"] <= 1
    assert dice["effect"] > 0.9
    assert comparison["structures"]["a"]["dice"]["p"] == dice["p"]
    assert comparison["metrics"]["seconds"]["p_holm"] is None


def test_holm_is_worked_by_arithmetic():
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": None})
    assert adjusted == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": None})


def test_signed_ranks_are_summed_by_arithmetic():
    differences = np.array([1.0, 2.0, -3.0, 4.0, 0.0])
    assert rank_biserial(differences) == pytest.approx((1 + 2 - 3 + 4) / 10)
    all_up = np.arange(1.0, 7.0)
    assert wilcoxon_p(all_up) == pytest.approx(2 / 2**6), "exact, two-sided"
    assert wilcoxon_p(np.zeros(5)) is None


def test_runs_that_mean_other_things_are_refused(tmp_path, runs):
    for given, message in (
        ((runs[0], tmp_path), "holds no run"),
        ((runs[0], write_run(tmp_path / "d", {"x": 0.5})), "no case in common"),
    ):
        done = run(app, ["evaluate", "compare", *map(str, given)])
        assert done.exit_code == 1
        assert message in " ".join(done.output.split())


def test_studies_of_several_seeds_are_compared_by_the_means_of_each_case(tmp_path):
    for kind, rise in (("a", 0.0), ("b", 0.1)):
        for seed in (1, 2, 10):
            dice = {f"case {n}": 0.3 + 0.02 * n + 0.01 * seed + rise for n in range(4)}
            write_run(tmp_path / kind / f"seed-{seed}", dice, seed=seed, jitter_mm=10 * rise)
            store_columns(
                tmp_path / kind / f"seed-{seed}", {"site": {"case 0": "A", "case 3": "B"}}
            )
    comparison = compare(tmp_path / "a", tmp_path / "b")
    dice = comparison["metrics"]["dice"]
    seeds = (0.01 + 0.02 + 0.10) / 3
    assert dice["a"] == pytest.approx(0.3 + 0.02 * 1.5 + seeds)
    assert dice["difference"] == pytest.approx(0.1)
    assert (comparison["pairs"], dice["cases"]) == (4, 4), "seeds are no cases"
    assert comparison["settings"] == {"jitter_mm": [0.0, 1.0]}
    means = {site: metrics["dice"] for site, metrics in comparison["strata"]["site"].items()}
    assert (means["A"]["a"], means["B"]["a"]) == pytest.approx((0.3 + seeds, 0.36 + seeds))
