"""The checks. Each says what it does, how many requests it costs, and in plain words what came."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_medvlm.checked import Finding, Outcome
from napari_medvlm.errors import Cancelled, InvalidPrompt, MedVLMError
from napari_medvlm.overlap import region_iou
from napari_medvlm.trusting import calibration
from napari_medvlm.trusting.likeness import (
    Said,
    clusters,
    entropy,
    moved,
    places_shared,
    same_answer,
)
from napari_medvlm.trusting.quality import Thresholds, indicators
from napari_medvlm.trusting.subject import Sent, Subject

Ask = Callable[[Sent], Said]
"""Has something asked, and waits for what is said."""
AGREED = 0.75
"""The share of askings that must say the same."""
APART = 0.15
"""How far stated and measured confidence may lie apart."""
OVERLAPS = 0.1
"""The intersection over union from which a witness's place is the same one."""


@dataclass(frozen=True)
class Witness:
    """Another backend that looks for the same."""

    backend: str
    model: str | None = None


class Check(ABC):
    """One reason to believe an answer or not.

    Attributes
    ----------
    name
        Short, for people and for records.
    about
        What it does, a sentence.
    """

    name: str
    about: str

    @abstractmethod
    def cost(self, subject: Subject) -> int:
        """How many requests it takes at most; 0 also where it does not apply."""

    @abstractmethod
    def judge(self, subject: Subject, ask: Ask) -> Finding:
        """What it comes to.

        Raises
        ------
        Cancelled
            If it is no longer wanted.
        MedVLMError
            If a backend cannot answer.
        """

    def passed(self, sentence: str, **details: Any) -> Finding:
        """Nothing against the answer."""
        return Finding(self.name, Outcome.PASSED, sentence, details)

    def flagged(self, sentence: str, **details: Any) -> Finding:
        """Something against it."""
        return Finding(self.name, Outcome.FLAGGED, sentence, details)

    def mute(self, sentence: str, **details: Any) -> Finding:
        """The check says nothing here."""
        return Finding(self.name, Outcome.NOT_APPLICABLE, sentence, details)


class Form(Check):
    """Whether the answer came as it should."""

    name = "form"
    about = "Was it read without repair, and are its places inside the image?"

    def cost(self, subject: Subject) -> int:
        """Nothing is asked."""
        return 0

    def judge(self, subject: Subject, ask: Ask) -> Finding:
        """By what was noted when the answer was read."""
        flaws = subject.flaws()
        if not flaws:
            return self.passed("It came in the form that was asked for; nothing was repaired.")
        return self.flagged(" ".join(flaws), flaws=list(flaws))


class NegationTwin(Check):
    """Whether it contradicts itself."""

    name = "negation twin"
    about = "Asks for the opposite, and for something that such an image cannot show."

    def cost(self, subject: Subject) -> int:
        """One for each twin."""
        return len(subject.twins())

    def judge(self, subject: Subject, ask: Ask) -> Finding:
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

    def judge(self, subject: Subject, ask: Ask) -> Finding:
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
        told = f"Asked {len(answers)} times again, it said the same {len(alike)} times"
        if len(sizes) > 1:
            told += f"; {len(sizes)} different answers in all"
        if len(alike) < AGREED * len(answers):
            return self.flagged(f"{told}. It depends on the words or on chance.", **details)
        if first.regions:
            shared = [places_shared(first.regions, said.regions, grid) for said in alike]
            details["place_overlap"] = round(sum(shared) / len(shared), 4)
            if sum(shared) / len(shared) < 0.5:
                return self.flagged(f"{told}, but the places moved about.", **details)
        return self.passed(f"{told}.", **details)


class BlankedEvidence(Check):
    """Whether it looks at the place that it names."""

    name = "blanked evidence"
    about = "Hides the place that it names, and then a random place of equal size."

    def cost(self, subject: Subject) -> int:
        """One for its own place, and one for another if there is room."""
        return bool(subject.places) + bool(subject.other_places)

    def judge(self, subject: Subject, ask: Ask) -> Finding:
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

    def judge(self, subject: Subject, ask: Ask) -> Finding:
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


