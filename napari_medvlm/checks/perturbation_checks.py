"""Checks that ask the same backend in another way."""

from __future__ import annotations

from typing import Any

from napari_medvlm.checks.answer_similarity import (
    SAME_PLACE,
    CheckedAnswer,
    clusters,
    entropy,
    moved,
    places_shared,
    same_answer,
)
from napari_medvlm.checks.base import Ask, Check
from napari_medvlm.checks.image_swap import other_image, slices_far_away
from napari_medvlm.checks.subject import Sent, Subject
from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.data.errors import Cancelled, MedVLMError
from napari_medvlm.data.volume import Volume

AGREED = 0.75
"""The share of askings that must say the same."""


class NegationTwin(Check):
    """Whether it contradicts itself."""

    name = "negation twin"
    about = "Asks for the opposite, and for something that such an image cannot show."

    def cost(self, subject: Subject) -> int:
        """One for each twin."""
        return len(subject.twins())

    def judge(self, subject: Subject, ask: Ask) -> CheckResult:
        """Each twin has an answer that it must have."""
        twins = subject.twins()
        if not twins:
            return self.mute("It does not say of anything whether it is there.")
        rows, against, unread = [], [], 0
        for twin in twins:
            said = ask(twin.request)
            rows.append({"asked": twin.asked, "said": said.short, "expected": twin.expected})
            unread += not said.group
            if said.group and said.group != twin.expected:
                against.append(f"“{twin.asked}” was answered {said.short}. {twin.told}")
        if against:
            return self.flagged("It contradicts itself. " + " ".join(against), twins=rows)
        if unread == len(twins):
            return self.mute("Its answers to the twins could not be read.", twins=rows)
        return self.passed("It does not contradict itself when asked the other way.", twins=rows)


class Resampling(Check):
    """Whether it says the same again.

    Parameters
    ----------
    count
        How often it is asked: once as it was, then in other words.
    """

    name = "resampling"
    about = "Asks the same again and in other words."

    def __init__(self, count: int = 4) -> None:
        self.count = count

    def cost(self, subject: Subject) -> int:
        """As often as there are words for it."""
        return len(subject.again(self.count))

    def judge(self, subject: Subject, ask: Ask) -> CheckResult:
        """By the share that says the same, and by how much its places have in common."""
        first, grid = subject.said, subject.volume.grid
        asked = subject.again(self.count)
        answers = [ask(request) for _, request in asked]
        rows = [
            {"asked": text, "said": said.short}
            for (text, _), said in zip(asked, answers, strict=True)
        ]
        alike = [said for said in answers if same_answer(first, said)]
        sizes = [len(cluster) for cluster in clusters((first, *answers))]
        details: dict[str, Any] = {
            "askings": rows,
            "agreement": len(alike) / len(answers),
            "entropy_nats": round(entropy(sizes), 4),
            "clusters": sizes,
            "clustered_by": "answer" if first.group else "shared words (not meaning)",
        }
        told = f"Asked {_times(len(answers))} again, it said the same {_times(len(alike))}"
        if len(sizes) > 1:
            told += f"; {len(sizes)} different answers in all"
        if len(alike) < AGREED * len(answers):
            return self.flagged(f"{told}. It depends on the words or on chance.", **details)
        if first.regions:
            shared = [places_shared(first.regions, said.regions, grid) for said in alike]
            details["place_overlap"] = round(sum(shared) / len(shared), 4)
            if sum(shared) / len(shared) < SAME_PLACE:
                return self.flagged(f"{told}, but the places moved about.", **details)
        return self.passed(f"{told}.", **details)


