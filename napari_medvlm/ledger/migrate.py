"""Upgrade the JSON content of session files and journals of older versions to the current one.

Version 1, of napari-medvlm 0.1, named some kinds of record and some fields differently. Version 2
has no edits of masks by hand.
"""

from __future__ import annotations

from typing import Any

_RECORDS = {
    "conversed": "conversation_started",
    "showed": "images_sent",
    "wrote": "text_streamed",
    "stepped": "tool_round",
    "dropped": "turns_removed",
    "forgotten": "conversation_removed",
    "labelled": "classified",
    "overridden": "descriptor_toggled",
}
"""New name of each kind of record by its name in version 1."""

_FIELDS = {
    "exchange": "turn",
    "exchanges": "turns",
    "pictures": "images",
    "picture": "image",
    "view": "selection",
    "finding": "result",
}
"""New name of each field of a record by its name in version 1."""

_SELECTION_FIELDS = {
    "every_mm": "slice_step_mm",
    "others": "other_images",
    "draw": "regions",
    "pointing": "visual_prompting",
    "grammar": "box_format",
}
_IMAGE_FIELDS = {"part": "crop", "of": "other_image"}
_HEATMAP_FIELDS = {"crop": "shape"}
_ANSWER_FIELDS = {"written": "raw_text"}

Json = dict[str, Any]


def upgrade(content: Json) -> Json:
    """The content of a session file in the current format; unchanged if it has that format.

    Parameters
    ----------
    content
        The parsed JSON of a session file, or of a journal joined to one. It is not changed.
    """
    if content.get("version") in (2, 3):
        return {**content, "version": 4}
    if content.get("version") != 1:
        return content
    records = [_record(record) for record in content.get("records", [])]
    return {**content, "version": 4, "records": records}


def _record(old: Json) -> Json:
    kind = old.get("record")
    if kind in ("entry", "cursor", "predicted", "grounded"):
        return old
    new = _renamed(old, _FIELDS)
    new["record"] = _RECORDS.get(str(kind), kind)
    if new.get("selection"):
        new["selection"] = _renamed(new["selection"], _SELECTION_FIELDS)
    if "images" in new:
        new["images"] = [_renamed(image, _IMAGE_FIELDS) for image in new["images"]]
    if "results" in new:
        new["results"] = [_tool_result(result) for result in new["results"]]
    if "heatmap" in new:
        new["heatmap"] = _renamed(new["heatmap"], _HEATMAP_FIELDS)
    if new.get("answer"):
        new["answer"] = _renamed(new["answer"], _ANSWER_FIELDS)
    return new


def _tool_result(old: Json) -> Json:
    new = _renamed(old, {"pictures": "images"})
    new["images"] = [_renamed(image, _IMAGE_FIELDS) for image in new.get("images", [])]
    return new


def _renamed(values: Json, names: dict[str, str]) -> Json:
    return {names.get(name, name): value for name, value in values.items()}
