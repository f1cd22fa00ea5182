"""The sentences of an answer as claims: each with the regions whose boxes stand in it.

A box belongs to the image that its sentence names ("image 2", or "slice 45" as in a caption), or
to the only one that was sent. A box that stands in a line by itself is a claim of its own, called
by its label.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from napari_medvlm.backends.box_formats import GRAMMARS, Flaw, Parsed, parse
from napari_medvlm.backends.box_formats.spans import TextSpan, pieces, without
from napari_medvlm.backends.detection.base import Look, regions_of
from napari_medvlm.backends.detection.generated_boxes import seen_in
from napari_medvlm.backends.detection.letterbox import Framed
from napari_medvlm.data.answer import Claim
from napari_medvlm.data.region import Region
from napari_medvlm.data.slice_image import SliceImage
from napari_medvlm.language.counted_things import counted
from napari_medvlm.language.sentences import Sentence, split

UNNAMED = "A box without a name."
_NUMBERS = r"\s*(?:no\.\s*|#\s*|-)?(\d{1,5}(?:\s*(?:,|-|and|und|et|y|to|&)\s*\d{1,5}\b)*)\b"
_PICTURE = re.compile(rf"\b(?:images?|pictures?|figures?|bild|imagen)\b{_NUMBERS}", re.IGNORECASE)
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_ORDINAL = re.compile(rf"\b({'|'.join(_ORDINALS)})\s+(?:image|picture)\b", re.IGNORECASE)
"""As MedSeq-Grounder names a picture: "It's in the third image."."""
_SLICE = re.compile(rf"\b(?:slices?|slides?|schicht|coupe|corte)\b{_NUMBERS}", re.IGNORECASE)
_STUDY = r"(?:chest |ct |mr )?(?:study|image|picture|scan|examination|radiograph|x-ray|visit)\b"
_ROLES = {
    "prior": re.compile(rf"\b(?:in|on|of) the (?:prior|previous|earlier|last) {_STUDY}", re.I),
    "current": re.compile(rf"\b(?:in|on|of) the (?:current|present|latest|new) {_STUDY}", re.I),
}
_CAPTIONS = {
    "prior": re.compile(r"^(?:the |a )?(?:prior|last) (?:study|visit)", re.I),
    "current": re.compile(r"^(?:the )?current (?:study|visit)", re.I),
}
"""How the captions of `model_input` and of data sets of two visits begin."""
_COMPARES = re.compile(r"\b(?:than|compared|comparison|since|unlike|versus|vs|relative)\b", re.I)
_DIGITS = re.compile(r"\d+")
_N = r"\s*-?\d+(?:\.\d+)?\s*"
_BOX_LIKE = re.compile(
    rf"[\[(]{_N},{_N},{_N},{_N}[\])]|[\[(]{_N},{_N}[\])]\s*(?:,|and|to|-)?\s*[\[(]{_N},{_N}[\])]"
)
"""Four numbers in brackets, or two pairs of numbers."""
_MARKUP = re.compile(r"\*\*|__|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)|`")


@dataclass(frozen=True, eq=False)
class CitedImages:
    """An image that was sent.

    Parameters
    ----------
    image
        As the user sees it.
    framed
        As the model saw it.
    caption
        The caption that was sent with it.
    """

    picture: SliceImage
    framed: Framed
    caption: str = ""


def crop_note(shown: Iterable[CitedImages]) -> str:
    """A note if a model sees only the middle square of an image; else empty."""
    if any(min(image.framed.start) < 0 for image in shown):
        return "The model sees the middle square of an image only; the rest was not searched."
    return ""


def claims_of(
    text: str, grammar: str, pictures: Sequence[CitedImages], source: str
) -> tuple[tuple[Claim, ...], tuple[str, ...]]:
    """The claims of an answer, and a sentence for each number that is not the number of boxes.

    Parameters
    ----------
    text
        Without thoughts and calls of tools.
    grammar
        A name in `box_formats.GRAMMARS`; another: no boxes are read.
    images
        All that were sent, in the order of their numbers.
    """
    spans = pieces(text, grammar)
    claims_so_far: list[Claim] = []
    for sentence in _joined(text, spans, split(text, [(p.start, p.stop) for p in spans])):
        words = _words(without(text, spans, sentence.start, sentence.stop))
        own = [p for p in spans if sentence.start <= p.start < sentence.stop]
        unread = () if own else _unread_boxes(text[sentence.start : sentence.stop], grammar)
        reader = _Reader(text[sentence.start : sentence.stop], words, grammar, pictures, source)
        claims = reader.claims() if own else (Claim(words, (), source, unread),)
        claims_so_far += [replace(claim, section=sentence.section) for claim in claims]
    return tuple(claims_so_far), tuple(_miscounted(claims_so_far))


def _unread_boxes(text: str, grammar: str) -> tuple[str, ...]:
    """A problem if a sentence has numbers that look like a box in a format that is not read."""
    if not _BOX_LIKE.search(text):
        return ()
    known = GRAMMARS.get(grammar)
    form = f"in the form {known.example!r}" if known else "in a form that is read for this model"
    return (f"Four numbers look like a box, and are not {form}: no box was drawn.",)


def _joined(
    text: str, spans: Sequence[TextSpan], sentences: Iterable[Sentence]
) -> Iterator[Sentence]:
    """Boxes behind the stop of a sentence, in its line, belong to it."""
    last: Sentence | None = None
    for sentence in sentences:
        if last is not None and last.line == sentence.line:
            begin = _behind_boxes(text, spans, sentence)
            last = replace(last, stop=begin if begin > sentence.start else last.stop)
            sentence = replace(sentence, start=begin)
        if last is not None and sentence.start < sentence.stop:
            yield last
        if last is None or sentence.start < sentence.stop:
            last = sentence
    if last is not None:
        yield last


def _behind_boxes(text: str, spans: Sequence[TextSpan], sentence: Sentence) -> int:
    """Start of a sentence's words after leading boxes; its end if there are none."""
    begin = sentence.start
    for piece in spans:
        between = text[begin : piece.start]
        if begin <= piece.start < sentence.stop and not piece.shown and not _words(between):
            begin = piece.stop
    words = _words(without(text, spans, begin, sentence.stop))
    return begin if words else sentence.stop


