"""Execution of the tools that a model calls. The objects of the user are not changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.data.errors import Cancelled, InvalidPrompt, MedVLMError
from napari_medvlm.data.grounding import Grounding, GroundQuery
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.measurements.measure import diameters, longest_diameter_mm, measure
from napari_medvlm.data.prompts import Box, Point
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.slice_image import (
    PixelBounds,
    SliceImage,
    part_around,
    picture_of,
    thousandths,
)
from napari_medvlm.data.tool_call import ToolCall, ToolResult
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.ask.image_selection import (
    caption_of,
)
from napari_medvlm.sessions.ask.other_images import counterpart
from napari_medvlm.sessions.ask.scene import Scene
from napari_medvlm.sessions.ask.tool_schemas import TOOLS, specs
from napari_medvlm.sessions.ask.visual_prompts import name_of, places_in
from napari_medvlm.sessions.request_sender import ModelChoices, RequestSender
from napari_medvlm.worker.messages import GroundRequest, SegmentRequest

SMALLEST = 8
"""Voxels a side of what is zoomed to."""
Arguments = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class _Target:
    """A slice of an image, and a part of it; `None`: all of it."""

    volume: Volume
    slice: SliceRef
    box: Box | None


class Toolbox:
    """Does what models call for.

    Parameters
    ----------
    calls
        Sends the requests that it takes.
    """

    def __init__(self, scene: Scene, calls: RequestSender, helpers: ModelChoices) -> None:
        self._scene = scene
        self._calls = calls
        self._helpers = helpers
        offered = specs(TOOLS, [other.name for other in scene.selection.others])
        self._specs = {spec.name: spec for spec in offered}

    def call(self, call: ToolCall, offered: Sequence[str] = TOOLS) -> ToolResult:
        """What came of a call; one that fails says why.

        Raises
        ------
        Cancelled
            If somebody stopped it.
        """
        spec = self._specs.get(call.name) if call.name in offered else None
        if call.problem:
            return ToolResult(call, call.problem, failed=True)
        if spec is None:
            known = ", ".join(name for name in self._specs if name in offered) or "none"
            text = f"There is no tool {call.name!r}. The tools are: {known}."
            return ToolResult(call, text, failed=True)
        problem = spec.argument_error(call.arguments)
        if problem:
            return ToolResult(call, problem, failed=True)
        try:
            return self._done(call)
        except Cancelled:
            raise
        except MedVLMError as error:
            if self._calls.stopped:
                raise Cancelled from error
            return ToolResult(call, str(error), failed=True)

    def _done(self, call: ToolCall) -> ToolResult:
        match call.name:
            case "segment":
                return self._segment(call)
            case "ground":
                return self._ground(call)
            case "measure":
                return self._measure(call)
            case "zoom":
                return self._zoom(call)
            case _:
                return self._compare(call)

    # The tools.

    def _segment(self, call: ToolCall) -> ToolResult:
        arguments, scene = call.arguments, self._scene
        if sum(key in arguments for key in ("phrase", "box", "point")) != 1:
            raise InvalidPrompt("What to segment is not clear.", "Give a phrase, a box or a point.")
        phrase = arguments.get("phrase", "")
        if phrase:
            matches = self._search(phrase)
            if not matches.regions:
                return ToolResult(call, _missing_text(matches, phrase), failed=True)
            region = matches.of(phrase)[0]
            mask = region.mask or self._mask(region.box)
        else:
            mask = self._mask(self._prompt(arguments))
        if not mask.voxels:
            raise InvalidPrompt("Nothing stands out there.", "Try another place or a box.")
        name = scene.free_name(arguments.get("name") or phrase or "object 1")
        scene.objects[name] = mask
        region = Region.of_mask(phrase or name, mask, scene.volume.grid, mask.score, name)
        position = self._describe_position(region)
        text = f"Stored as the object {name!r}: {measure(scene.volume, mask)}; {position}."
        return ToolResult(call, text, (region,))

    def _ground(self, call: ToolCall) -> ToolResult:
        phrase = call.arguments["phrase"]
        matches = self._search(phrase)
        if not matches.regions:
            return ToolResult(call, _missing_text(matches, phrase))
        positions = "; ".join(
            f"{name_of(region)}{'' if region.score is None else f' ({region.score:.2f})'}: "
            f"{self._describe_position(region)}"
            for region in matches.of(phrase)
        )
        return ToolResult(
            call, f"Found in {len(matches.regions)} places. {positions}.", matches.regions
        )

    def _measure(self, call: ToolCall) -> ToolResult:
        scene = self._scene
        region = scene.find(call.arguments["object"])
        assert region.mask is not None
        size = measure(scene.volume, region.mask)
        unit = f" {size.unit}" if size.unit else ""
        extent = (
            _extent_words(region.mask, scene.volume, size.volume_ml)
            if size.spacing_is_known
            else f"{size.voxels} voxels, whose size in mm is unknown"
        )
        text = (
            f"{region.name}: {extent}; "
            f"mean intensity {size.mean:.4g}{unit}, standard deviation {size.sd:.4g}{unit}."
        )
        return ToolResult(call, text, (region,))

    def _zoom(self, call: ToolCall) -> ToolResult:
        target = self._target(call.arguments)
        if target.box is None:
            raise InvalidPrompt("Where to look is not clear.", "Give a box in a picture.")
        box = _grown(target.box, target.volume, target.slice.axis)
        part = part_around(box, target.volume.grid, target.slice.axis)
        windows = self._scene.selection.windows if target.volume is self._scene.volume else ()
        return self._shown(
            call, picture_of(target.volume, target.slice, windows or None, part), box, ""
        )

    def _compare(self, call: ToolCall) -> ToolResult:
        wanted = call.arguments["other"]
        other = next(o for o in self._scene.selection.others if o.name == wanted)
        target = self._target({"picture": self._scene.first, **call.arguments})
        matches = counterpart(target.volume, target.slice, other, target.box)
        if matches is None:
            raise InvalidPrompt(f"{wanted} does not reach this place.", "Choose another place.")
        ref, part = matches
        image = replace(picture_of(other.volume, ref, part=part), image_name=other.name)
        height, width = image.size
        box = image.box((0, 0, width, height))
        assert box is not None
        return self._shown(call, image, box, f"{wanted}, ")

    # Parts.

    def _shown(self, call: ToolCall, image: SliceImage, box: Box, prefix: str) -> ToolResult:
        scene = self._scene
        scene.shown.append(image)
        number = len(scene.pictures)
        volume = scene.volume_of(image)
        text = f"Picture {number} shows {prefix}{caption_of(volume, image.slice, image.windows)}"
        own = image.slice if volume is scene.volume else None
        named = f"{prefix}{call.name}"
        region = Region(call.name, box, name=named, slice=own, image_name=image.image_name)
        return ToolResult(
            call, f"{text}, cropped." if image.part else f"{text}.", (region,), (image,)
        )

    def _search(self, phrase: str) -> Grounding:
        scene, model = self._scene, self._helpers.grounder
        known = {name.casefold() for name in scene.objects}
        if phrase.casefold() in known:
            return Grounding((scene.find(phrase),))
        window = scene.selection.windows[0] if len(scene.selection.windows) == 1 else None
        query = GroundQuery(
            (phrase,), scene.selection.scope, labels=tuple(scene.labels), window=window
        )
        request = GroundRequest(model.backend, scene.volume, model.model, model.device, query)
        return self._calls.send(request).grounding

    def _mask(self, prompt: Box | Point) -> Mask:
        model = self._helpers.segmenter
        prompts = ObjectPrompts((prompt,), (1,))
        request = SegmentRequest(
            model.backend, self._scene.volume, model.model, model.device, prompts
        )
        return self._calls.send(request).mask

    def _prompt(self, arguments: Arguments) -> Box | Point:
        image = self._scene.image(arguments.get("picture", self._scene.first))
        if self._scene.volume_of(image) is not self._scene.volume:
            raise InvalidPrompt(
                f"That picture shows {image.image_name or 'another image'}.",
                "Give a place in a picture of the image asked about.",
            )
        if "box" in arguments:
            return _box(image, arguments["box"])
        height, width = image.size
        x, y = arguments["point"]
        return image.point(x * width / 1000, y * height / 1000)

    def _target(self, arguments: Arguments) -> _Target:
        scene = self._scene
        if "object" in arguments:
            region = scene.find(arguments["object"])
            axis = scene.selection.scope.axis
            start, stop = region.box.bounds(scene.volume.grid)
            middle = int(start[axis] + stop[axis] - 1) // 2
            return _Target(scene.volume, SliceRef(axis, middle), region.box)
        image = scene.image(arguments.get("picture", scene.first))
        volume = scene.volume_of(image)
        if "box" not in arguments:
            return _Target(volume, image.slice, None)
        box = _box(image, arguments["box"])
        axis = image.slice.axis
        return _Target(volume, SliceRef(axis, int(box.bounds(volume.grid)[0][axis])), box)

    def _describe_position(self, region: Region) -> str:
        """Where a region is: in the pictures that show it, or else in the patient."""
        own = self._scene.model_input.pictures
        for number, image in enumerate(own, start=self._scene.first):
            if image.image_name != region.image_name:
                continue
            for bounds in places_in(image, region):
                return f"picture {number}, box {list(thousandths(bounds, image.size))}"
        s, p, left = region.center_mm
        return f"in no picture, centred at S {s:.0f}, P {p:.0f}, L {left:.0f} mm"


def _box(image: SliceImage, thousand: Sequence[int]) -> Box:
    height, width = image.size
    x0, y0, x1, y1 = (
        edge * side / 1000 for edge, side in zip(thousand, (width, height) * 2, strict=True)
    )
    bounds: PixelBounds = (x0, y0, x1, y1)
    box = image.box(bounds) if x0 < x1 and y0 < y1 else None
    if box is None:
        raise InvalidPrompt(
            f"The box {list(thousand)} has no size, or spans several slices.",
            "Give left, upper, right and lower edge within one slice.",
        )
    return box


def _grown(box: Box, volume: Volume, axis: int) -> Box:
    """A box at least so large in its slice that there is something to see."""
    start, stop = (np.array(edge, float) for edge in box.bounds(volume.grid))
    lacking = np.maximum(SMALLEST - (stop - start), 0)
    lacking[axis] = 0
    low = np.maximum(start - np.ceil(lacking / 2), 0)
    return Box.at_index(
        volume, low, np.minimum(np.maximum(stop, low + SMALLEST * (lacking > 0)), volume.shape)
    )


def _missing_text(matches: Grounding, phrase: str) -> str:
    reasons = [missing.reason for missing in matches.not_found]
    return " ".join((f"{phrase!r} was not found.", *reasons))


def _extent_words(mask: Mask, volume: Volume, volume_ml: float) -> str:
    """Volume and diameters of a mask in words."""
    across = diameters(mask, volume.affine)
    longest = longest_diameter_mm(mask, volume.affine)
    return (
        f"volume {volume_ml:.2f} mL; longest diameter {across.longest_mm:.1f} mm and "
        f"{across.perpendicular_mm:.1f} mm at a right angle to it, in axial slice "
        f"{across.slice[1]}; longest diameter in space {longest:.1f} mm"
    )
