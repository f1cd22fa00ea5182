"""How the Views dock was arranged last."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import SettingsError
from napari_medvlm.settings.files import read_setting, write_setting
from napari_medvlm.settings.paths import home


class Layout(Enum):
    """Where the side views are."""

    SINGLE = "Single view"
    ROW = "Three in a row"
    RIGHT = "Two right"
    BELOW = "Two below"


@dataclass(frozen=True)
class ViewLayout:
    """The arrangement of the Views dock.

    Parameters
    ----------
    layout
        Where the side views are.
    has_3d
        Whether the volume is shown in 3D too.
    has_crosshair
        Whether the crosshair is shown.
    reach_mm
        How far from the slice items are drawn dashed with their distance; 0: not at all.
    """

    layout: Layout = Layout.RIGHT
    has_3d: bool = False
    has_crosshair: bool = True
    reach_mm: int = 10


def read_view_layout() -> ViewLayout:
    """The arrangement that was used last, or the default."""
    setting: Any = read_setting(_file())
    if not isinstance(setting, dict):
        return ViewLayout()
    default = ViewLayout()
    reach_mm = setting.get("reach_mm")
    names = {layout.name: layout for layout in Layout}
    return ViewLayout(
        names.get(str(setting.get("layout")), default.layout),
        bool(setting.get("has_3d", default.has_3d)),
        bool(setting.get("has_crosshair", default.has_crosshair)),
        reach_mm if isinstance(reach_mm, int) and 0 <= reach_mm <= 100 else default.reach_mm,
    )


def write_view_layout(view_layout: ViewLayout) -> None:
    """Write the arrangement; nothing happens where settings cannot be written."""
    with contextlib.suppress(SettingsError):
        write_setting(_file(), {**asdict(view_layout), "layout": view_layout.layout.name})


def _file() -> Path:
    return home() / "views.json"
