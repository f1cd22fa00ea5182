"""Patterns of words that deny a finding, put it in doubt, or end what is denied.

The tables of `negation`, in the manner of NegEx: triggers in front of a finding, triggers behind
it, words that only look like a trigger, and what ends a scope. All are pieces of regular
expressions, matched without regard to case.
"""

from __future__ import annotations

NOT = "(?:cannot|\\w+n['\u2019]t|not|never)"
SEEN = (
    "(?:seen|identified|noted|present|evident|detected|visuali[sz]ed|appreciated|demonstrated"
    "|observed|found|apparent|shown|visible|confirmed|recogni[sz]ed|delineated|depicted|encountered"
    "|discerned|discernible|detectable|noticed|exhibited|documented|demonstrable|identifiable"
    "|in\\s+evidence)"
)
_REPORTED = f"(?:{SEEN}|described|mentioned|imaged|reported|included|documented|known)"
QUALIFIER = (
    "(?:(?:significant|interval|definite|appreciable|substantial|further|relevant|obvious|gross"
    "|major|real|clear|other|new|acute|evidence\\s+of|signs?\\s+of|hemorrhagic|any)\\s+)*"
)
CHANGES = (
    "(?:changes?|increase|decrease|worsening|improvement|progression|enlargement|growth|difference"
    "|reduction|resolution|clearing|clearance|displacement|transformation|rupture|complications?|migration"
    "|alteration|variation|expansion|shrinkage|evolution|extension|deterioration|regression|spread|disappearance|removal)"
)
_PRIOR = (
    "(?:(?:on|in|at|by|of|study|scan|examination|radiograph|ct|mri|the|an?|any|all|most|recent|this|his|her|last|multiple)\\s+)*"
    "(?:prior|previous(?:ly)?|earlier|before(?:hand)?|comparison|initial|baseline|yesterday|last"
    "|formerly|preceding|(?:january|february|march|april|may|june|july|august|september|october|november"
    "|december)|(?:\\w+\\s+){1,3}ago|admission|presentation|arrival|old|older|(?:19|20)\\d\\d)"
)
_LEFT_OVER = (
    "(?:partial(?:ly)?|partly|near(?:ly)?|almost|incomplete(?:ly)?|subtotal(?:ly)?|mostly|largely"
    "|minimal(?:ly)?|not|n['\u2019]t|some)"
)
_REMOVAL = "(?:removal|resection|excision|extraction|evacuation)"
_CHANGED = (
    "(?:increas(?:ed|ing)|decreas(?:ed|ing)|chang(?:ed|ing)|grow(?:n|ing)|enlarg(?:ed|ing)"
    "|wors(?:e(?:ned)?|ening)|improv(?:ed|ing)|moved|progress(?:ed|ing)|shr(?:unk|inking)|advanced"
    "|expand(?:ed|ing)|altered|evolved|larger|smaller|bigger|spread(?:ing)?|extended|displaced"
    "|migrated|ruptured|transformed)"
)
_GONE = (
    "(?:resolution|resolved|cleared|clearing|clearance|removal|removed|resection|resected|gone|excision"
    "|excised|disappear(?:ed|ance)|evacuated|evacuation|passed)"
)
_STUDY = (
    "(?:priors?|comparisons?|contrast(?!\\s+(?:enhanc|extravas|leak))|follow[\\s-]?up|biops(?:y|ies)"
    "|treatment|therapy|imaging|images?|stud(?:y|ies)|difficult(?:y|ies)|work-?up|intervention"
    "|surgery|sedation|an(?:a)?esthesia|premedication|examinations?|recommendation|management|action|views?|surveillance"
    "|fat[\\s-]+(?:sat(?:uration)?|suppression)|gadolinium|gating|magnification"
    "|compression(?!\\s+(?:fracture|deformit|of))|attenuation\\s+correction|sequences?|reformat\\w*"
    "|reconstructions?|projections?|breath[\\s-]?hold\\w*)"
    "(?!\\s+(?:evidence|signs?|findings?))"
)

