"""The arrangement of the Views dock is remembered."""

import json

from napari_medvlm.settings.paths import home
from napari_medvlm.settings.view_layout import (
    Layout,
    ViewLayout,
    read_view_layout,
    write_view_layout,
)


def test_an_arrangement_comes_back_and_a_damaged_file_gives_the_default():
    assert read_view_layout() == ViewLayout(Layout.RIGHT, False, True, 10)
    chosen = ViewLayout(Layout.BELOW, has_3d=True, has_crosshair=False, reach_mm=25)
    write_view_layout(chosen)
    assert read_view_layout() == chosen
    (home() / "views.json").write_text(json.dumps({"layout": "SIX", "reach_mm": "far"}))
    assert read_view_layout() == ViewLayout()
    (home() / "views.json").write_text("[1")
    assert read_view_layout() == ViewLayout()
