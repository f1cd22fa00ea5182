"""An answer as what is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from napari_medvlm.backends.vlm.reasoning import split_reasoning
from napari_medvlm.checks.answer_similarity import CheckedAnswer
from napari_medvlm.checks.changed_views import cropped, mirrored, names_a_side
from napari_medvlm.checks.image_swap import Swap, repainted, shown_slices
from napari_medvlm.checks.occlusion import blank, blank_volume, hidden_in, hidden_in_volume
from napari_medvlm.checks.paraphrases import Existence, existence, paired_questions, paraphrases
from napari_medvlm.checks.subject import PairedRequest, Subject
from napari_medvlm.data.answer import Answer, AnswerKind, Question
from napari_medvlm.data.geometry.grid import same_grid
from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.slice_image import SliceImage
from napari_medvlm.language.closed_answers import count_in, option_in, yes_or_no
from napari_medvlm.language.report_findings import findings_of
from napari_medvlm.language.stated_confidence import confidence_in
from napari_medvlm.sessions.ask.ground_claim import names_in, query_of
from napari_medvlm.worker.messages import AnswerReply, AskRequest, GroundRequest, Reply


def stated(answer: Answer, question: Question) -> float | None:
    """How sure an answer says it is, 0 to 1; `None` if it does not say."""
    options = question.options or (("yes", "no") if question.kind is AnswerKind.YES_NO else ())
    if answer.probabilities and len(options) == len(answer.probabilities):
        shares = dict(zip(options, answer.probabilities, strict=True))
        return shares.get(answer.choice, max(answer.probabilities))
    return confidence_in(split_reasoning(answer.written or answer.text).answer)


NO_ANSWER = "no answer"
OPPOSITE = {"yes": "no", "no": "yes"}
COMPUTED_SOURCES = frozenset({"measured", "header"})
"""Sources of claims that are computed, see `Claim`."""
OUTSIDE = "A place of the answer lies outside the image."
NOT_SENT = "A place is on a slice that was not sent."


class AnswerSubject(Subject):
    """An answer of a backend.

    Parameters
    ----------
    request
        The question as it was asked, without tools.
    answer
        What was answered.
    """

    trivial_answers = frozenset({"no", "0", "none", "normal", NO_ANSWER})
    request: AskRequest

    def __init__(self, request: AskRequest, answer: Answer) -> None:
        super().__init__(request, checked_answer(answer, request.question))
        self.answer = answer

    @property
    def question(self) -> Question:
        """What was asked."""
        return self.request.question

    @property
    def is_computed(self) -> bool:
        """Whether all its sentences are measurements or facts of the header."""
        sources = {claim.source for claim in self.answer.claims}
        return bool(sources) and sources <= COMPUTED_SOURCES

    @property
    def asked(self) -> str:
        """The question's text, without words of location."""
        return self.question.text.partition("\n\n")[0]

    def read(self, reply: Reply) -> CheckedAnswer:
        """What a reply says, read by the kind of the question."""
        assert isinstance(reply, AnswerReply)
        return checked_answer(reply.answer, self.question)

    def flaws(self) -> tuple[str, ...]:
        """What had to be left out or could not be read."""
        answer, question = self.answer, self.question
        flaws = [problem for claim in answer.claims for problem in claim.problems]
        flaws += [note for note in answer.notes if note not in flaws]
        if not answer.answered:
            flaws.append(f"The question was not answered: {answer.reason or 'no reason given'}")
        elif question.kind is AnswerKind.CHOICE and answer.choice not in question.options:
            flaws.append("It chose none of the options that were given.")
        elif question.kind in (AnswerKind.YES_NO, AnswerKind.COUNT) and not self.original.group:
            flaws.append(f"No {question.kind} could be read in it.")
        flaws += _misplaced(self.original.regions, question.pictures, self.request)
        return tuple(dict.fromkeys(flaws))

    def paired_requests(self) -> tuple[PairedRequest, ...]:
        """The negated and the absent twin, see `twins`."""
        statement = self._statement()
        if statement is None:
            return ()
        asked, original_group = statement
        requests = []
        for pair in paired_questions(asked, self.volume.modality):
            expected = OPPOSITE[original_group] if pair.how == "negated" else "no"
            message = (
                f"It says {original_group} to the question and must say {expected} to its opposite."
                if pair.how == "negated"
                else "It must say no to something that such an image cannot show."
            )
            requests.append(
                PairedRequest(self._ask(pair.text, yes_no=True), pair.text, expected, message)
            )
        return tuple(requests)

    def _statement(self) -> tuple[Existence, str] | None:
        """What is asked for or stated first, and whether it is there."""
        asked = existence(self.asked)
        if asked is not None:
            return (asked, self.original.group) if self.original.group in OPPOSITE else None
        for claim in self.answer.claims:
            for finding in findings_of(claim.text):
                if not finding.uncertain:
                    return Existence(f"any {finding.phrase}"), "no" if finding.negated else "yes"
        return None

    def again(self, count: int) -> tuple[tuple[str, AskRequest], ...]:
        """The question again and in other words; options in reverse order every other time."""
        texts = (self.asked, *paraphrases(self.asked, count - 1))[:count]
        return tuple(
            (text, self._ask(text, turned=bool(number % 2))) for number, text in enumerate(texts)
        )

    def views(self) -> tuple[tuple[str, AskRequest], ...]:
        """Mirrored (unless a side is named), cropped, and both; none if no pictures were sent."""
        images, boxes = self.question.pictures, self.boxes
        if not images:
            return ()
        cut = tuple(cropped(image, boxes) for image in images)
        if names_a_side(self.question.text, self.answer.text, *self.question.options):
            return (("cropped", self._seeing(cut)),)
        return (
            ("mirrored", self._seeing(tuple(map(mirrored, images)))),
            ("cropped", self._seeing(cut)),
            ("mirrored and cropped", self._seeing(tuple(map(mirrored, cut)))),
        )

    def hidden(self, boxes: Sequence[Box]) -> AskRequest:
        """Hidden in the pictures, or in the volume if none were sent."""
        if not self.question.pictures:
            return replace(self.request, volume=hidden_in_volume(self.volume, boxes))
        return self._seeing(tuple(hidden_in(p, boxes) for p in self.question.pictures))

    def blank(self) -> AskRequest:
        """Grey pictures, or a grey volume if none were sent."""
        if not self.question.pictures:
            return replace(self.request, volume=blank_volume(self.volume))
        return self._seeing(tuple(map(blank, self.question.pictures)))

    @property
    def slices(self) -> tuple[SliceRef, ...]:
        """The slices that were sent; none if another image was sent with it."""
        images, grid = self.question.pictures, self.volume.grid
        own = all(same_grid(image.grid, grid) for image in images)
        return shown_slices(images) if own else ()

    def swapped(self, swap: Swap) -> AskRequest:
        """Pictures with other content; what was drawn onto them stays."""
        images = (repainted(p, self.volume, swap) for p in self.question.pictures)
        return replace(self._seeing(tuple(images)), volume=swap.volume)

    def sentence(self) -> str:
        """The first sentence that has places."""
        return next((c.text for c in self.answer.claims if c.regions), "")

    def named_masks(self) -> tuple[Region, ...]:
        """Objects whose name is in the sentence."""
        masks = {named.name: named.mask for named in self.question.objects}
        grid = self.volume.grid
        return tuple(
            Region.of_mask(name, masks[name], grid, None, name)
            for name in names_in(self.sentence(), masks)
            if masks[name].voxels
        )

    def second_request(self, backend: str, model: str | None) -> GroundRequest:
        """Look for what the sentence names."""
        query = query_of(self.sentence(), Scope(), self.question.labels, {}, self.volume.grid)
        return GroundRequest(backend, self.volume, model, self.request.device, query)

    def _ask(self, text: str, *, yes_no: bool = False, turned: bool = False) -> AskRequest:
        _, gap, rest = self.question.text.partition("\n\n")
        question = replace(self.question, text=text + gap + rest)
        if yes_no:
            question = replace(question, kind=AnswerKind.YES_NO, options=())
        elif turned:
            question = replace(question, options=question.options[::-1])
        return replace(self.request, question=question)

    def _seeing(self, images: tuple[SliceImage, ...]) -> AskRequest:
        return replace(self.request, question=replace(self.question, pictures=images))


def checked_answer(answer: Answer, question: Question) -> CheckedAnswer:
    """What an answer says to a question."""
    regions = tuple(region for claim in answer.claims for region in claim.regions)
    return CheckedAnswer(answer.text, _group(answer, question), regions, stated(answer, question))


def _group(answer: Answer, question: Question) -> str:
    if not answer.answered:
        return NO_ANSWER
    if answer.choice:
        return answer.choice.casefold()
    match question.kind:
        case AnswerKind.CHOICE:
            return option_in(answer.text, question.options, question.text).choice.casefold()
        case AnswerKind.COUNT:
            return count_in(answer.text).choice
        case _:
            return yes_or_no(answer.text).choice


def _misplaced(
    regions: Sequence[Region], images: Sequence[SliceImage], request: AskRequest
) -> list[str]:
    grid = request.volume.grid
    flaws = []
    if any((stop <= start).any() for start, stop in (r.box.bounds(grid) for r in regions)):
        flaws.append(OUTSIDE)
    sent = set(shown_slices(images))
    if sent and any(r.slice is not None and r.slice not in sent for r in regions):
        flaws.append(NOT_SENT)
    return flaws
