"""Answerers of another package, whose honesty is known, for questions about bright and dark spots.

A bright spot is 250, a dark one 5, all else lies between.
"""

import time

import numpy as np

from napari_medvlm.backends.base import Backend, BackendInfo, Task
from napari_medvlm.data.answer import Answer, AnswerDelta, Claim
from napari_medvlm.data.grounding import Grounding, NotFound
from napari_medvlm.data.region import Region

MIDDLE = (8, 8, 16, 16)


def info(name, *tasks):
    return BackendInfo(
        name=name, title=name.replace("_", " ").title(), tasks=frozenset(tasks), code_licence="MIT"
    )


class Truthful(Backend):
    """Looks, and says what is there and where."""

    info = info("truthful", Task.ANSWER)

    def load(self, model, device):
        pass

    def set_volume(self, volume):
        self.volume = volume

    def answer(self, question, progress):
        progress(0.5, "looking")
        word, region = self.decide(question)
        said = "Yes, it is there." if word == "yes" else "No."
        regions = () if region is None else (region,)
        claim = Claim(said, regions, "scripted")
        yield AnswerDelta(answer=Answer(said, (claim,), choice=word, written=said))

    def decide(self, question):
        text = question.text.casefold()
        there = None
        if "spot" in text:
            there = spot(question.pictures[0], bright="bright" in text)
        denies = " no " in text
        word = "yes" if (there is None) == denies else "no"
        return word, None if denies else there


class SlowTruth(Truthful):
    info = info("slow_truth", Task.ANSWER)

    def decide(self, question):
        time.sleep(0.15)
        return super().decide(question)


class YeaSayer(Truthful):
    """Says yes to everything."""

    info = info("yea_sayer", Task.ANSWER)

    def decide(self, question):
        return "yes", None


class Blind(Truthful):
    """Knows by heart that bright spots are common, and never looks; otherwise consistent."""

    info = info("blind", Task.ANSWER)

    def decide(self, question):
        text = question.text.casefold()
        there = "bright spot" in text
        denies = " no " in text
        picture = question.pictures[0]
        place = Region("it", picture.box(MIDDLE), slice=picture.slice) if there else None
        return ("yes" if there != denies else "no"), None if denies else place


def spot(picture, bright):
    pixels = picture.pixels[..., 0]
    inside = pixels > 230 if bright else pixels < 20
    if inside.sum() < 4:
        return None
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    bounds = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    return Region("spot", picture.box(bounds), slice=picture.slice)


class Finder(Backend):
    """Finds bright things in the volume."""

    info = info("finder", Task.GROUND)

    def load(self, model, device):
        pass

    def set_volume(self, volume):
        self.volume = volume

    def ground(self, query, progress):
        progress(0.5, "looking")
        (phrase,) = query.phrases
        inside = self.volume.data > 230
        if "bright" not in phrase or not inside.any():
            return Grounding(not_found=(NotFound(phrase, "There is none."),))
        return Grounding(regions=(self.region(phrase, inside),))

    def region(self, phrase, inside):
        from napari_medvlm.data.region import box_of_values

        return Region(phrase, box_of_values(inside, self.volume.grid), 0.9, "bright")


class Pointer(Finder):
    """Points at the same place whatever it is asked."""

    info = info("pointer", Task.GROUND)

    def ground(self, query, progress):
        (phrase,) = query.phrases
        inside = np.zeros(self.volume.shape, bool)
        inside[:, 8:16, 8:16] = True
        return Grounding(regions=(self.region(phrase, inside),))
