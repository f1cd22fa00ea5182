"""The tools that models may call."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from napari_medvlm.answers import ToolCall, ToolResult, ToolSpec
from napari_medvlm.grounding import NamedLabels
from napari_medvlm.results import Mask
from napari_medvlm.sessions.calls import Calls, Helpers
from napari_medvlm.sessions.viewing import Looked, View
from napari_medvlm.volume import Volume

TOOLS = ("segment", "ground", "measure", "zoom", "compare")


def specs(names: Collection[str], others: Sequence[str] = ()) -> tuple[ToolSpec, ...]:
    """What a model is told of tools."""
    return ()


@dataclass(eq=False)
class Scene:
    """What tools look at.

    Parameters
    ----------
    objects
        By name; what is segmented is added.
    """

    volume: Volume
    view: View
    looked: Looked
    objects: dict[str, Mask]
    labels: Sequence[NamedLabels] = ()


class Toolbox:
    """Does what models call for."""

    def __init__(self, scene: Scene, calls: Calls, helpers: Helpers) -> None:
        self._scene = scene

    def call(self, call: ToolCall) -> ToolResult:
        """What came of a call."""
        return ToolResult(call, "There is no such tool.", failed=True)