class BlankedEvidence(Check):
    """Whether it looks at the place that it names."""

    name = "blanked evidence"
    about = "Hides the place that it names, and then a random place of equal size."

    def cost(self, subject: Subject) -> int:
        """One for its own place, and one for another if there is room."""
        return bool(subject.places) + bool(subject.other_places)

    def judge(self, subject: Subject, ask: Ask) -> CheckResult:
        """It must move when its place is hidden, and only then."""
        if not subject.places:
            return self.mute("It names no place that could be hidden.")
        grid, first = subject.volume.grid, subject.said
        own = _said_or_refused(ask, subject.hidden(subject.places))
        rows = {"said": first.short, "with_its_place_hidden": own.short}
        if not moved(first, own, grid):
            return self.flagged(
                f"Not looking: with its own place hidden it still says {own.short}.", **rows
            )
        others = subject.other_places
        if not others:
            return self.passed(
                f"With its own place hidden it says {own.short}; there was no room to hide "
                "another.",
                **rows,
            )
        other = _said_or_refused(ask, subject.hidden(others))
        rows["with_a_random_place_hidden"] = other.short
        if moved(first, other, grid):
            return self.flagged(
                f"It changes wherever something is hidden: {own.short} without its own place, "
                f"{other.short} without a random one.",
                **rows,
            )
        return self.passed(
            f"With its own place hidden it says {own.short}; a random place makes no difference.",
            **rows,
        )


class BlankImage(Check):
    """Whether it needs the image at all."""

    name = "blank image"
    about = "Asks the same of a grey image."

    def cost(self, subject: Subject) -> int:
        """One, unless the answer fits an empty image too."""
        return int(subject.said.group not in subject.nothing)

    def judge(self, subject: Subject, ask: Ask) -> CheckResult:
        """The answer must not be the same."""
        first = subject.said
        if not self.cost(subject):
            return self.mute(f"“{first.short}” would be right for an empty image, too.")
        said = _said_or_refused(ask, subject.blank())
        if same_answer(first, said):
            return self.flagged(
                f"Not looking: of a grey image it says the same, {said.short}.", said=said.short
            )
        return self.passed(
            f"Of a grey image it says something else: {said.short}.", said=said.short
        )


class ImageSwap(Check):
    """Whether it needs this image.

    Parameters
    ----------
    other
        An image of which something else is right; `None`: slices far away, if there are any.
    """

    name = "image swap"
    about = "Asks the same of another image that you choose, or of slices far away."

    def __init__(self, other: Volume | None = None) -> None:
        self.other = other

    def cost(self, subject: Subject) -> int:
        """One, unless there is nothing to swap with, or the answer fits other slices as well."""
        if self.other is not None:
            return int(self.other is not subject.volume)
        return int(subject.said.group not in subject.nothing and subject.has_far_slices)

    def judge(self, subject: Subject, ask: Ask) -> CheckResult:
        """The answer, or its place, must not be the same."""
        first, volume = subject.said, subject.volume
        if not self.cost(subject):
            return self.mute(self._why_not(subject))
        swap = (
            slices_far_away(subject.slices, volume)
            if self.other is None
            else other_image(self.other, volume)
        )
        assert swap is not None
        said = _said_or_refused(ask, subject.swapped(swap))
        rows = {"said": said.short, "of": swap.told.strip(",")}
        if moved(first, said, volume.grid):
            where = " at another place" if same_answer(first, said) else ""
            return self.passed(f"Asked of {swap.told} it says {said.short}{where}.", **rows)
        where = " at the same place" if first.regions else ""
        doubt = "that image shows" if swap.chosen else "they show"
        return self.flagged(
            f"Asked of {swap.told} it says the same{where}, {said.short}: unless {doubt} the same, "
            "it is not looking.",
            **rows,
        )

    def _why_not(self, subject: Subject) -> str:
        if self.other is not None:
            return "The other image is the one that was asked about."
        if not subject.has_far_slices:
            return "It was shown the whole image: choose another image to swap it with."
        return f"“{subject.said.short}” may be right for other slices, too: choose another image."


def _times(count: int) -> str:
    """How often, in words."""
    return ("never", "once", "twice")[count] if count < 3 else f"{count} times"


def _said_or_refused(ask: Ask, request: Sent) -> CheckedAnswer:
    """What is said; a backend that will not work on such an image says that."""
    try:
        return ask(request)
    except Cancelled:
        raise
    except MedVLMError as error:
        return CheckedAnswer(f"(refused: {error.message})", "refused")