NOT_DENIALS = (
    f"(?:no|not|without(?:\\s+any)?)\\s+{QUALIFIER}(?:resolution|clearing|removal|disappearance)",
    f"{NOT}\\s+(?:been\\s+)?{QUALIFIER}(?:increased?|decreased?|changed?|grown?|enlarged?|enlarging"
    "|worse(?:ned)?|improved?|moved?|progressed|shrunk|advanced|expanded|altered|evolved)",
    f"neither(?=[^.;]*\\bnor\\b[^.;]*\\b(?:has|have|is|are)\\s+(?:\\w+ly\\s+)?{_CHANGED})",
    f"nor(?=[^.;]*\\b(?:has|have|is|are)\\s+(?:\\w+ly\\s+)?{_CHANGED})",
    f"{NOT}\\s+(?:(?:been|made|yet|\\w+ly)\\s+)*(?:informed|aware|notified|told|advised|called"
    "|performed|obtained|done|ordered|indicated|intended|designed|tailored|optimi[sz]ed)",
    f"{_LEFT_OVER}\\s+(?:\\w+\\s+){{1,3}}?{_REMOVAL}",
    f"{NOT}\\s+(?:only|necessarily|just|simply|all|in\\s+doubt|surprising|uncommon|insignificant"
    "|unexpected|unusual)",
    "(?:no|without(?:\\s+any)?|beyond)\\s+(?:\\w+\\s+)?(?:doubt|question)(?:\\s+that)?",
    "(?:no|without(?:\\s+any)?)\\s+(?:(?:further|prior|previous|specific|additional|intravenous"
    f"|iv|available|relevant|routine|immediate|recent|old)\\s+)*{_STUDY}",
    "without\\s+(?:\\w+\\s+)?(?:contrast(?!\\s+(?:enhanc|extravas|leak))|difficulty)",
    f"without\\s+an?\\s+(?:\\w+\\s+)?{_STUDY}",
    "(?:no|not|neither)\\s+(?:(?:any|much|significantly|appreciably|substantially)\\s+)?"
    "(?:\\w+er|more|less|worse|different)\\s+(?:\\w+\\s+){0,3}?(?:than|from)",
    "(?:no|without(?:\\s+any)?)\\s+(?:\\w+\\s+){0,2}?(?:evidence|signs?|indications?|suggestions?"
    f"|proof)\\s+that(?=[^,;]*\\b(?:has|have|is|are)\\s+(?:\\w+ly\\s+)?{_CHANGED})",
    "no\\.\\s*\\d+",
    "(?:no|without(?:\\s+any)?)\\s+(?:\\w+\\s+)?(?:evidence|signs?|indications?|suggestions?)\\s+of\\s+"
    f"(?:the|this|that|his|her)\\s+(?:[\\w-]+\\s+){{1,4}}?{_CHANGED}",
    f"absent\\s+{_PRIOR}",
    "(?:gram|false)[\\s-]+negative",
    "nothing\\s+(?:except|but|other\\s+than)",
    "no\\s+(?:sooner|wonder|surprise|mistak\\w+|denying)",
    f"(?:slow|gradual|ongoing|continu(?:ed|ing)|beginning|early|progressive)\\s+{_GONE}",
    f"{NOT}\\s+(?:quite\\s+)?(?:reach|cross|enter|traverse)(?:es|s)?",
    f"{_LEFT_OVER}[\\s-]+(?:(?:complete(?:ly)?|been|yet|fully|entirely|total(?:ly)?)[\\s-]+)*{_GONE}",
    f"{NOT}\\s+(?:(?:be|been)\\s+)?{_REPORTED}\\s+{_PRIOR}",
    f"{NOT}\\s+(?:(?:be|been)\\s+)?{_REPORTED}\\s+(?:well|fully|completely|entirely|adequately|optimally"
    "|in\\s+(?:full|its\\s+entirety))",
    "(?:prior|previous|earlier|old|initial|first|comparison|outside|last)\\s+(?:\\w+\\s+){1,3}?(?:did|does|had)(?:"
    "\\s+not|n['\u2019]t)\\s+(?:yet\\s+)?(?:show|reveal|demonstrate|mention|include|depict)(?:ed|n)?(?=\\s+(?:this|the|that"
    "|these|those)\\b)",
    f"{NOT}\\s+(?:(?:be|been)\\s+)?previously\\s+{_REPORTED}",
    f"previously\\s+(?:not\\s+{_REPORTED}|un\\w+)",
)
"""Words that look like a denial and are none."""

