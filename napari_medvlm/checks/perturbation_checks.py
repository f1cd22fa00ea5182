"""Checks that repeat the request with a changed question or image."""

from __future__ import annotations

from typing import Any

from napari_medvlm.checks.answer_similarity import (
    SAME_LOCATION,
    CheckedAnswer,
    clusters,
    entropy,
    moved,
    region_overlap,
    same_answer,
)
from napari_medvlm.checks.base import Ask, Check
from napari_medvlm.checks.image_swap import other_image, slices_far_away
from napari_medvlm.checks.subject import AGREED, Sent, Subject
from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.data.errors import Cancelled, MedVLMError
from napari_medvlm.data.volume import Volume


class NegationCheck(Check):
    """Whether the model contradicts itself."""

    name = "negation twin"
    description = "Asks the opposite, and asks for something that this modality cannot show."
    needs_model = True

    def cost(self, subject: Subject) -> int:
        """One for each paired question."""
        return len(subject.paired_requests())

    def run(self, subject: Subject, ask: Ask) -> CheckResult:
        """Compare with the expected answer of each paired question."""
        pairs = subject.paired_requests()
        if not pairs:
            return self.not_applicable("The answer does not state whether a finding is present.")
        rows, against, unread = [], [], 0
        for pair in pairs:
            answer = ask(pair.request)
            rows.append({"asked": pair.asked, "answer": answer.short, "expected": pair.expected})
            unread += not answer.group
            if answer.group and answer.group != pair.expected:
                against.append(f"“{pair.asked}” was answered {answer.short}. {pair.message}")
        if against:
            return self.flagged("It contradicts itself. " + " ".join(against), pairs=rows)
        if unread == len(pairs):
            return self.not_applicable(
                "The answers to the paired questions could not be parsed.", pairs=rows
            )
        return self.passed("Answers to the paired questions are consistent.", pairs=rows)


class Resampling(Check):
    """Whether repeated answers agree.

    Parameters
    ----------
    count
        Number of requests: the first unchanged, the others paraphrased.
    """

    name = "resampling"
    description = "Repeats the question, unchanged and paraphrased."
    needs_model = True

    def __init__(self, count: int = 4) -> None:
        self.count = count

    def cost(self, subject: Subject) -> int:
        """The number of paraphrases available, at most `count`."""
        return len(subject.again(self.count))

    def run(self, subject: Subject, ask: Ask) -> CheckResult:
        """Measure the share of equal answers and the overlap of their regions."""
        first, grid = subject.original, subject.volume.grid
        asked = subject.again(self.count)
        answers = [ask(request) for _, request in asked]
        rows = [
            {"asked": text, "answer": answer.short}
            for (text, _), answer in zip(asked, answers, strict=True)
        ]
        alike = [answer for answer in answers if same_answer(first, answer)]
        sizes = [len(cluster) for cluster in clusters((first, *answers))]
        details: dict[str, Any] = {
            "requests": rows,
            "agreement": len(alike) / len(answers),
            "entropy_nats": round(entropy(sizes), 4),
            "clusters": sizes,
            "clustered_by": "answer" if first.group else "shared words (not meaning)",
        }
        summary = f"{len(alike)} of {len(answers)} repeated answers agree"
        if len(sizes) > 1:
            summary += f"; {len(sizes)} different answers in total"
        if len(alike) < AGREED * len(answers):
            return self.flagged(f"{summary}. The answer depends on wording or chance.", **details)
        if first.regions:
            shared = [region_overlap(first.regions, answer.regions, grid) for answer in alike]
            details["region_overlap"] = round(sum(shared) / len(shared), 4)
            if sum(shared) / len(shared) < SAME_LOCATION:
                return self.flagged(f"{summary}, but the regions differ.", **details)
        return self.passed(f"{summary}.", **details)