class Confidence(Check):
    """What its confidence is worth.

    Parameters
    ----------
    curve
        Of another backend than the subject's; `None`: the one that is kept for it.
    """

    name = "confidence"
    about = "Compares the confidence that it states with how often such answers were right."

    def __init__(self, curve: calibration.Curve | None = None) -> None:
        self.curve = curve

    def cost(self, subject: Subject) -> int:
        """Nothing is asked."""
        return 0

    def judge(self, subject: Subject, ask: Ask) -> Finding:
        """By the curve of an evaluation run."""
        stated, request = subject.said.confidence, subject.request
        if stated is None:
            return self.mute("It does not say how sure it is.")
        curve = self.curve or calibration.load(request.backend, request.model)
        told = f"It states {100 * stated:.0f} %"
        if curve is None:
            return self.mute(f"{told}; no evaluation run tells what that is worth.", stated=stated)
        measured = float(curve([stated])[0])
        details = {"stated": stated, "measured": round(measured, 4), "answers": curve.count}
        told += f"; of {curve.count} evaluated answers, such were right in {100 * measured:.0f} %"
        if stated - measured > APART:
            return self.flagged(f"{told}: it is too sure.", **details)
        return self.passed(f"{told}.", **details)


class IndependentWitness(Check):
    """Whether somebody else finds the same place.

    Parameters
    ----------
    witness
        Who is asked where no object of that name was segmented.
    """

    name = "independent witness"
    about = "Compares its place with a segmented object, or with what another backend finds."

    def __init__(self, witness: Witness | None = None) -> None:
        self.witness = witness

    def cost(self, subject: Subject) -> int:
        """One, unless there is an object."""
        return int(self._asks(subject) and not subject.named_masks())

    def _asks(self, subject: Subject) -> bool:
        who, request = self.witness, subject.request
        other = who is not None and (who.backend, who.model) != (request.backend, request.model)
        return bool(subject.places) and other

    def judge(self, subject: Subject, ask: Ask) -> Finding:
        """By the best overlap of any two of their places."""
        if not subject.places:
            return self.mute("It names no place to compare.")
        masks = subject.named_masks()
        who = "The segmentation"
        if not masks:
            if self.witness is None or not self._asks(subject):
                return self.mute("No other backend was chosen as a witness.")
            who = f"The backend {self.witness.backend}"
            try:
                request = subject.witness(self.witness.backend, self.witness.model)
            except InvalidPrompt as error:
                return self.mute(error.message)
            masks = ask(request).regions
        if not masks:
            return self.flagged(f"{who} does not find it.", witness=who)
        grid = subject.volume.grid
        best = max(region_iou(a, b, grid) for a in subject.said.regions for b in masks)
        details = {"witness": who, "overlap": round(best, 4)}
        if best < OVERLAPS:
            return self.flagged(f"{who} has it at another place.", **details)
        return self.passed(f"{who} has it at the same place.", **details)


class Quality(Check):
    """Whether the image is good enough to be asked about."""

    name = "image quality"
    about = "Looks for noise, blur, motion, cropping, gaps between slices and saturation."

    def cost(self, subject: Subject) -> int:
        """Nothing is asked."""
        return 0

    def judge(self, subject: Subject, ask: Ask) -> Finding:
        """By the thresholds of ``quality.yaml``."""
        found = indicators(subject.volume, Thresholds.load())
        told = [one.told for one in found if one.told]
        details = {one.name: {"value": one.value, "threshold": one.threshold} for one in found}
        if told:
            return self.flagged(" ".join(told), **details)
        return self.passed("Nothing about the image stands out.", **details)


def all_checks(witness: Witness | None = None, count: int = 4) -> tuple[Check, ...]:
    """Every check, those that cost nothing first."""
    return (
        Quality(),
        Form(),
        Confidence(),
        NegationTwin(),
        Resampling(count),
        BlankedEvidence(),
        BlankImage(),
        IndependentWitness(witness),
    )


def _said_or_refused(ask: Ask, request: Sent) -> Said:
    """What is said; a backend that will not work on such an image says that."""
    try:
        return ask(request)
    except Cancelled:
        raise
    except MedVLMError as error:
        return Said(f"(refused: {error.message})", "refused")