_SHOW = (
    "(?:show(?:s|n|ing)?|reveal(?:s|ed)?|demonstrate[ds]?|see|identify|visuali[sz]e|detect|find"
    "|appreciate|observe|note|exhibit|display|have|support|favou?r|in\\s+keeping|typical"
    "|characteristic|diagnostic|convincing|suggest(?:ive)?|indicate|suspicious|concerning|suspected|consistent"
    "|compatible|represent)"
)
DENIED_AHEAD = (
    f"no\\s+longer\\s+{SEEN}\\s+(?:is|are|was|were)",
    "no",
    "without",
    "w/o",
    "nor",
    "neither",
    "zero",
    "none\\s+of\\s+(?:the\\s+(?:following|above)|these)\\s*:?",
    "none\\s+of\\s+(?:[\\w-]+\\s+){1,4}?(?:shows?|reveals?|demonstrates?|contains?|has|have)",
    "nil",
    "absent(?:\\s+(?:is|are|was|were))?",
    "lack(?:s|ing|ed)?(?!\\s+of)",
    "inconsistent\\s+with|unremarkable\\s+for",
    "denie[sd]",
    f"{NOT}\\s+(?:(?:\\w+ly|to|be|an?|any|thought|felt|believed)\\s+)*{_SHOW}",
    f"{NOT}\\s+(?:an?|any)",
    "(?:free|clear|devoid|void)\\s+(?:of|from)",
    "(?:normal|clear|negative|unremarkable)\\s+(?:\\w+\\s+)?as\\s+far\\s+as",
    "negative\\s+(?:(?:\\w+\\s+){0,3}?(?:for|as\\s+(?:to|regards))|(?:with\\s+(?:respect|regard)\\s+to|as\\s+(?:to|regards)))",
    "nothing\\s+(?:(?:here|there|else|seen|visible|elsewhere)\\s+)*(?:(?:to|that|which)\\s+)?"
    "(?:(?:would|could|might)\\s+)?(?:suggests?|indicates?|supports?|points?\\s+(?:to|towards?)"
    "|looks?\\s+like|resembles?)",
    "nothing\\s+(?:in\\s+the\\s+way\\s+of|by\\s+way\\s+of|of(?!\\s+(?:note|concern|significance))|like"
    "|resembling|pointing\\s+(?:to|towards?)|amounting\\s+to"
    "|(?:remains|remained|is\\s+left|is\\s+seen|persists)\\s+of)(?:\\s+(?:the|an?|any))?",
    "(?:at|in|on)\\s+no\\s+\\w+\\s+(?:is|are|was|were)\\s+(?:there|any)",
    "spared\\s+(?:from|of|by)",
    "nowhere(?:\\s+(?:is|are|was|were)\\s+(?:there|any))?",
    "(?:hardly|scarcely|barely)\\s+any(?=.*\\bnone\\b)",
    "(?:argues?|speaks?|militates?)\\s+against",
    "(?:absence|lack|resolution|removal|clearing|clearance|disappearance|resection|excision|evacuation)\\s+of",
    "(?:fails?|failed)\\s+to\\s+(?:show|reveal|demonstrate|identify|find|detect|visuali[sz]e|disclose"
    "|yield|uncover|see|locate|confirm|bring\\s+out)",
    "rule[sd]\\s+out|excludes",
    "(?:rather\\s+than|instead\\s+of|as\\s+opposed\\s+to|in\\s+lieu\\s+of)",
    "resolved",
    "unlikely(?:\\s+to\\s+(?:be|represent|reflect|indicate))?",
)
NOT_AHEAD = (NOT,)
"""Denies what follows up to the next comma or conjunction only."""

