"""Reduce the wording of a question to the forms that `question_forms` matches."""

from __future__ import annotations

import re

from napari_medvlm.backends.embedded.measuring_qa.clinical_wording import CLINICAL_REWRITES

_NOUNS = r"(?:volumes?|sizes?|widths?|heights?|depths?|diameters?|location|position|mean intensity)"

_POSSESSIVE = (
    r"^(?!.*\b(?:sum|total|combined|joint)\b)(?:what (?:is|are) )?(?:the )?"
    rf"(\S.*?)(?:['\u2019]s|(?<=s)['\u2019]) ({_NOUNS})$"
)
_DO = (
    r"(?:state|report|determine|calculate|compute|estimate|measure|tell|give|show|list|name"
    r"|quantify|provide|specify|indicate|output|print|work out|evaluate|assess)"
)
_LOCATE = (
    r"(?:locate|locali[sz]e|find|point (?:(?:me|us) )?(?:to|at|out)"
    r"|(?:take|bring|lead) (?:me|us) to|(?:go|jump|navigate|zoom|move) to|cent(?:re|er) on)"
)
_MORE = (
    r"(?:larger|bigger|greater|smaller|more voluminous|less voluminous|brighter|darker|denser"
    r"|higher|lower)"
)
_ADVERB = (
    r"(?:would you say|do you think|would you estimate|roughly|approximately|about|exactly"
    r"|precisely|actually|currently)"
)
_WHOLE_IMAGE = r"(?:image|scan|volume|brain|head|body|picture)"
_SUPERLATIVE = r"(?:mean|average|maxim(?:um|al)|minim(?:um|al)|highest|lowest|longest|greatest)"
_LENGTHS = (
    r"(?:diameter|dimension|extent|axis|width|height|depth|breadth|length|intensity"
    r"|signal|density|attenuation|hu|value)"
)
_CENTER = r"^(how far .*?|.*?\bdistance .*?)\b(?:the )?(?:cent(?:re|er)|middle)s? of (?:the )?"
_ML = r"(?:ml|cc|cm[3³]|millilit(?:re|er)s|cubic centimet(?:re|er)s)"
_OPENER = r"(?:please|kindly|hi|hello|so|ok(?:ay)?|well|and|now|then)"
_WISH = (
    r"i(?:['\u2019]d like| (?:want|wish|need|would like))(?: to (?:know|see|have|learn|find out))?"
    r"|i wonder|i(?:['\u2019]m| am) (?:interested in|looking for)|let me (?:know|see|have)|any idea"
    r"|(?:can|could|may) (?:i|we) (?:have|get|know|see)"
)
_REWRITES = [
    (rf"^(?:{_OPENER}\b,? )+", ""),
    (rf"^(?:{_WISH}) ", ""),
    *CLINICAL_REWRITES,
    (r"^((?:from|in|on|at) \w+ to \w+),? (.+)$", r"\2 \1"),
    (r"^(?:show|tell|explain)(?: (?:me|us))? where (.+?) (?:lies?|sits?|is|are)$", r"where is \1"),
    (r"^(?:are|is) (?:the |both |the two )*(.+?) (?:roughly |about )?a?symmetric(?:al)?$",
     r"which \1 is larger, left or right"),
    (r"^how a?symmetric(?:al)? (?:are|is) (?:the |both |the two )*(.+)$",
     r"which \1 is larger, left or right"),
    (r"^(?:is|are) there (?:an? |any )*(?:size )?a?symmetry (?:of|between|in|among) (?:the |both "
     r"|the two )*(.+)$", r"which \1 is larger, left or right"),
    (r"^(.+?)(?:[:,]| -) (how \w+|where)$", r"\2 is \1"),
    (rf",? \b{_ADVERB}\b,?", ""),
    (r"^(.+?) (has|have|is|are) (which|what|how) "
     r"(volumes?|sizes?|much volume|large|big|long|wide)$",
     r"\3 \4 \2 \1"),
    (r"^(.+?) (makes? up|accounts? for|constitutes?|fills?|occup(?:y|ies)|takes? up|covers?) "
     r"(?:what|which|how much) (percentage|share|portion|proportion|fraction|part) of (.+)$",
     r"what \3 of \4 does \1 fill"),
    (rf"^((?:by )?(?:how|what)\b.*?\b{_MORE} .*?)\b(?:compared|in comparison|relative) "
     "(?:with|to) ", r"\1than "),
    (r"^(?:what is )?(?:the )?(?:total |overall |whole |entire )?(?:amount|quantity) of ",
     "what is the volume of "),
    (r"^add (?:up |together )?(?:the )?(volumes?|sizes?) of ", r"what is the sum of the \1 of "),
    (rf"^(?:in |on |at )?(?:what|which) (?:part|area|region|place|location|position)"
     rf"(?: (?:of|in) (?:the|this) {_WHOLE_IMAGE})? (?:is|are|does|do) (.+?)"
     r"(?: (?:lie|sit|located))?$",
     r"where is \1"),
    (rf"^where (?:in|within|inside) (?:the|this) {_WHOLE_IMAGE} ", "where "),
    (r"^where (?:does|do) (.+) (?:lie|sit|begin|reside|stand)$", r"where is \1"),
    (rf"^(?:can|could|would|will) you (?:please )?(?={_DO}|{_LOCATE})", ""),
    (rf"^{_LOCATE} (?:me |us )?", "where is "),
    (rf"^(?:show|display|highlight|mark) (?:me |us )?(?!.*\b(?:{_NOUNS}|{_LENGTHS})\b)",
     "where is "),
    (rf"^{_DO} (?:me |us )?(?=(?:the|a|an)\b|.*['\u2019]s? )", ""),
    (r"^do you know ", ""),
    (r"^(?:tell|give|show) (?:me|us) ", ""),
    (r",? please$", ""),
    (r"^(?:(?:me|us) )?(?:an? |the )?(?:estimate|estimation|measurement|measure|figure) "
     "(?:of|for) ", ""),
    (r"^(what|where|which|how)['\u2019]s\b", r"\1 is"),
    (rf"^what (does|do) (.+) (?:measure|come to|amount to) in {_ML}$",
     r"how many ml \1 \2 measure"),
    (r"^what (?!is\b|are\b|does\b|do\b)(the .+) (is|are)$", r"what \2 \1"),
    (r"^(where|how \w+) (?!is\b|are\b|does\b|do\b|many\b|much\b|can\b)(.+) (is|are)$", r"\1 \3 \2"),
    (_POSSESSIVE, r"what is the \2 of \1"),
    (r" from (?:each|one an)other$", ""),
    (r" (?:on average|in (?:this|the) (?:image|scan)|located|situated)$", ""),
    (r",? in (?:ml|cc|[cm]m[3³]?|(?:milli|centi|deci)?lit(?:re|er)s"
     r"|(?:cubic )?(?:centi|milli)met(?:re|er)s|hu|hounsfield units)$", ""),
    (r"^where (?:can|do|could) (?:i|we|you|one) (?:find|see|locate) ", "where is "),
    (r"^whereabouts (is|are) ", r"where \1 "),
    (r"^what size (is|are|has|have) (?!the (?:image|scan)\b|this\b)(.+)$", r"how large \1 \2"),
    (r"^(?!.*\bcompare\b)(.+) (?:in|by) (?:volume|size)$", r"\1"),
    (r"^(?:what (?:is|are) )?(?:the )?(?:location|position|coordinates) of ", "where is "),
    (rf"^(?:the )?(?={_SUPERLATIVE} |standard deviation )", "what is the "),
    (rf"^(?:the )?(?=(?:largest|biggest|smallest) {_LENGTHS}\b)", "what is the "),
    (r"^(?:the )?(?=(?:largest|biggest|smallest) \S+$)", "which is the "),
    (rf"^(?:the )?(?={_LENGTHS} of )", "what is the "),
    (r"^(?:the )?(?=(?:in-?plane )?(?:voxel|pixel|slice) (?:size|spacing|thickness|distance)\b)",
     "what is the "),
    (_CENTER, r"\1"),
    (_CENTER, r"\1"),
    (r"^(how far .*?|.*?\bdistance .*?)\bthat of (?:the )?", r"\1"),
]  # fmt: skip
_COMPILED = [(re.compile(pattern, re.IGNORECASE), to) for pattern, to in _REWRITES]


def plain_wording(question: str) -> str:
    """A question without courtesies, contractions, possessives and the unit that it asks for."""
    text = " ".join(question.split()).strip(" ?.!")
    for pattern, replacement in _COMPILED:
        text = pattern.sub(replacement, text)
    return text.strip()
