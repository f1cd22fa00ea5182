"""Abbreviations and turns of phrase of clinicians, in the words that the patterns know."""

from __future__ import annotations

_MM = r"(?:mm|cm|(?:milli|centi)met(?:re|er)s)"
_CENTRES = r",? cent(?:re|er)[ -]to[ -]cent(?:re|er)$"
_SHARE = r"(percentage|per ?cent|share|portion|proportion|fraction)"
_MODALITY = r"(?:an? )?(?:ct|mri?|pet)"
_ACROSS = r"(cranio-?caudal|ap|antero-?posterior|transverse)"
_ASKED = r"(?:(?:give|tell|show) (?:me|us) )?(?:what is )?(?:the )?"

CLINICAL_REWRITES = [
    (r"^(?:roughly|approximately|about) ", ""),
    (r" to (?:one|two|three|\d) decimals?(?: places?)?$", ""),
    (r"^vol\b\.?", "volume"),
    (r"\bsplenic (?=volumes?\b|size\b)", "spleen "),
    (r"\bhepatic (?=volumes?\b|size\b)", "liver "),
    (r"\b(gr[ae]y|white) and (gr[ae]y|white) matter\b", r"\1 matter and \2 matter"),
    (r"^what do all (?:four )?(.+?) (?:come|amount|add up) to(?: in \S+)?$",
     r"what do \1 measure together"),
    (r"\ball four ventricles\b", "all ventricles"),
    (r"^(how many \S+) (?:would|could|might) (.+?) (?:hold|have|contain|measure)$",
     r"\1 does \2 contain"),
    (r"^sum (?:up )?(?:the )?(?:volumes? of )?(?:the )?", "what is the total volume of "),
    (r"^what (do|does) (.+?) (?:amount|come|add up) to (?:in total|altogether|together)$",
     r"what \1 \2 measure together"),
    (r"^how (?:does|do) (.+?) volumes? (?:stack up against|compare (?:to|with)) (.+?)"
     r"(?: volumes?)?$",
     r"compare \1 with \2"),
    (r"^(?:which|what) (hemisphere|side|half) (?:houses|holds|contains) (.+)$",
     r"in which \1 is \2"),
    (rf"^how many {_MM} separate (.+?) (?:and|from) (.+)$", r"how far apart are \1 and \2"),
    (rf"^(how far apart .+?){_CENTRES}", r"\1"),
    (rf"^{_ASKED}{_ACROSS} (?:size|diameter|extent|length|height|dimension|measurement) of ",
     r"what is the \1 extent of "),
    (rf"^{_ASKED}peak (?=intensity|signal|density|attenuation|hu\b|value)", "what is the maximum "),
    (r"^how much does (?:the )?(signal|intensity) (?:scatter|fluctuate|spread) ",
     r"how much does the \1 vary "),
    (r"^((?:by )?how much (?:larger|bigger|smaller) .+?),? in (?:percent|per cent|%)$", r"\1"),
    (rf"^(.+?)(?: volume)? as an? {_SHARE} of (.+?)(?: volume)?$", r"what \2 of \3 does \1 fill"),
    (r"^how thick (?:is|are) (?:each|one|the|a) (?:cut|section)s?$", "how thick is one slice"),
    (rf"^is (?:it|this) {_MODALITY} or {_MODALITY}$", "what modality is this"),
]  # fmt: skip
"""Patterns and what replaces them, in this order; case does not count."""
