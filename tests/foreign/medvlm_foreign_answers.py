"""An answering backend of another package, with scripted answers."""

import os
import time

import numpy as np

from napari_medvlm.backends.base import Backend, BackendInfo, Task
from napari_medvlm.data.answer import Answer, AnswerDelta, Claim
from napari_medvlm.data.errors import BackendFailed
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region
from napari_medvlm.data.tool_call import ToolCall

THINKING = "Two of them are bright."
WRITTEN = (
    "The **left** one is bright. The right one is brighter. Both are round. "
    "The liver looks normal. A third lies outside."
)
REFUSED = "The box [900, 20, 950, 60] lies outside the picture, so it is not drawn."
COUNTED = "The text says three, and two boxes are drawn."


class Scripted(Backend):
    """Answers at once, endlessly, not at all, or dies: as the question says."""

    info = BackendInfo(
        name="scripted",
        title="Scripted",
        tasks=frozenset({Task.ANSWER, Task.EXPLAIN}),
        code_licence="MIT",
    )

    def load(self, model, device):
        """Any model will do."""

    def set_volume(self, volume):
        self.volume = volume

    def answer(self, question, progress):
        progress(0.1, "reading")
        if "die" in question.text:
            yield AnswerDelta("I feel ")
            time.sleep(0.2)
            os._exit(9)
        if "fail" in question.text:
            yield AnswerDelta("Half of ")
            raise BackendFailed("The model wrote nonsense.", "Ask in another way.")
        if "tool" in question.text and not question.steps:
            call = ToolCall(question.tools[0].name, {"object": "cyst"})
            yield AnswerDelta(answer=Answer("", calls=(call,), written="I measure it first."))
            return
        while "endless" in question.text:
            yield AnswerDelta("again ")
            progress(0.5, "writing")
            time.sleep(0.005)
        for piece in ("<think>", THINKING, "</think>", *WRITTEN.split(" ")):
            yield AnswerDelta(f"{piece} ")
            progress(0.5, "writing")
            time.sleep(0.005)
        yield AnswerDelta(answer=self._whole(question))

    def explain(self, question, written, picture, progress):
        """The left half, whatever was written."""
        shown = question.pictures[picture]
        assert written == WRITTEN
        while "forever" in question.text:
            progress(0.5, "pass 2 of 9")
            time.sleep(0.005)
        values = np.zeros(shown.size)
        values[:, : shown.size[1] // 2] = 1
        return shown.heatmap(values)

    def _whole(self, question):
        left = self._region("left", (5, 10, 6), (19, 30, 20))
        claims = (
            Claim("The left one is bright.", (left,), "scripted"),
            Claim("The right one is brighter.", (self._right(question),), "scripted"),
            Claim("Both are round.", (left, self._right(question)), "scripted"),
            Claim("The liver looks normal.", source="scripted"),
            Claim("A third lies outside.", source="scripted", problems=(REFUSED,)),
        )
        return Answer(
            WRITTEN + " *That is all.*",
            claims,
            thinking=THINKING,
            notes=(COUNTED,),
            written=WRITTEN,
            choice=question.options[0] if question.options else "",
            probabilities=(0.75, 0.25) if len(question.options) == 2 else (),
        )

    def _region(self, name, start, stop):
        return Region(name, Box.at_index(self.volume, start, stop), name=name)

    def _right(self, question):
        """On the first picture if there is one, else in the volume."""
        if not question.pictures:
            return self._region("right", (7, 12, 27), (17, 28, 39))
        picture = question.pictures[0]
        height, width = picture.size
        box = picture.box((width * 0.6, height * 0.3, width * 0.9, height * 0.7))
        return Region("right", box, name="right", slice=picture.slice)
