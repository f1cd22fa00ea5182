"""Widgets without a viewer, and docks in one."""

from tests.shared_windows import make_napari_viewer, shared_windows
from tests.windows import (
    garbage_left_to_fixtures,
    glyphs_computed_once,
    manifests_read_once,
    shaders_parsed_once,
)

__all__ = (
    "garbage_left_to_fixtures",
    "glyphs_computed_once",
    "make_napari_viewer",
    "manifests_read_once",
    "shaders_parsed_once",
    "shared_windows",
)