class BlankedEvidence(Check):
    """Whether the answer depends on the region that it names."""

    name = "blanked evidence"
    description = "Hides the region of the answer, then a random region of equal size."
    needs_model = True

    def cost(self, subject: Subject) -> int:
        """One for its own region, and one for a random one if there is room."""
        return bool(subject.boxes) + bool(subject.control_boxes)

    def run(self, subject: Subject, ask: Ask) -> CheckResult:
        """The answer must change when its region is hidden, and only then."""
        if not subject.boxes:
            return self.not_applicable("The answer has no region to hide.")
        grid, first = subject.volume.grid, subject.original
        own = _answer_or_refusal(ask, subject.hidden(subject.boxes))
        rows = {"answer": first.short, "with_region_hidden": own.short}
        if not moved(first, own, grid):
            return self.flagged(
                "Does not depend on the image: with its region hidden it still answers "
                f"{own.short}.",
                **rows,
            )
        others = subject.control_boxes
        if not others:
            return self.passed(
                f"With its region hidden it answers {own.short}; no room for a random region.",
                **rows,
            )
        other = _answer_or_refusal(ask, subject.hidden(others))
        rows["with_a_random_place_hidden"] = other.short
        if moved(first, other, grid):
            return self.flagged(
                f"Changes whatever is hidden: {own.short} without its region, "
                f"{other.short} without a random one.",
                **rows,
            )
        return self.passed(
            f"With its region hidden it answers {own.short}; a random region makes no difference.",
            **rows,
        )


class BlankImage(Check):
    """Whether the answer depends on the image at all."""

    name = "blank image"
    description = "Asks the same question about a grey image."
    needs_model = True

    def cost(self, subject: Subject) -> int:
        """One, unless the answer is correct for an empty image too."""
        return int(subject.original.group not in subject.trivial_answers)

    def run(self, subject: Subject, ask: Ask) -> CheckResult:
        """The answer must change."""
        first = subject.original
        if not self.cost(subject):
            return self.not_applicable(f"“{first.short}” would be correct for an empty image too.")
        answer = _answer_or_refusal(ask, subject.blank())
        if same_answer(first, answer):
            return self.flagged(
                f"Does not depend on the image: the same answer for a grey image, {answer.short}.",
                answer=answer.short,
            )
        return self.passed(
            f"Different answer for a grey image: {answer.short}.", answer=answer.short
        )


class ImageSwap(Check):
    """Whether the answer depends on this image.

    Parameters
    ----------
    other
        An image with a different correct answer; `None`: distant slices, if there are any.
    """

    name = "image swap"
    description = "Asks the same question about another image, or about distant slices."
    needs_model = True

    def __init__(self, other: Volume | None = None) -> None:
        self.other = other

    def cost(self, subject: Subject) -> int:
        """One, unless there is nothing to swap in, or the answer may fit other slices."""
        if self.other is not None:
            return int(self.other is not subject.volume)
        return int(subject.original.group not in subject.trivial_answers and subject.has_far_slices)

    def run(self, subject: Subject, ask: Ask) -> CheckResult:
        """The answer or its region must change."""
        first, volume = subject.original, subject.volume
        if not self.cost(subject):
            return self.not_applicable(self._why_not(subject))
        swap = (
            slices_far_away(subject.slices, volume)
            if self.other is None
            else other_image(self.other, volume)
        )
        assert swap is not None
        answer = _answer_or_refusal(ask, subject.swapped(swap))
        rows = {"answer": answer.short, "of": swap.description.strip(",")}
        if moved(first, answer, volume.grid):
            position = " in another region" if same_answer(first, answer) else ""
            return self.passed(
                f"For {swap.description} it answers {answer.short}{position}.", **rows
            )
        position = " in the same region" if first.regions else ""
        doubt = "that image shows" if swap.chosen else "they show"
        return self.flagged(
            f"For {swap.description} the answer is the same{position}, {answer.short}: unless "
            f"{doubt} the same, it does not depend on the image.",
            **rows,
        )

    def _why_not(self, subject: Subject) -> str:
        if self.other is not None:
            return "The other image is the image of the question."
        if not subject.has_far_slices:
            return "All slices were sent: choose another image to swap in."
        return (
            f"“{subject.original.short}” may be correct for other slices too: choose another image."
        )


def _answer_or_refusal(ask: Ask, request: Sent) -> CheckedAnswer:
    """The answer, or *refused* if the backend fails on such an image."""
    try:
        return ask(request)
    except Cancelled:
        raise
    except MedVLMError as error:
        return CheckedAnswer(f"(refused: {error.message})", "refused")