def _words(text: str) -> str:
    """A sentence without Markdown; empty if there is no word in it."""
    plain = " ".join(_MARKUP.sub("", text).split())
    return plain if any(map(str.isalnum, plain)) else ""


class _Reader:
    """The places of one sentence."""

    def __init__(
        self, text: str, words: str, grammar: str, pictures: Sequence[CitedImages], source: str
    ) -> None:
        self._text = text
        self._words = words
        self._grammar = grammar
        self._pictures = pictures
        self._source = source

    def claims(self) -> tuple[Claim, ...]:
        """The sentence with its regions; or, of boxes alone, a claim for each."""
        shown = self._shown()
        size = shown.framed.size if shown is not None else (1000, 1000)
        parsed = parse(self._text, self._grammar, size)
        if shown is None:
            labels = dict.fromkeys(box.label for box in parsed.boxes if box.label)
            words = self._words or ", ".join(labels) or UNNAMED
            return (Claim(words, (), self._source, self._unplaced(parsed)),)
        regions, outside = self._regions(parsed, shown)
        problems = (*_refused(parsed), *outside)
        if self._words or not regions:
            return (Claim(self._words or UNNAMED, tuple(regions), self._source, problems),)
        claims = [Claim(r.name or UNNAMED, (r,), self._source) for r in regions]
        return (replace(claims[0], problems=problems), *claims[1:])

    def _regions(self, parsed: Parsed, shown: CitedImages) -> tuple[list[Region], list[str]]:
        seen, outside = seen_in(parsed, self._words, shown.picture, shown.framed)
        named = [replace(s, phrase=s.name or self._words or UNNAMED) for s in seen]
        if parsed.masks or parsed.voxel_boxes:
            outside.append("A mask or a box in a volume is meant, which cannot be drawn.")
        regions = regions_of(shown.picture, Look(tuple(named)))
        if len(regions) < len(named):
            outside.append(
                f"{len(named) - len(regions)} of {len(named)} boxes lie on no one slice."
            )
        return regions, [f"{note[:1].upper()}{note[1:]}" for note in outside]

    def _shown(self) -> CitedImages | None:
        """The image that the sentence refers to; `None` if it does not state one."""
        if len(self._pictures) == 1:
            return self._pictures[0]
        numbers = _numbers(_PICTURE, self._text)
        indices = {n - 1 for n in numbers if 0 < n <= len(self._pictures)}
        indices |= {_ORDINALS.index(word.lower()) for word in _ORDINAL.findall(self._text)}
        slices = _numbers(_SLICE, self._text)
        indices |= {
            k for k, s in enumerate(self._pictures) if slices & _numbers(_SLICE, s.caption)
        }  # fmt: skip
        indices = {k for k in indices if k < len(self._pictures)} or self._of_role()
        return self._pictures[indices.pop()] if len(indices) == 1 else None

    def _of_role(self) -> set[int]:
        """The images of the study that the sentence says it sees something in.

        None if it names both studies, or compares them: "larger than in the prior study".
        """
        named = [role for role, words in _ROLES.items() if words.search(self._text)]
        if len(named) != 1 or _COMPARES.search(self._text):
            return set()
        return {k for k, s in enumerate(self._pictures) if _CAPTIONS[named[0]].search(s.caption)}

    def _unplaced(self, parsed: Parsed) -> tuple[str, ...]:
        if not self._pictures:
            return ("There is a box, but no image was sent.",)
        if parsed.boxes or parsed.points or _refused(parsed):
            count = len(self._pictures)
            return (f"The answer does not state in which of the {count} images the box is.",)
        return ()


def _numbers(pattern: re.Pattern[str], text: str) -> set[int]:
    """The numbers behind a word, as of images."""
    return {int(n) for match in pattern.finditer(text) for n in _DIGITS.findall(match.group(1))}


def _refused(parsed: Parsed) -> tuple[str, ...]:
    return tuple(f.message for f in parsed.findings if f.flaw is not Flaw.PROSE)


def _miscounted(claims: Sequence[Claim]) -> Iterator[str]:
    """Sentences whose number is not that of their boxes, of the bare boxes behind them, or of all.

    The boxes of all sentences count where no other sentence has a number.
    """
    counts = [
        (position, number) for position, c in enumerate(claims) if (number := counted(c.text))
    ]
    everything = sum(len(claim.regions) for claim in claims) if len(counts) == 1 else 0
    for position, number in counts:
        drawn = len(claims[position].regions) or _listed(claims[position + 1 :]) or everything
        if drawn and drawn != number.number:
            boxes = "box was" if drawn == 1 else "boxes were"
            yield f"The text says {number.words!r}, and {drawn} {boxes} drawn."


def _listed(claims: Sequence[Claim]) -> int:
    """Number of leading claims without words."""
    count = 0
    for claim in claims:
        bare = len(claim.regions) == 1 and claim.text in (claim.regions[0].name, UNNAMED)
        if not bare:
            break
        count += 1
    return count
