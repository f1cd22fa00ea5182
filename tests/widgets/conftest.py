"""Widgets without a viewer, and docks in one."""

from tests.windows import (
    collections_without_imports,
    glyphs_computed_once,
    manifests_read_once,
)

__all__ = ("collections_without_imports", "glyphs_computed_once", "manifests_read_once")
