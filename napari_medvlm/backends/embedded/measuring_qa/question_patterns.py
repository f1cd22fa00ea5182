"""Patterns of the questions that can be answered by measuring."""

from __future__ import annotations

_ML = r"(?:ml|cc|cm3|cm³|millilit(?:re|er)s|cubic centimet(?:re|er)s)"
_IMAGE = r"(?:image|scan|volume|picture|series|data ?set)"
_GRAY = (
    r"(?:(?:signal )?intensit(?:y|ies)|densit(?:y|ies)|attenuation|brightness|signal|"
    r"hu(?: values?)?|hounsfield (?:units?|values?)|ct (?:numbers?|values?)|"
    r"gr[ae]y (?:levels?|values?))"
)
_BRIGHTER = r"(?:brighter|denser|darker|(?:more|less) (?:intense|dense|bright|attenuating))"

PARTS = {
    "A": r"(?:the )?(?P<a>.+?)",
    "B": r"(?:the )?(?P<b>.+?)",
    "VOXEL": r"\(?(?P<z>\d+)\s*[,/ ]\s*(?P<y>\d+)\s*[,/ ]\s*(?P<x>\d+)\)?",
    "INDEX": r"(?:the )?(?:voxel |index |position )?",
    "BIG": r"(?:of )?(?:an? )?(?P<word>larger|bigger|greater|smaller|(?:more|less) voluminous|"
    r"(?:higher|lower|more|less)(?= (?:volume|size|space)))(?: (?:one|volume|size|space))?",
    "MOST": r"(?P<word>largest|biggest|greatest|smallest|(?:most|least) voluminous)",
    "BRIGHT": rf"(?P<word>{_BRIGHTER}|(?:of )?(?:an? |the )?(?:higher|lower|greater|more|less) "
    rf"(?:mean |average )?{_GRAY})",
    "SHINIEST": r"(?P<word>brightest|darkest|densest|(?:most|least) "
    rf"(?:dense|intense|bright|attenuating)|(?:highest|lowest|greatest|most|least) {_GRAY})",
    "HOWMUCH": r"(?:(?: in (?:volume|size))?,? (?:and )?by how much)?",
    "THIS": r"(?:this|it)",
    "SCAN": rf"(?:this |the )?{_IMAGE}",
    "HALF": r"(?:side|hemisphere|half)(?: of (?:the )?(?:brain|head|body|patient|image))?",
    "TIMES": rf"(?:{_ML}|times)",
    "NEIGHBOUR": r"(?:the |two |any |neighbou?ring |adjacent |consecutive |successive )*",
    "SIDE": r"(?:the )?(?:left|right)(?: one| side| hemisphere)?",
    "ML": rf"(?:{_ML}|mm3|mm³|cubic millimet(?:re|er)s)",
    "MM": r"(?:mm|cm|millimet(?:re|er)s|centimet(?:re|er)s)",
    "DET": r"(?:the |an? |one |each )?",
    "IN": r"(?:of|in|inside|within)",
    "HIGHEST": r"(?:maximum|maximal|highest|largest|minimum|minimal|lowest)",
    "PART": r"(?:percentage|per ?cent|%|share|portion|proportion|fraction)",
    "ASKING": r"(?:what|describe|is|are|how|why|show|tell|give|which|does)",
    "SIZE": r"(?:volumes?|sizes?|capacit(?:y|ies))",
    "TOGETHER": r"(?:together|combined|taken together|in total|in all|altogether)",
    "OUTLINED": r"(?:segmented|outlined|contoured|delineated|drawn|marked|annotated)",
    "OUTWEIGH": r"(?:exceed|outweigh|surpass)",
    "FILLS": r"(?:take up|occupy|fill|cover|make up|account for|constitute)",
    "HOLD": r"(?:have|contain|hold|comprise)",
    "OFIT": rf"(?: (?:of|in|for) (?:this |the )?{_IMAGE})?",
    "EACH": r"(?: (?:along|in) each (?:direction|axis|dimension))",
    "GRAY": _GRAY,
    "SEGMENTED": r"(?:objects?|structures?|segmentations?|masks?|labels?)",
    "INSIDE": r"(?:in|inside(?: of)?|within|(?:covered|occupied|taken up|filled|made up)"
    r" (?:by|of)|composed of|made of)",
    "LYINGIN": r"(?:in|inside(?: of)?|within)",
    "PLANE": r"(?:(?P<plane>axial|transverse|transaxial|coronal|sagittal) )?",
    "MIDLINE": r"(?:midline|mid-line|median plane|mid-?sagittal plane|interhemispheric fissure)",
    "RELATIVE": r"(?P<relation>above|below|beneath|underneath|behind|in front of|(?:superior"
    r"|inferior|cranial|caudal|anterior|posterior|lateral|medial) (?:to|of)"
    r"|(?:(?:to|on) )?(?:the )?(?:left|right) (?:side )?of)",
    "SHOWING": r"(?:in|on|at|through) (?:which|what) "
    r"(?:(?P<plane>axial|transverse|transaxial|coronal|sagittal) )?slices?",
    "BEST": r"(?:best |most clearly |clearly |well )?",
    "ACROSS": r"(?:(?:from )?(?:left to right|right to left|side to side)|across|transversely)",
    "FRONTBACK": r"(?:(?:from )?(?:front to back|back to front)|antero-?posteriorly)",
    "UPDOWN": r"(?:(?:from )?(?:top to bottom|bottom to top|head to foot)|vertically"
    r"|cranio-?caudally)",
    "EXTENDS": r"(?:measure|extend|span|stretch|reach)",
    "HOWLONG": r"how (?:long|far|large|big|much|wide|broad|deep|tall|high|thick)",
    "FLUID": r"(?:csf|cerebrospinal fluid|spinal fluid|liquor|fluid)",
    "LOOKS": r"(?: (?:visible|seen|shown|present|located|appear))?",
}
PATTERNS = """
AT        what (?:is|are|lies?|do (?:you|i|we) (?:find|see)) (?:there )?at INDEXVOXEL
AT        (?:what|which) SEGMENTED (?:is|are|lies?) at INDEXVOXEL
AT        (?:what|which) SEGMENTED (?:contains?|holds?|includes?) INDEXVOXEL
AT        what is the (?:GRAY|value) (?:at|of|in) INDEXVOXEL
MODALITY  what (?:kind|type|sort) of (?:image|scan|picture) is THIS
MODALITY  (?:what|which) (?:is the )?(?:imaging )?modality(?: is THIS| (?:is|was) used)?
MODALITY  (?:what|which) imaging (?:technique|method) (?:is|was) used
MODALITY  is THIS an? (?:ct|mri?|x-?ray|pet|ultrasound)(?: scan| image)?
SPACING   (?:what|how (?:large|big|thick)) (?:is|are) DET(?:single )?(?:voxels?|pixels?|slices?)
SPACING   what is the size of (?:the |an? |one )?(?:voxels?|pixels?)
SPACING   what is the (?:in-?plane )?(?:(?:voxel|pixel|slice) (?:size|spacing|thickness|distance|\
separation|gap|dimensions?)|spacing(?: between (?:the )?slices)?|resolution)OFIT
SPACING   what (?:is|are) the (?:voxel|pixel) (?:dimensions|sizes|spacings)OFIT
SPACING   what (?:is|are) the (?:dimensions|extents?) of (?:the |an? |one )?(?:voxels?|pixels?)
SPACING   (?:with|at|in) (?:what|which) (?:resolution|spacing|(?:voxel|pixel) size|slice \
thickness) (?:is|was|were|has) (?:THIS|SCAN)(?: been)?(?: \\w+)?
SPACING   (?:what|which) (?:resolution|spacing|(?:voxel|pixel) size|slice \
thickness) (?:does|has) (?:THIS|SCAN)(?: have)?
SPACING   (?:what|which) (?:thickness|spacing|size|distance|dimensions) (?:do|does|have|has) \
DET(?:voxels?|pixels?|slices?)(?: have)?
SPACING   how far apart are NEIGHBOURslices
SPACING   (?:what is )?(?:the )?(?:distance|gap|separation|spacing) between NEIGHBOURslices
EXTENT    (?:what|how (?:large|big)) is (?:the |this )?(?:field of view|fov|image|scan)
EXTENT    what is the size of the (?:image|scan)
EXTENT    how (?:large|big|wide) an? (?:region|area|volume|part) does SCAN (?:cover|show|include)
EXTENT    how many MM does (?:the )?(?:field of view|fov|image|scan) cover
SHAPE     how many PLANE(?:slices|voxels)(?: are there| does (?:THIS|SCAN) HOLD)?EACH?
SHAPE     how many PLANE(?:slices|voxels) (?:make up|form|compose|are in|belong to) SCAN
SHAPE     (?:what|how large|how big)(?: size)? is SCAN in (?:voxels|pixels)
SHAPE     (?:what is )?(?:the )?(?:total )?number of PLANE(?:slices|voxels)OFIT
SHAPE     what is the (?:matrix(?: size)?|slice count)OFIT
SHAPE     (?:what are )?(?:the )?dimensions of SCAN
SHAPE     what (?:matrix(?: size)?|dimensions) (?:has|have|does) SCAN(?: have)?
COUNT     how many SEGMENTED(?: (?:are|were|have been) \\w+)?
COUNT     (?:count|(?:what is )?(?:the )?(?:total )?number of|\
how many) (?:all )?(?:the )?SEGMENTEDOFIT
COUNT     (?:what|which SEGMENTED) (?:is|are|was|were|has been|have been) segmented
LARGER    which (?:one )?is (?:the )?BIG of (?:the )?(?:two |both )?AHOWMUCH
LARGER    between A and B,? which (?:one )?(?:is|has) (?:the )?BIGHOWMUCH
LARGER    of (?:the )?(?:two |both )?A,? which (?:one )?(?:is|has) (?:the )?BIGHOWMUCH
RATIO     (?:what is )?(?:the )?(?:SIZE )?ratio (?:of|between) (?:the )?(?:SIZE of )?A (?:to|\
and) B(?: SIZE)?
RATIO     (?:what is )?(?:the )?A(?: to |-to-| ?/ ?)B (?:SIZE )?ratio
LARGER    by (?:what|which) factor is A BIG than B
RATIO     (?:by )?(?:what|which) factor (?:does|do) A OUTWEIGH B
LARGER    (?:by )?how many TIMES is A BIG than B
LARGER    (?:by )?how many TIMES BIG is A than B
LARGER    (?:by )?how many ML (?:does|do) A OUTWEIGH B
LARGER    how (?:large|big|small) (?:is|are) A (?:compared|relative|in (?:comparison|\
relation)) (?:with|to) B
LARGER    which (?:one )?(?:is|has) (?:the )?BIG,? A,? or BHOWMUCH
LARGER    which (?:one of the )?A is (?:the )?BIG,? SIDE or SIDE
LARGER    (?:is|are|has|have|does) A (?:have )?BIG than BHOWMUCH
LARGER    (?:is|are) there more A than BHOWMUCH
LARGER    (?:does|do|has|have) A (?:have |FILLS )?(?:more|less) (?:SIZE|space) than BHOWMUCH
LARGER    (?:by )?how much BIG is A than B
LARGER    (?:by )?how much (?:does|do) A OUTWEIGH B
LARGER    what is the (?:SIZE )?difference (?:in SIZE )?(?:between|of) A (?:and|to) B
LARGER    what is the (?:SIZE )?difference (?:in SIZE )?between A
LARGER    which (?:of the (?:two )?)?A (?:is|has) (?:the )?BIGHOWMUCH
LARGER    compare A (?:and|with|to) B
LARGER    how (?:does|do) A compare (?:with|to) B in SIZE
LARGER    are (?:the |both |the two )?A (?:equally (?:large|big)|of (?:the same|equal) SIZE)
SUM       (?:what is )?(?:the )?(?:total|combined|joint) SIZE of (?:both |all )?A and B
SUM       (?:what is )?(?:the )?(?:total|combined|joint) SIZE of A
SUM       (?:what is )?the sum of (?:the SIZE of )?A and B(?:['\u2019]s?)?(?: SIZE)?
SUM       (?:what is )?(?:the )?SIZE of A (?:and|plus) B TOGETHER
SUM       (?:what is )?(?:the )?SIZE of A TOGETHER
SUM       (?:what is )?(?:the )?(?:total|combined|joint|overall) A SIZE
SUM       how (?:much|many ML of) FLUID (?:is|are) (?:there )?INSIDE (?:both |all )?\
(?:the )?(?P<a>(?:\\S+ )*ventricles?)
SUM       (?:what is )?(?:the )?(?:amount|SIZE) of FLUID INSIDE (?:both |all )?\
(?:the )?(?P<a>(?:\\S+ )*ventricles?)
SUM       how (?:large|big) are A TOGETHER
SUM       (?:what|how many ML) (?:do|does) A (?:add up|sum up|come|amount) to
SUM       (?:what|how much|how many ML) (?:do|does) A (?:add up to|have|measure|FILLS) TOGETHER
SUM       how many ML (?:are|is|have|has) A TOGETHER
SUM       how much (?:do|does) A (?:measure|FILLS) TOGETHER
SUM       (?:what|which) SIZE (?:do|does|have|has) A and B (?:have |FILLS )?TOGETHER
SUM       (?:what|which) SIZE (?:do|does|have|has) A (?:have |FILLS )?TOGETHER
SUM       (?:what is )?(?:the )?(?:sum|total) of (?:the )?SIZE of A
WIDTH     HOWLONG (?:is|are) A ACROSS
DEPTH     HOWLONG (?:is|are) A FRONTBACK
HEIGHT    HOWLONG (?:is|are) A UPDOWN
WIDTH     (?:what|HOWLONG|how many MM) (?:does|do) A EXTENDS ACROSS
DEPTH     (?:what|HOWLONG|how many MM) (?:does|do) A EXTENDS FRONTBACK
HEIGHT    (?:what|HOWLONG|how many MM) (?:does|do) A EXTENDS UPDOWN
DIAMETER  what is the (?:(?:longest|largest|greatest|maximum|maximal) )?(?:diameter|length) of A
DIAMETER  what is the (?:longest|largest|greatest|maximum|maximal) (?:dimension|extent|axis) of A
DIAMETER  how long is A
WIDTH     how (?:wide|broad) is A(?: from (?:left to right|right to left|side to side))?
WIDTH     what is the (?:width|breadth|transverse (?:width|extent|diameter)) of A
DEPTH     how deep is A from front to back
DEPTH     (?:what|how much) does A measure (?:from front to back|antero-?posteriorly)
WIDTH     what is the (?:left-?(?:to-)?right|right-?(?:to-)?left|lateral|side-to-side) \
(?:width|extent|diameter|size|dimension) of A
DEPTH     what is the (?:front-?(?:to-)?back|sagittal) (?:extent|diameter|size|dimension) of A
HEIGHT    what is the (?:superior-?inferior|vertical|head-?(?:to-)?foot|top-?(?:to-)?bottom) \
(?:height|extent|diameter|length|size|dimension) of A
WIDTH     (?:what|how much) does A measure from (?:left to right|right to left|side to side)
HEIGHT    (?:what|how much) does A measure (?:from (?:top to bottom|bottom to top)|cranio-?caudally)
DEPTH     what is the (?:ap (?:extent|diameter)|antero-?posterior (?:extent|diameter)) of A
HEIGHT    how (?:tall|high) is A(?: from (?:top to bottom|bottom to top|head to foot))?
HEIGHT    what is the (?:height|cranio-?caudal (?:extent|diameter|length)) of A
RANGE     what is the HIGHEST (?:GRAY|value)(?: found| measured| reached)? IN A
RANGE     what is the (?:brightest|darkest|densest) (?:voxel|pixel|point|spot|value) IN A
RANGE     (?:what is )?(?:the )?range of (?:the )?(?:GRAY|values?) IN A
RANGE     (?:what is )?(?:the )?(?:GRAY|value) range IN A
RANGE     what (?:is|are) the (?:minimum|minimal|lowest) and (?:the )?(?:maximum|maximal|\
highest) (?:GRAY|values?) IN A
INTENSITY what (?:is|are) the (?:mean |average )?GRAY(?: found| measured| seen)? IN A
INTENSITY what is the (?:standard deviation|sd|std|variation|variability|\
spread) of (?:the )?GRAY IN A
INTENSITY how much (?:does|do) (?:the )?GRAY (?:vary|differ) IN A
INTENSITY what (?:mean |average )?GRAY (?:do|does|has|have) A(?: have)?
INTENSITY how (?:bright|dense) is A
BRIGHTEST (?:which|what) (?:is the )?(?:one )?SHINIEST of (?:the |all )*A
BRIGHTEST (?:which|what) (?:is the )?SHINIEST A
BRIGHTEST (?:which|what)(?: of the)? A (?:is|are|has|have) (?:the )?SHINIEST(?: one)?
EXTREME   (?:which|what) (?:one )?(?:is )?(?:the )?MOST of (?:the |all )*A
EXTREME   which of (?:the |all )*A is (?:the )?MOST(?: one)?
EXTREME   (?:which|what) (?:is the )?MOST A
EXTREME   (?:which|what) A is (?:the )?MOST(?: one)?
EXTREME   how (?:large|big) is (?:the )?MOST A
BRIGHTER  (?:is|are|does|do|has|have) A (?:appear |look |have )?BRIGHT than B
BRIGHTER  which (?:one )?(?:is|has) (?:the )?BRIGHT,? A,? or B
BRIGHTER  (?:by )?how much BRIGHT (?:is|are) A than B
BRIGHTER  by how much (?:is|are) A BRIGHT than B
BRIGHTER  which (?:one )?(?:is|has) (?:the )?BRIGHT of (?:the )?(?:two |both )?A
BRIGHTER  which (?:of the (?:two )?)?A (?:is|has) (?:the )?BRIGHT(?: one)?
BRIGHTER  (?:is|are) the (?:mean |average )?GRAY of A (?P<word>higher|lower|greater) than \
(?:that of )?B
MIDLINE   how far (?:(?:away|lateral|left|right) )?(?:from|off|of|to) (?:the )?MIDLINE \
(?:is|are|does|do) A(?: lie| sit)?
MIDLINE   how far (?:away )?(?:is|are) A (?:from|off|to) (?:the )?MIDLINE(?: of the brain)?
MIDLINE   (?:what is )?(?:the )?distance (?:of|from|between) A (?:from|to|and) (?:the )?MIDLINE
MIDLINE   (?:what is )?(?:the )?distance (?:from|between) (?:the )?MIDLINE (?:to|and) A
RELATION  (?:is|are|does|do) A (?:lie |sit |located |situated )?RELATIVE B
DISTANCE  how far apart are (?:the )?two A
DISTANCE  how far apart are A and B
DISTANCE  how far (?:is|are) (?:(?:the|both|two) )*A apart(?: from each other)?
DISTANCE  how far (?:away )?is it from A to B
DISTANCE  how far (?:away )?(?:is|are) A (?:from|and|to) B(?: apart)?
DISTANCE  (?:what is )?(?:the )?distance (?:from|between|of) (?:both|(?:the )?two) A
DISTANCE  (?:what is )?(?:the )?distance (?:from|between|of) A (?:and|to|from) B
DISTANCE  how many MM (?:lie |are (?:there )?)between A and B
OVERLAP   (?:what|which (?:SEGMENTED|organs?)) (?:does|do) A (?:overlap|touch|cover)(?: with)?
OVERLAP   (?:what|which (?:SEGMENTED|organs?)) (?:does|do|is|are) A (?:lie )?LYINGIN
SHARE     (?:what|which) PART of A (?:lies |is )(?:INSIDE )?B
SHARE     how much of A (?:is|are) (?:made up of )?B
SHARE     how many PART of A(?: SIZE)? (?:is|are|consists? of) B
SHARE     (?:what|which) PART of A SIZE (?:is|are) B
SHARE     how much of A (?:lies |is )?INSIDE B
SHARE     (?:how much|(?:what|which) PART) of A (?:consists of|belongs to|(?:falls|\
lies) (?:with)?in) B
SHARE     (?:what|which) PART of A(?: SIZE)? (?:does|do) B FILLS
VOLUME    (?:what (?:is|are) )?(?:the )?SIZE of A
VOLUME    how (?:large|big|voluminous) (?:is|are) A
VOLUME    (?:what|which) SIZE (?:does|do|has|have) A(?: have)?
VOLUME    how much A is there
VOLUME    how much A does (?:this|the) (?:brain|head|patient|image) have
VOLUME    how much (?:space|room|volume) (?:does|do|has|have) A(?: (?:got|take up|occupy|fill|\
have|contain))?
VOLUME    what (?:amount|quantity|volume) of A is there
VOLUME    how many ML of A(?: (?:are|is) there)?
VOLUME    how many ML (?:is|are|has|have|FILLS) A
VOLUME    how many ML (?:does|do) A (?:FILLS|measure|have|contain)
VOLUME    (?:what (?:is|are) )?(?:the )?ML of A
VOLUME    (?:what (?:is|are) )?(?!ASKING\\b)A SIZE
COUNT     how many A (?:are (?:there|OUTLINED)|(?:were|have been) OUTLINED)(?: in SCAN)?
COUNT     (?:count|(?:what is )?the number of|number of) A
COUNT     (?:are|is) there (?:(?:more|fewer|less) than|at (?:least|most)|exactly|only) (?:\\w+) A
WHERE     where (?:is|are|lies?) A
WHERE     (?:(?:on|in) )?(?:which|what) HALF (?:is|are|lies?) A(?: on| in)?
WHERE     (?:(?:on|in) )?(?:which|what) HALF does A lie(?: on| in)?
WHERE     (?:(?:on|in) )?(?:which|what) HALF (?:do|can) (?:we|i|you) (?:see|find) A
WHERE     (?:is|are) A (?:on|in) SIDE(?: or (?:on |in )?SIDE)?
SLICES    SHOWING (?:is|are|does) A BEST(?:visible|seen|shown|displayed)
SLICES    SHOWING (?:is|are|does) ALOOKS
SLICES    SHOWING (?:can|could|do) (?:(?:i|we|you|one) )?(?:see |find )?A(?: BEST)?\
(?: be (?:seen|found|visible))?
SLICES    (?:which|what) PLANEslices? BEST(?:shows?|contains?|holds?|displays?) A(?: best)?
PRESENT   (?:is|are) there (?:an? |any )?A
PRESENT   (?:is|are) (?:an? |any )?A there
PRESENT   can you see (?:an? |any )?A
SHARE     (?:is|are|does|do) A (?:(?:entirely|completely|fully|wholly) )?(?:lie |located )?\
INSIDE B
SHARE     (?:does|do) A overlap (?:with )?B
"""
"""A form and a pattern; words in capitals are keys of `PARTS`. The first that fits counts."""
