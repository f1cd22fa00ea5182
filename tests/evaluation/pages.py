"""Reports of runs that are not computed, to look at as pages."""

from datetime import date

import numpy as np

from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.evaluation.ask import report as ask_report
from napari_medvlm.evaluation.ask import summary as ask_summary
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.outcomes import Outcome as Answered
from napari_medvlm.evaluation.ask.plan import Plan as AskPlan
from napari_medvlm.evaluation.ground import report as ground_report
from napari_medvlm.evaluation.ground import summary as ground_summary
from napari_medvlm.evaluation.ground.cases import Case as GroundCase
from napari_medvlm.evaluation.ground.outcomes import Outcome as Grounded
from napari_medvlm.evaluation.ground.outcomes import PhraseResult, ScoredBox
from napari_medvlm.evaluation.ground.plan import Plan as GroundPlan
from napari_medvlm.evaluation.runs.run_folder import RunFolder
from napari_medvlm.evaluation.segment import report as segment_report
from napari_medvlm.evaluation.segment import summary as segment_summary
from napari_medvlm.evaluation.segment.cases import Layout
from napari_medvlm.evaluation.segment.datasets import find_cases
from napari_medvlm.evaluation.segment.outcomes import Attempt, Outcome, Step
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.studies.compare import compare
from napari_medvlm.evaluation.studies.compare_report import write_comparison
from tests.evaluation.segment import data_sets
from tests.evaluation.text_runs import picture

STEPS = 2
PHRASES = ("left kidney", "spleen", "a nodule in the upper lobe")
BOX = ScoredBox(low=(0, 10, 10), high=(1, 20, 20))


def settings(plan):
    made = {"version": "1.0", "date": date(2026, 1, 2).isoformat(), "labels": ["a", "b"]}
    return {"plan": plan.model_dump(mode="json"), "data": {"images": "images"}, "provenance": made}


def step(dice):
    return Step(prompt="point", positive=True, zyx=(1, 2, 3), dice=dice, iou=dice / (2 - dice),
                nsd=dice, hd95_mm=10 * (1 - dice), seconds=0.25)  # fmt: skip


def attempt(rng, final):
    dices = np.sort(rng.uniform(0, final, STEPS - 1)).tolist()
    return Attempt(structure="label 1", steps=tuple(map(step, (*dices, final))), memory_mib=100,
                   mask=None, truth_ml=float(rng.uniform(1, 90)))  # fmt: skip


def segment_page(out, data, cases):
    """A report of a run of that many cases; the worst four have images."""
    rng, plan = np.random.default_rng(0), Plan(interactions=STEPS)
    outcomes = [
        Outcome(case=f"case_{n:02d}", attempts=(attempt(rng, 0.1 + 0.8 * n / cases),))
        for n in range(cases)
    ]
    images, labels = data_sets.write_pairs(data, 4)
    pairs = find_cases(Layout.PAIRS, images, labels).cases
    sources = [*pairs, *(pairs[0].model_copy(update={"name": o.case}) for o in outcomes[4:])]
    for outcome in outcomes:  # of real length, as there is a link to each
        path = segment_report.session_path(out, outcome.case, "label 1")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    reported = segment_summary.summary(outcomes, (), plan)
    return segment_report.write_report(
        out, reported, settings(plan), list(zip(sources, outcomes, strict=True))
    )


def phrase_result(rng, phrase, is_there):
    score = float(rng.uniform(0.1, 1))
    hit = float(rng.uniform()) < score
    iou = float(rng.uniform(0.5, 1) if hit else rng.uniform(0, 0.5)) if is_there else 0.0
    return PhraseResult(
        phrase=phrase, label=phrase, iou=iou, pointed=hit if is_there else None,
        wanted=(BOX,) if is_there else (), predicted=(BOX.model_copy(update={"score": score}),),
        overlaps=((iou,),) if is_there else ((),), compared="box" if is_there else "",
    )  # fmt: skip


def ground_page(out, images):
    """A report of a run of grounding of 12 images, three phrases for each."""
    rng, plan = np.random.default_rng(1), GroundPlan()
    outcomes, cases = [], []
    for n in range(12):
        path = picture(images / f"{n}.png", [(200, 10, 10, 20, 20)])
        results = tuple(phrase_result(rng, phrase, n % 4 > 0) for phrase in PHRASES)
        outcomes.append(Grounded(case=f"{n}", results=results, seconds=0.1))
        cases.append(GroundCase(name=f"{n}", images=(path,)))
    reported = ground_summary.summary(outcomes, (), plan)
    return ground_report.write_report(
        out, reported, settings(plan), list(zip(cases, outcomes, strict=True))
    )


def ask_items(images):
    """12 questions with yes or no and 6 open ones, with how sure the answers are."""
    rng = np.random.default_rng(2)
    for n in range(18):
        path = picture(images / f"{n}.png", [(200, 10, 10, 20, 20)])
        is_open = n >= 12
        kind = AnswerKind.OPEN if is_open else AnswerKind.YES_NO
        item = Item(name=f"q{n}", images=(path,), question="Is there <i>air</i> & fluid?",
                    answer="yes", kind=kind)  # fmt: skip
        confidence = float(rng.uniform(0.5, 1))
        right = float(rng.uniform()) < confidence
        more = {"exact": right, "f1": float(right), "recall": float(right), "rouge1": float(right),
                "rouge_l": float(right)} if is_open else {}  # fmt: skip
        yield item, Answered(case=f"q{n}", text="Yes." if right else "No.", correct=right,
                             confidence=confidence, seconds=1.0, **more)  # fmt: skip


def ask_page(out, images):
    """A report of a run of questions."""
    plan, scored = AskPlan(), list(ask_items(images))
    reported = ask_summary.summary(scored, (), plan)
    return ask_report.write_report(out, reported, settings(plan), scored)


def compare_page(root):
    """A comparison of two runs that differ in their seeds; the difference of means rounds to 0."""
    for name, seed, sign in (("a", 42, 1), ("b", 7, -1)):
        plan = Plan(interactions=2, seed=seed).model_dump(mode="json")
        folder = RunFolder(root / name, {"task": "segment", "plan": plan})
        for n in range(10):
            dice = 0.5 + 0.04 * n + 0.0001 * sign
            done = Attempt(structure="a", steps=(step(0.1), step(dice)), memory_mib=1, mask=None)
            outcome = Outcome(case=f"case {n}", attempts=(done,))
            folder.keep(outcome.model_dump(mode="json") | {"source": {}})
    found = compare(root / "a", root / "b")
    return write_comparison(root / "out", found, root / "a", root / "b")