_NOT_OUT = f"(?:{NOT}|difficult|hard|impossible|unable|fails?|failed)"
_LAST = (
    "(?=\\s*(?:[.,;:)]|\\Z|\\b(?:on|in|by|with|from|at|here|without|given|because|due|owing)\\b))"
)
_DISMISSED = "(?:excluded|ruled\\s+out|dismissed|refuted|discounted|denied)"
_UNLIKELY = "(?:unlikely|improbable)"
IN_DOUBT = (
    "(?:(?:remains?|needs?|has|have|is|are)\\s+(?:yet\\s+|still\\s+)?to|should|must)\\s+be\\s+(?:excluded|ruled\\s+out)",
    f"{NOT}\\s+(?:be|been)\\s+(?:\\w+ly\\s+)?(?:assessed|evaluated|determined|judged|clarified)",
    f"(?:{_UNLIKELY}|{NOT}\\s+(?:{SEEN}|likely))\\s*,?\\s*(?:but|although|though|yet)\\s+(?:\\w+\\s+)?"
    f"{NOT}\\s+(?:(?:be|been|yet|\\w+ly)\\s+)*(?:excluded|ruled\\s+out)",
    f"{NOT}\\s+(?:(?:be|been|yet|\\w+ly)\\s+)*{_DISMISSED}",
    f"(?:{NOT}|neither)\\s+(?:(?:be|been|yet|\\w+ly)\\s+)*(?:confirmed|verified|proven|diagnosed)\\s+"
    f"n?or\\s+(?:(?:be|been|\\w+ly)\\s+)*{_DISMISSED}",
    "(?:(?:is|are|was|were|would\\s+be|remains?)\\s+)?(?:difficult|hard|impossible)\\s+to\\s+"
    f"(?:exclude|rule\\s+out){_LAST}",
)
NOT_EXCLUDED = (
    f"{_NOT_OUT}\\s+(?:[\\w-]+\\s+){{0,4}}?(?:exclude|rule\\s+out)",
    f"{_NOT_OUT}\\s+(?:[\\w-]+\\s+){{0,4}}?exclusion\\s+of",
    "exclude|rule\\s+out|r/o|evaluate\\s+for",
    "nothing\\s+(?:\\w+\\s+){0,3}?(?:excludes?|rules?\\s+out)",
    "(?:not\\s+(?:certain|sure|clear|known)|unclear|uncertain|unsure|unknown)\\s+(?:if|whether)",
    f"{_NOT_OUT}\\s+(?:to\\s+)?(?:be\\s+)?(?:\\w+ly\\s+)?(?:certain|sure|confident|positive|say|state)\\s+"
    "(?:(?:that|of)\\s+)?(?:there\\s+(?:is|are)\\s+)?(?:no|not\\s+an?y?|the\\s+absence\\s+of)",
    "(?:as\\s+to\\s+)?whether(?:\\s+or\\s+not)?",
    f"{_NOT_OUT}\\s+(?:[\\w-]+\\s+){{0,2}}?(?:tell|say|know|decide|determine|assess)"
    "\\s+(?:if|whether)",
)

