"""The same prompts twice: as a person gives them, and as calls of the library's session."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO

import numpy as np

from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.nninteractive.session import repeatable
from napari_medvlm.data.prompts import Box, Lasso, Point, Scribble
from tests.conftest import make_phantom

SHAPE = (32, 64, 76)


def volume(degrees=(0, 0, 0), shape=SHAPE):
    """Two ellipsoids; the network's patch is smaller than the image."""
    return make_phantom(shape, degrees=degrees)[0]


def line(start, stop):
    """Voxels along an axis."""
    (axis,) = np.flatnonzero(np.subtract(stop, start))
    voxels = np.repeat([start], stop[axis] - start[axis], axis=0)
    voxels[:, axis] = range(start[axis], stop[axis])
    return voxels


POINT, BOX, SCRIBBLE, LASSO = "point", "box", "scribble", "lasso"
CASES = [
    (POINT, True, (15, 24, 16)),
    (BOX, True, ((15, 4, 4), (16, 60, 70))),
    (SCRIBBLE, True, line((5, 20, 30), (22, 20, 30))),
    (LASSO, True, [(12, 24, 4), (24, 24, 4), (26, 24, 20), (11, 24, 18)]),
    (POINT, False, (16, 22, 30)),
    (BOX, False, ((5, 30, 20), (20, 31, 41))),
    (SCRIBBLE, False, line((10, 5, 20), (10, 22, 20))),
    (LASSO, False, [(6, 10, 4), (6, 30, 4), (6, 30, 30)]),
    (BOX, True, ((8, 12, 38), (22, 34, 39))),
    (POINT, True, (0, 0, 0)),
    (SCRIBBLE, True, line((20, 30, 3), (20, 30, 70))),
    (LASSO, True, [(9, 12, 25), (9, 28, 25), (21, 33, 25), (24, 14, 25)]),
]
"""Kind, polarity, place in voxels: on axial, coronal and sagittal slices, at the border too."""


def prompts(image):
    """The cases as prompts on an image."""
    made = {
        POINT: Point.at_index,
        SCRIBBLE: Scribble.at_index,
        LASSO: Lasso.at_index,
        BOX: lambda image, voxels, positive: Box.at_index(image, *voxels, positive),
    }
    return tuple(made[kind](image, voxels, positive) for kind, positive, voxels in CASES)


def asked(image, count, steps=None):
    """The first prompts, with a prediction after each by default."""
    return ObjectPrompts(prompts(image)[:count], steps or tuple(range(1, count + 1)))


class ByHand:
    """One of the library's sessions, and its buffer."""

    def __init__(self, session, image):
        self.session = session
        self.buffer = np.zeros(image.shape, np.uint8)
        with redirect_stdout(StringIO()):
            session.set_image(image.data[None].astype(np.float32))
            session.set_target_buffer(self.buffer)
        self._image = image

    def take(self, number, run=True):
        """Call the session with a case; the buffer as it then is."""
        kind, positive, voxels = CASES[number]
        with redirect_stdout(StringIO()), repeatable():
            if kind == POINT:
                self.session.add_point_interaction(voxels, positive, run)
            elif kind == BOX:
                self.session.add_bbox_interaction(list(zip(*voxels, strict=True)), positive, run)
            else:
                self._draw(kind, positive, voxels, run)
        return self.buffer.astype(bool)

    def _draw(self, kind, positive, voxels, run):
        """Strokes in an array as large as the image, without its smallest box."""
        if kind == LASSO:
            voxels = Lasso.at_index(self._image, voxels).voxels(self._image.grid)
        drawn = np.zeros(self._image.shape, np.uint8)
        drawn[tuple(np.transpose(voxels))] = 1
        add = {
            SCRIBBLE: self.session.add_scribble_interaction,
            LASSO: self.session.add_lasso_interaction,
        }[kind]
        add(drawn, positive, run)


def silent(fraction, message=""):
    """Progress that nobody looks at."""


class Heard:
    """Progress that is kept."""

    def __init__(self):
        self.messages = []

    def __call__(self, fraction, message=""):
        self.messages.append(message)

    @property
    def prompts(self):
        """Which prompts were given to the model, in order."""
        messages = [m.split(" (")[0] for m in self.messages if m.startswith("Prompt ")]
        return list(dict.fromkeys(messages))
