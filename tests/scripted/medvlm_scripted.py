"""Backends of another package: answers by script, slow and failing ones, and ones of shades."""

import json
import os
import time
from dataclasses import replace

from napari_medvlm.backends.base import Backend, BackendInfo, Task
from napari_medvlm.data.answer import Answer, AnswerDelta, Claim
from napari_medvlm.data.errors import OutOfMemory
from napari_medvlm.data.grounding import Grounding, NotFound
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box, Point
from napari_medvlm.data.region import Region, box_of_values
from napari_medvlm.data.tool_call import ToolCall


class Scripted(Backend):
    """Says what the context of the question holds as JSON, one part a round.

    Keys: ``say`` the text, ``calls`` pairs of name and arguments, ``box`` of a claim in the pixels
    of a ``picture``, ``die``, ``wait`` and ``memory`` what goes wrong after the text.
    """

    info = BackendInfo(
        name="scripted",
        title="Scripted",
        tasks=frozenset({Task.ANSWER, Task.EXPLAIN}),
        code_licence="MIT",
    )

    def set_volume(self, volume):
        self.volume = volume

    def answer(self, question, progress):
        script = json.loads(question.context or "[]") or [{"say": reported(question)}]
        part = script[min(len(question.steps), len(script) - 1)]
        for word in part.get("say", "").split(" "):
            progress(0.5, "writing")
            yield AnswerDelta(word + " ")
        if part.get("die"):
            os._exit(7)
        while part.get("wait"):
            progress(0.5, "waiting")
            time.sleep(0.01)
        if part.get("memory"):
            raise OutOfMemory("The memory did not suffice.", "Choose a smaller model.")
        calls = [
            ToolCall(name, arguments, str(k))
            for k, (name, arguments) in enumerate(part.get("calls", []))
        ]
        yield AnswerDelta(answer=self.whole(question, part, tuple(calls)))

    def explain(self, question, written, picture, progress):
        """As bright as the picture; the question must be as it was answered."""
        script = json.loads(question.context)
        assert written == script[-1]["say"]
        assert len(question.steps) == len(script) - 1
        for k in range(5):
            progress(k / 5, f"pass {k + 1} of 5")
        return question.pictures[picture].heatmap(question.pictures[picture].pixels[..., 0] / 255)

    def whole(self, question, part, calls):
        text = part.get("say", "")
        if calls:
            return Answer("", calls=calls, written=text)
        regions = ()
        if "box" in part:
            picture = question.pictures[part.get("picture", 1) - 1]
            region = Region("it", picture.box(tuple(part["box"])), slice=picture.slice)
            regions = (replace(region, image_name=picture.image_name),)
        return Answer(
            text, (Claim(text, regions, "scripted"),), written=text, tokens=len(text.split())
        )


def reported(question):
    """What the question holds, for a look from outside."""
    return json.dumps(
        {
            "text": question.text,
            "earlier": [[turn.question, turn.answer] for turn in question.earlier],
            "objects": [named.name for named in question.objects],
            "captions": list(question.captions),
            "earlier_captions": [list(turn.captions) for turn in question.earlier],
            "tools": [tool.name for tool in question.tools],
            "steps": [[r.text for r in step.results] for step in question.steps],
        }
    )


class Lingering(Backend):
    """Segments for ever, until it is cancelled."""

    info = BackendInfo("lingering", "Lingering", "MIT", prompts=frozenset({Point}))

    def set_volume(self, volume):
        pass

    def segment(self, prompts, progress):
        while True:
            progress(0.5, "lingering")
            time.sleep(0.01)


class Dying(Lingering):
    """Ends the process that it works in."""

    info = BackendInfo("dying", "Dying", "MIT", prompts=frozenset({Point}))

    def segment(self, prompts, progress):
        os._exit(9)


class Shades(Backend):
    """Finds what is called ``shade 200`` where the image is 200; anything else in a corner."""

    info = BackendInfo(
        name="shades",
        title="Shades",
        tasks=frozenset({Task.GROUND}),
        code_licence="MIT",
    )

    def set_volume(self, volume):
        self.volume = volume

    def ground(self, query, progress):
        regions, missing = [], []
        for phrase in query.phrases:
            word, _, shade = phrase.partition(" ")
            if word == "nowhere":
                missing.append(NotFound(phrase, "It is nowhere."))
            elif word == "shade":
                inside = self.volume.intensity() == int(shade)
                box = box_of_values(inside, self.volume.grid)
                regions.append(Region(phrase, box, score=0.9))
            else:
                box = Box.at_index(self.volume, (0, 0, 0), (1, 4, 4))
                regions.append(Region(phrase, box, score=0.8))
        return Grounding(tuple(regions), tuple(missing))


class ShadeTargets(Backend):
    """Segments what is called ``shade 200`` where the image is 200; unnamed, the clicked value."""

    info = BackendInfo(
        name="shade-targets",
        title="Shade targets",
        prompts=frozenset({Point}),
        code_licence="MIT",
        takes_phrases=True,
    )

    def set_volume(self, volume):
        self.volume = volume

    def segment(self, prompts, progress):
        progress(0.5, "segmenting")
        values = self.volume.intensity()
        z, y, x = prompts[0].voxels(self.volume.grid)[0]
        names = {name: int(name.removeprefix("shade ")) for name in prompts.phrases}
        first, *others = names.items() or [("", values[z, y, x])]
        masks = {name: Mask.of(values == value) for name, value in others}
        return replace(Mask.of(values == first[1]), others=masks)