_BE = "(?:is|are|was|were|be|been|considered|thought|felt|deemed|judged|seems?|appears?)"
DENIED_BEHIND = (
    f"(?:{NOT}|no\\s+longer)\\s+(?:(?:been|be|\\w+ly)\\s+)*{SEEN}(?!\\s+(?:is|are|was|were|to)\\b)",
    f"{_BE}\\s+(?:(?:now|very|highly|most|thus|\\w+ly)\\s+)*(?:absent|excluded|gone|ruled\\s+out"
    f"|resolved|negative(?!\\s+(?:(?:\\w+\\s+){{0,3}}?for\\b|with\\s+re|as\\s+(?:to|re)))|{_UNLIKELY}(?!\\s+to\\b))",
    f"{_BE}\\s+not\\s+(?:\\w+ly\\s+)?(?:likely|probable|suspected|favou?red)",
    f"{_BE}\\s+not\\s+(?:an?\\s+)?(?:feature|part|finding|concern|consideration)\\b",
    "can\\s+(?:(?:now|\\w+ly)\\s+)*be\\s+(?:excluded|ruled\\s+out|dismissed|discounted|discarded|refuted)",
    f"{_BE}\\s+not\\s+what",
    "there\\s+(?:is|are|was|were)\\s+no\\s+(?:signs?|evidence|traces?|indication|suggestion|hint)"
    "(?=\\s*(?:[.,;]|\\Z))",
    f"{_BE}\\s+nowhere\\s+(?:to\\s+be\\s+)?(?:{SEEN}|in\\s+sight)",
    f"{_BE}\\s+no\\s+more(?=\\s*(?:[.,;]|\\Z))",
    f"{NOT}\\s+(?:\\w+ly\\s+)?(?:see|find|identify|detect|have|perceive)\\s+(?:one|any|it|this|them|these)"
    "(?=\\s*(?:[.,;]|\\Z))",
    "(?:there\\s+(?:is|are|was|were)|(?:i|we)\\s+(?:see|saw|find|found)|in\\s+(?:fact|truth)|indeed)\\s+none"
    "(?=\\s*(?:[.,;]|\\Z))",
    "(?:on|in|at)\\s+neither(?:\\s+(?:side|one|\\w+))?(?=\\s*(?:[.,;]|\\Z))",
    "(?:has|have|had)\\s+(?:(?:\\w+ly|since|now|all)\\s+)*(?:resolved|cleared|disappeared|passed"
    "|gone(?:\\s+away)?(?!\\s+(?:down|up|from|to|into))|vanished|subsided|dissipated|abated)",
    "(?:has|have|had)\\s+(?:(?:\\w+ly|since|now|been)\\s+)*been\\s+(?:\\w+ly\\s+)?"
    "(?:removed|excluded|ruled\\s+out|dismissed|discounted|refuted|disproved"
    "|resected|evacuated|excised|passed|extracted|retrieved|(?:re-?)?absorbed|dissolved)",
    "(?:(?:now|since|completely|fully|entirely)\\s+)+(?:resolved|cleared|removed|excluded|gone)",
    f"{_BE}\\s+(?:lacking|missing|wanting)(?=\\s*(?:[.,;]|\\Z))",
    "none\\s+of\\s+(?:significance|note|concern|importance|any\\s+kind)",
    "(?:is|are|was|were)\\s+not(?=\\s*(?:[.;]|\\Z))",
    f"{_BE}\\s+(?:thought|felt|considered|deemed|judged)\\s+(?:to\\s+be\\s+)?(?:\\w+\\s+){{0,2}}?{_UNLIKELY}(?!\\s+to\\b)",
    f"(?:has|have|had|is|are|was|were)\\s+[\\w\\s-]{{1,30}}?\\band\\s+(?:cannot|can\\s+no\\s+longer|could\\s+not)\\s+be\\s+"
    f"(?:\\w+ly\\s+)?{SEEN}",
    f"(?:{_BE}|has|have|had)\\s+[\\w\\s-]{{0,40}}?\\band\\s+(?:is|are|has|have)\\s+"
    f"(?:(?:now|been|\\w+ly)\\s+)*(?:gone|resolved|absent|no\\s+(?:more|longer\\s+{SEEN})|{NOT}\\s+(?:(?:been|\\w+ly)\\s+)*{SEEN})",
    "(?:was|were|has\\s+been|have\\s+been)\\s+(?:\\w+ly\\s+)?\\w+ed\\s+and\\s+(?:does|do|did|has|have|is|are)\\s+not"
    "\\s+(?:\\w+ly\\s+)?(?:recur(?:red)?|reappear(?:ed)?|return(?:ed)?|come\\s+back)",
    "(?:was|were)\\s+(?:\\w+ly\\s+)?(?:removed|resected|evacuated|excised)",
    f"{_BE}\\s+(?:\\w+ly\\s+)?(?:looked|searched|checked|sought|tested|screened|assessed|evaluated"
    "|suspected|questioned|considered|expected)(?:\\s+for)?(?:\\s+\\w+ly)?,?\\s+(?:but|and|yet|though"
    "|although)\\s+(?:(?:is|are|was|were|has|have|could|can)\\s+)*"
    f"{NOT}\\s+(?:(?:be|been|\\w+ly)\\s+)*{SEEN}",
    f"{NOT}\\s+(?:(?:be|been|\\w+ly)\\s+)*(?:made\\s+out|borne\\s+out|corroborated|substantiated|picked\\s+up|located|locali[sz]ed|traced"
    "|perceived|perceptible|resolvable|displayed|established|proven|reproduced)",
    "(?:does|do|did)(?:\\s+not|n['\u2019]t)\\s+(?:exist|occur|recur|appear|persist|remain|develop|form|arise|ensue)\\b"
    "(?!\\s+to\\b)",
    f"none\\s+(?:(?:is|are|was|were|has|have|been|\\w+ly)\\s+)*{SEEN}",
)
REMOVED = (_REMOVAL,)
DONE = ("after|following|since|post|interval|prior|previous",)
"""In front of a removal that was done, not planned."""
REMOVED_FROM = ("\\b(?:after|following|since|post|for|with|and|or|before|during)\\b", ",")
"""What is removed begins behind these: "no pneumothorax after chest tube removal"."""
_ARISES = (
    "(?:suspected|suspicion|concern|develops?|occurs?|arises?|recurs?|appears?|considered|present|found"
    "|questioned|seen|confirmed)"
)
EITHER = (
    f"{NOT}\\s+(?:\\w+ly\\s+)?be\\s+(?:\\w+ly\\s+)?(?:told|distinguished|differentiated|discriminated"
    "|separated(?!\\s+from\\s+the\\b))"
    "(?:\\s+apart)?\\s+from",
    "versus|vs\\.?|(?:is|are)\\s+(?:favou?red|preferred)\\s+over",
)
DOUBT_AHEAD = (
    "exclusion\\s+of(?=[^;]*\\b(?:not\\s+(?:\\w+ly\\s+)?possible|impossible|difficult|limited))",
    "possib(?:le|ly|ility\\s+of)",
    "probabl[ey]|perhaps|maybe|potential(?:ly)?|conceivabl[ey]|presumptive|doubtful|query",
    "(?:suggestion|hint|(?<!no\\s)question|suspicion)\\s+of",
    "favou?r(?:s|ed|ing)?",
    "(?:most\\s+|less\\s+)?likely",
    "(?:may|might|could)\\s+(?:(?:\\w+ly|well|also|still|yet|even|just)\\s+)*(?:represent|reflect|indicate|be|suggest|have)",
    "suspect(?:ed|s)?|suspicio(?:us|n)\\s+(?:for|of)|suggest(?:s|ive\\s+of|ing)?",
    "concern(?:ing)?\\s+(?:for|about)|worr(?:isome|ying)\\s+for"
    "|(?<!no\\s)(?<!without\\s)(?<!beyond\\s)question(?:able|\\s+of)?"
    "|presum(?:ed|ably)|equivocal",
    "(?:appears?|seems?)\\s+to\\s+(?:be|represent)",
    "would\\s+(?:\\w+ly\\s+)?(?:be\\s+)?(?:in\\s+keeping|consistent|compatible|fit|suggest|support)(?:\\s+with)?",
    "wonder(?:s|ed|ing)?\\s+(?:about|if)",
    "consider(?!ed|able)|think\\s+of",
    "(?:correlate|correlation)\\s+(?:\\w+\\s+){0,2}?for",
    f"{_BE}\\s+(?:thought|believed|felt|judged|presumed|assumed)\\s+to\\s+(?:be|represent|reflect"
    "|indicate)",
    "(?:look(?:ing)?|search(?:ing)?|check|screen|assess|monitor|watch|surveillance)\\s+for",
    "unless|in\\s+(?:case|the\\s+event)\\s+of",
    "(?:^|(?<=[.;]\\s))(?:were|had|should)\\s+there\\b(?=[^.;]*\\b(?:would|could|might|should)\\b)",
    f"(?:if|should)(?=[^,;]*\\b{_ARISES}\\b)",
    "(?:^|(?<=\\s))\\?(?=\\s+\\w)",
    *NOT_EXCLUDED,
    *EITHER,
)
_NO_VERB = (
    "(?!\\b(?:no|not|without|nor|neither|none|negative|free|is|are|was|were|has|have|for|both|which|that"
    "|could|may|might|can|would|should)\\b)[\\w-]+"
)
BARE_CHOICE = f"\\A\\s*(?:{_NO_VERB}\\s+){{1,4}}or(?:\\s+{_NO_VERB}){{1,4}}\\.?\\s*\\Z"
"""A sentence of two names without a verb: "Abscess or hematoma."."""
DOUBT_OF_ALL = (
    "differentials?(?:\\s+(?:diagnos[ie]s|considerations?))?\\s*(?:includes?|is|are|:)",
)
"""Puts all of a list in doubt, "and" or not."""
DOUBT_BEHIND = (
    *IN_DOUBT,
    "(?:is|are|remains?|seems?|appears?|looks?)\\s+(?:also\\s+)?(?:possible|probable|likely|unlikely|suspected|questioned"
    "|considered|questionable|equivocal(?!\\s+(?:for|as|with))|(?:uncertain|not\\s+certain)(?!\\s+(?:if|whether)))",
    f"{_BE}\\s+(?:thought|felt|considered|deemed|judged)\\s+(?:to\\s+be\\s+)?(?:(?:less|more|quite|very|most)\\s+)?"
    "(?:likely|possible|probable)",
    "(?:may|might|could)\\s+(?:well\\s+)?(?:exist|be\\s+(?:present|there|considered))",
    "(?:is|are|remains?)\\s+(?:favou?red(?!\\s+over)|doubtful|conceivable|to\\s+be\\s+considered"
    "|in\\s+(?:question|the\\s+differential))",
    "(?:is|are|remains?)\\s+(?:also\\s+)?(?:an?|one)\\s+(?:\\w+\\s+)?"
    "(?:possibility|consideration|concern)",
    "(?:was|were)\\s+(?:\\w+ly\\s+)?(?:suspected|queried|questioned)(?=\\s*(?:\\w+ly\\s*)?(?:[.,;]|\\Z))",
    "(?:should|must|(?:has|have|needs?|ought)\\s+to)\\s+(?:\\w+\\s+)?be\\s+(?:considered|sought|suspected"
    "|(?:looked|searched|checked)\\s+for|kept\\s+in\\s+mind|thought\\s+of|borne\\s+in\\s+mind)",
    "(?:may|might|can|could)\\s+(?:\\w+ly\\s+)?(?:(?:have\\s+been|be)\\s+(?:missed|overlooked|masked|obscured|hidden|occult)"
    "|(?:lie|stay|remain)\\s+(?:hidden|undetected|occult)|escape|go\\s+(?:undetected|unnoticed|unseen)|elude|evade)",
    "(?:would|could|may|might)\\s+be\\s+(?:an?|one|another|the)\\s+(?:\\w+\\s+)?"
    "(?:explanation|possibility|cause|consideration|candidate|alternative)",
    "(?:is|are|was|were)\\s+suggested",
    "(?:is|are|remains?|stays?)\\s+(?:still\\s+)?(?:on|in|among|within)\\s+(?:the\\s+)?(?:list|differential"
    "|possibilities)",
    "(?:seems?|appears?)\\s+to\\s+be\\s+(?:present|there|visible)",
    "if\\s+(?:one|it|any|there|they|this|these)\\s+(?:is|are|was|were)\\b",
    "(?<=\\S)\\?(?!\\s*(?:yes|present|positive)\\b)",
)

