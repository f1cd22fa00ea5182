"""The text about the region that is chosen."""

from __future__ import annotations

from napari_medvlm.layers.region_boxes import DisplayedRegion
from napari_medvlm.sessions.ground.located import Located

MOST_LINES = 3
"""Texts of a model and notes that are shown, at most."""


def region_details(located: Located, displayed: DisplayedRegion) -> str:
    """Size, run time, prompts, images sent, texts of the model and notes, a line each."""
    result, bounds = located.grounding, displayed.region.bounds_mm
    size = " x ".join(f"{v:.0f}" for v in bounds[1] - bounds[0])
    ran_on = f" on {result.ran_on}" if result.ran_on else ""
    lines = [f"{displayed.label}: {size} mm, {located.seconds:.1f} s{ran_on}"]
    lines += [f"Prompt: {result.prompts[p]}" for p in result.prompts]
    if result.window is not None:
        low, high = result.window.limits
        count = "1 slice" if len(result.slices) == 1 else f"{len(result.slices)} slices"
        lines.append(f"Images sent: {count}, intensities {low:.4g} to {high:.4g}.")
    lines += [f"Model output: {text}" for text in result.texts[:MOST_LINES]]
    return "\n".join([*lines, *result.notes[:MOST_LINES]])
