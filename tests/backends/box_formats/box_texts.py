"""What the tests of text with boxes share."""

from napari_medvlm.backends.box_formats import GRAMMARS, parse

SIZE = (300, 400)  # height, width: not square, so that swapped axes are seen
WRITABLE = [name for name, grammar in GRAMMARS.items() if grammar.holds == "boxes"]


def edges(box):
    """Left, upper, right and lower edge."""
    return box.x0, box.y0, box.x1, box.y1


def flaws(text, grammar, asked=()):
    """Why pieces of the text were refused."""
    return {finding.flaw for finding in parse(text, grammar, SIZE, asked).findings}


def parsed_boxes(text, grammar, asked=()):
    """The edges of the boxes that were kept."""
    return [edges(box) for box in parse(text, grammar, SIZE, asked).boxes]