LISTED = (
    "(?:small|tiny|trace|mild|moderate|stable|unchanged|persistent|minimal|large|severe|extensive"
    "|chronic|known|old|multiple|bibasilar|bilateral)"
)
END = (
    ";",
    ",\\s*(?:only|just|merely|solely)\\b",
    "\\b(?:with\\s+the\\s+exception\\s+of|save\\s+for|bar)\\b",
    "\\b(?:but|however|nevertheless|though|although|yet|except|aside\\s+from|apart\\s+from"
    "|other\\s+than|besides|whereas|while|(?<!that\\s)(?<!whether\\s)(?<!if\\s)"
    "there\\s+(?:is|are|remains?|has\\s+been))\\b",
    f"\\b{SEEN}\\s*(?:,|,?\\s*(?:and|with)\\b)",
)
_CAUSE = (
    "despite|in\\s+spite\\s+of|since|due\\s+to|because\\s+of|caused\\s+by|secondary\\s+to|even\\s+with"
    "|given|after|following|as\\s+a\\s+(?:result|consequence)\\s+of|resulting\\s+from"
    "|attributable\\s+to|(?:associated|along)\\s+with|related\\s+to|status\\s+post"
    "|in\\s+(?:the\\s+(?:presence|setting|context)\\s+of|(?:this|an?)\\s+patient\\s+with)"
)
END_OF_DENIAL = (
    # "No pneumothorax, small effusion": the list of what is missing would have gone on with "or".
    f",\\s*(?:and\\s+)?(?={LISTED}\\b)(?!.*\\b(?:or|nor)\\b)",
    f",\\s*(?=(?:{'|'.join(DOUBT_AHEAD)})\\s)",
    f"(?<=\\w)\\s*,?\\s+(?:and|with)\\s+(?=(?:an?|{LISTED})\\b)",
    f"\\b(?:{_CAUSE})\\b",
    f"\\b{CHANGES}(?:\\s+in\\s+(?:the\\s+)?(?:size|extent|number|appearance|volume|degree))?"
    "\\s+(?:of|in)\\b",
    "(?<!that\\s)(?<!which\\s)\\b(?:is|are|was|were|has|have|does|do)\\s+"
    "(?!\\w+\\s+(?:of|for|to)\\b)",
)
END_OF_NOT = (",", "\\b(?:and|or|so|because|which|that)\\b")
SPARED = (
    "(?<=\\w)\\s+(?:(?:around|surrounding|adjacent\\s+to|near|underlying|within|beneath|beside|into|inside"
    "|through|across|behind|between|against|throughout|complicating|compressing|involving"
    "|distal\\s+to|proximal\\s+to|next\\s+to|abutting)"
    "|(?:of|in|at|by|from|on|along|about|to)\\s+(?:the|an?|this|that|these|those|his|her|known))\\b"
)
"""What follows these stands there: "no edema around the mass"."""
NOT_SPARED = (
    "\\b(?:evidence|signs?|indications?|suggestions?|features?|findings?|suspicion|concern|hint"
    "|recurrence|remnants?|residuals?|traces?|portion|parts?|presence|appearance|stigmata|support|proof"
    "|basis|grounds|reason|diagnosis)(?:\\s+(?:whatsoever|at\\s+all))?"
)
"""Of what stands behind these nothing is spared: "no sign of the mass"."""
RESUMED = (
    "[,;]|\\b(?:or|and|nor|suggest\\w*|to\\s+(?:suggest|indicate)|suspicious|concerning|that"
    "|which)\\b"
)

END_OF_DOUBT = (",(?!.*\\bor\\b)", "\\band\\b(?!.*\\?)")
# "Mass, suspicious for glioma versus metastasis": what "versus" says begins behind "for".
# "Effusion, empyema not excluded": without a verb, only the last of the two is in doubt.
NOT_ENDED = (
    ",(?=(?:(?!\\b(?:is|are|was|were|be|been|or|and|nor)\\b)[\\w\\s-])+?\\bnot\\s+(?:\\w+ly\\s+)?"
    "(?:excluded|ruled\\s+out))",
    "\\b(?:for|likely|represent|reflect|suggest\\w*)\\b",
)
BACK_TO = ("\\b(?:is|are|was|were|has|have|remains?|shows?)\\b",)
