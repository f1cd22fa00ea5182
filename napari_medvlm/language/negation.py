"""Which stretches of a sentence are denied, and which are in doubt: rules in the manner of NegEx.

After Chapman, Bridewell, Hanbury, Cooper and Buchanan, "A simple algorithm for identifying negated
findings and diseases in discharge summaries", J Biomed Inform 34:301-310, 2001. A trigger in front
("no", "without") reaches to the end of its clause, one behind ("is not seen") back to its start.
Words that only look like a denial ("no change", "not only") are taken out first. It does not know
what is looked for.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cache

_QUALIFIER = (
    "(?:(?:significant|interval|definite|appreciable|substantial|further|relevant|obvious|gross"
    "|major|real|clear)\\s+)*"
)
_PSEUDO = (
    _QUALIFIER.join(
        (
            "(?:no|not|without(?:\\s+any)?)\\s+",
            "(?:increase[ds]?|decrease[ds]?|changed?|changes|worsening|improvement|progression"
            "|enlargement|growth|difference|enlarged|enlarging|worse)",
        )
    ),
    "not\\s+(?:only|necessarily|just|simply|all)",
    "without\\s+(?:\\w+\\s+)?(?:contrast|difficulty)",
    "no\\.\\s*\\d",
    "(?:gram|false)[\\s-]+negative",
)
_SEEN = (
    "(?:seen|identified|noted|present|evident|detected|visuali[sz]ed|appreciated|demonstrated"
    "|observed|found|apparent|shown)"
)
_DENIED_AHEAD = (
    "no",
    "not",
    "without",
    "nor",
    "neither",
    "never",
    "denies",
    "(?:free|clear|devoid)\\s+of",
    "negative\\s+for",
    "(?:absence|lack|resolution|removal)\\s+of",
    "(?:fails?|failed)\\s+to\\s+(?:show|reveal|demonstrate)",
    "rule[sd]\\s+out|excludes",
    "(?:rather\\s+than|instead\\s+of)",
    "resolved",
)
_DENIED_BEHIND = (
    f"(?:not|never|no\\s+longer)\\s+(?:\\w+ly\\s+)?{_SEEN}",
    "(?:is|are|was|were)\\s+(?:now\\s+)?(?:absent|negative|excluded|unlikely)",
    "(?:has|have|had)\\s+(?:\\w+ly\\s+|since\\s+|now\\s+)?(?:resolved|cleared|disappeared)",
    "(?:is|are|was|were)\\s+(?:now\\s+)?resolved",
    "(?:has|have)\\s+been\\s+(?:removed|excluded|ruled\\s+out)",
    "(?:is|are|was|were)\\s+ruled\\s+out",
)
_NOT_EXCLUDED = (
    "(?:can\\s*not|can't|could\\s+not|not)\\s+(?:\\w+ly\\s+)?(?:exclude|rule\\s+out)",
    "(?:difficult|hard|unable)\\s+to\\s+exclude|exclude|rule\\s+out|r/o|evaluate\\s+for",
    "not\\s+(?:certain|sure|clear)\\s+(?:if|whether)",
)
_IN_DOUBT = (
    "(?:can\\s*not|can't|could\\s+not|not)\\s+(?:be\\s+)?(?:\\w+ly\\s+)?(?:excluded|ruled\\s+out)"
)
_EITHER = ("versus|vs\\.?",)
_DOUBT_AHEAD = (
    "possib(?:le|ly|ility\\s+of)",
    "probabl[ey]",
    "(?:most\\s+|less\\s+)?likely",
    "(?:may|might|could)\\s+(?:\\w+ly\\s+)?(?:represent|reflect|indicate|be|suggest)",
    "suspect(?:ed|s)?|suspicio(?:us|n)\\s+(?:for|of)|suggest(?:s|ive\\s+of|ing)?",
    "concern(?:ing)?\\s+for|worrisome\\s+for|question(?:able|\\s+of)?|presumed|equivocal",
    *_NOT_EXCLUDED,
    *_EITHER,
)
_DOUBT_BEHIND = (
    _IN_DOUBT,
    "(?:is|are|remains?)\\s+(?:also\\s+)?(?:possible|probable|likely|unlikely|suspected|questioned"
    "|considered|difficult\\s+to\\s+exclude)",
    "(?:may|might|could)\\s+be\\s+(?:present|considered)",
    "(?:should|must)\\s+be\\s+considered",
    "\\?",
)
_LISTED = "(?:small|tiny|trace|mild|moderate|stable|unchanged|persistent|minimal)"
_END = (
    ";",
    "\\b(?:but|however|nevertheless|though|although|yet|except|aside\\s+from|apart\\s+from"
    "|other\\s+than|besides|whereas|while|there\\s+(?:is|are|remains?|has\\s+been))\\b",
    f"\\b{_SEEN}\\s*(?:,|,?\\s*(?:and|with)\\b)",
)
_END_OF_DENIAL = (
    # "No pneumothorax, small effusion": the list of what is missing would have gone on with "or".
    f",\\s*(?:and\\s+)?(?={_LISTED}\\b)(?!.*\\b(?:or|nor)\\b)",
    f",\\s*(?=(?:{'|'.join(_DOUBT_AHEAD)})\\s)",
)
_END_OF_DOUBT = (",(?!.*\\bor\\b)", "\\band\\b")
# "Mass, suspicious for glioma versus metastasis": what "versus" says begins behind "for".
_ONE_WAY = ("\\b(?:for|likely|represent|reflect|suggest\\w*)\\b",)
_BACK_TO = ("\\b(?:is|are|was|were|has|have|remains?|shows?)\\b",)


@dataclass(frozen=True, slots=True)
class NegationScope:
    """What a trigger says something about: characters `start` to `stop` of a sentence."""

    start: int
    stop: int

    def holds(self, start: int, stop: int) -> bool:
        """Whether the characters from `start` to `stop` begin or end in it."""
        return self.start <= start < self.stop or self.start < stop <= self.stop


def denied(sentence: str) -> tuple[NegationScope, ...]:
    """What the sentence says is not there."""
    text = _without(sentence, (*_PSEUDO, _IN_DOUBT, *_NOT_EXCLUDED))
    ahead = _matches(_without(text, _DENIED_BEHIND), _DENIED_AHEAD)
    return _reaches(sentence, ahead, _matches(text, _DENIED_BEHIND), _END_OF_DENIAL, ())


def doubted(sentence: str) -> tuple[NegationScope, ...]:
    """What the sentence says may be there."""
    ahead = _matches(_without(sentence, _DOUBT_BEHIND), _DOUBT_AHEAD)
    behind = _matches(sentence, (*_DOUBT_BEHIND, *_EITHER))
    return _reaches(sentence, ahead, behind, _END_OF_DOUBT, _ONE_WAY)


def _reaches(
    text: str,
    ahead: list[re.Match[str]],
    behind: list[re.Match[str]],
    end: tuple[str, ...],
    begin: tuple[str, ...],
) -> tuple[NegationScope, ...]:
    """Triggers ahead reach to the next end, those behind back to where their clause begins."""
    stops = [m.start() for m in _any((*_END, *end)).finditer(text)] if ahead else []
    begins = [m.end() for m in _any((*_END, *_BACK_TO, *begin)).finditer(text)] if behind else []
    return (
        *(NegationScope(m.end(), _next(stops, m.end(), len(text))) for m in ahead),
        *(NegationScope(_last(begins, _without_verb(text, m.start())), m.start()) for m in behind),
    )


@cache
def _words(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern for all, longest match at whole words; line breaks inside are spaces."""
    pattern = "|".join(f"(?<!\\w)(?:{p})(?!\\w)" for p in patterns)
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


@cache
def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL)


def _matches(text: str, patterns: tuple[str, ...]) -> list[re.Match[str]]:
    return list(_words(patterns).finditer(text))


def _without(text: str, patterns: tuple[str, ...]) -> str:
    """The text with what matches painted over, so that places stay."""
    return _words(patterns).sub(lambda match: "_" * len(match.group()), text)


def _next(places: list[int], position: int, otherwise: int) -> int:
    following = bisect_left(places, position)
    return places[following] if following < len(places) else otherwise


def _last(places: list[int], position: int) -> int:
    preceding = bisect_right(places, position) - 1
    return places[preceding] if preceding >= 0 else 0


def _without_verb(text: str, stop: int) -> int:
    """Where the verb of a trigger at `stop` begins: the "is" of "is not seen"."""
    tail = text[max(0, stop - 10) : stop]
    verb = re.search(r"\b(?:is|are|was|were|has|have|had)\s*$", tail, re.IGNORECASE)
    return stop - len(tail) + verb.start() if verb else stop
