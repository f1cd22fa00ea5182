"""Widgets without a viewer, and docks in one."""

from tests.windows import glyphs_computed_once, manifests_read_once

__all__ = ("glyphs_computed_once", "manifests_read_once")
