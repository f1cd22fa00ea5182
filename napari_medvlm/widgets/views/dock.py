"""The Views dock: the other planes of the image, linked to the viewer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QDockWidget, QSplitter, QVBoxLayout, QWidget

from napari_medvlm.layers.orientation import Plane, axis_across
from napari_medvlm.layers.views.crosshair import Crosshair
from napari_medvlm.layers.views.linked import linked_views
from napari_medvlm.layers.views.off_slice import OffSliceMarks
from napari_medvlm.layers.views.per_view import PerView
from napari_medvlm.layers.views.view_labels import ViewLabels
from napari_medvlm.settings.view_layout import (
    Layout,
    ViewLayout,
    read_view_layout,
    write_view_layout,
)
from napari_medvlm.widgets.commands import bind_keys
from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.views.dock_area import dock_of, leave_window, move_dock
from napari_medvlm.widgets.views.panel import ViewPanel
from napari_medvlm.widgets.views.toolbar import ViewsToolbar

if TYPE_CHECKING:
    from napari import Viewer


KEYS = "napari_medvlm.widgets.views.commands"
"""Module of the commands whose keys the dock binds."""

UNLIMITED = 16777215
"""The largest height of a widget in Qt."""


class ViewsDock(QWidget):
    """Side views in a splitter, and a row of controls.

    Two side views show the planes that the viewer does not show; a third one shows the volume in
    3D if it is asked for.

    Attributes
    ----------
    panels
        The side views.
    arrangement
        The layout, and what else is shown.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.panels: list[ViewPanel] = []
        self.arrangement = ViewLayout()
        self._own_dock: QDockWidget | None = None
        self._linked = linked_views(napari_viewer)
        self._crosshairs: PerView[Crosshair] | None = None
        self._labels = PerView(self._linked, ViewLabels)
        linked = self._linked
        self._off_slice = PerView(linked, lambda view: OffSliceMarks(view, linked))
        self.toolbar = ViewsToolbar()
        self.splitter = QSplitter()
        self.splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        layout.addWidget(self.splitter, 1)
        layout.addWidget(self.toolbar)
        self.toolbar.arranged.connect(guarded(self.arrange))
        self._first_shown = QTimer(self)
        self._first_shown.setSingleShot(True)
        self._first_shown.timeout.connect(self._on_first_shown)
        napari_viewer.dims.events.order.connect(self._on_plane)
        napari_viewer.dims.events.ndisplay.connect(self._on_plane)
        self.destroyed.connect(partial(_close_panels, self.panels))
        bind_keys(napari_viewer, napari_viewer, KEYS)
        self._linked.go_to_click()
        self.arrange(read_view_layout())

    def arrange(self, arrangement: ViewLayout) -> None:
        """Show the side views in a layout, and remember it."""
        self.arrangement = arrangement
        self.toolbar.show_arrangement(arrangement)
        wanted = self._wanted()
        while len(self.panels) > len(wanted):
            panel = self.panels.pop()
            panel.close_view()
            panel.setParent(None)
            panel.deleteLater()
        for plane in wanted[len(self.panels) :]:
            panel = ViewPanel(self.viewer, plane)
            self.panels.append(panel)
            self.splitter.addWidget(panel)
        self._on_plane()
        self._show_crosshair(arrangement.has_crosshair)
        self._linked.reach_mm = float(arrangement.reach_mm)
        is_stacked = arrangement.layout is Layout.RIGHT
        self.splitter.setOrientation(
            Qt.Orientation.Vertical if is_stacked else Qt.Orientation.Horizontal
        )
        self.splitter.setSizes([1000] * len(self.panels))
        self.splitter.setVisible(bool(self.panels))
        self.setMaximumHeight(UNLIMITED if self.panels else self.toolbar.sizeHint().height() + 8)
        write_view_layout(arrangement)
        move_dock(self, arrangement.layout)

    def set_layout(self, layout: Layout) -> None:
        """Show the side views in another layout."""
        self.arrange(replace(self.arrangement, layout=layout))

    def toggle_crosshair(self) -> None:
        """Show or hide the crosshair in all views."""
        has_crosshair = not self.arrangement.has_crosshair
        self.arrange(replace(self.arrangement, has_crosshair=has_crosshair))

    def close_dock(self) -> None:
        """Close all side views, and take the crosshair away."""
        self._show_crosshair(False)
        self._linked.reach_mm = 0.0
        self._off_slice.close()
        self._labels.close()
        self.viewer.dims.events.order.disconnect(self._on_plane)
        self.viewer.dims.events.ndisplay.disconnect(self._on_plane)
        _close_panels(self.panels)

    def sizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """Room for the side views."""
        return QSize(340, 500) if self.panels else super().sizeHint()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802  # Qt's name
        """Free everything when the dock is closed: it loses its parent."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            if self._own_dock is not None:
                leave_window(self._own_dock)
            self.close_dock()

    def _on_first_shown(self) -> None:
        move_dock(self, self.arrangement.layout)
        self._own_dock = dock_of(self)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802  # Qt's name
        """Move to the side of the window that the layout asks for, the first time."""
        super().showEvent(event)
        self._first_shown.start(0)

    def _show_crosshair(self, is_shown: bool) -> None:
        if is_shown and self._crosshairs is None:
            cursor = self._linked.cursor
            self._crosshairs = PerView(self._linked, lambda view: Crosshair(view, cursor))
        elif not is_shown and self._crosshairs is not None:
            self._crosshairs.close()
            self._crosshairs = None

    def _wanted(self) -> list[Plane | None]:
        """What the side views show, in order."""
        if self.arrangement.layout is Layout.SINGLE:
            return []
        in_viewer = self._plane_of_viewer()
        planes: list[Plane | None] = [plane for plane in Plane if plane is not in_viewer]
        return [*planes[:2], None] if self.arrangement.has_3d else planes[:2]

    def _plane_of_viewer(self) -> Plane:
        if self.viewer.dims.ndisplay == 3:
            shown = [panel.plane for panel in self.panels[:2]]
            return next(plane for plane in Plane if plane not in shown)
        return tuple(Plane)[axis_across(self.viewer)]

    def _on_plane(self, _: Any = None) -> None:
        """Let the side view that shows the plane of the viewer show the one it has left."""
        in_viewer = self._plane_of_viewer()
        shown = [panel.plane for panel in self.panels[:2]]
        missing = [plane for plane in Plane if plane is not in_viewer and plane not in shown]
        for panel in self.panels[:2]:
            if panel.plane is in_viewer and missing:
                panel.show_plane(missing.pop(0))


def _close_panels(panels: list[ViewPanel], _: object = None) -> None:
    """Close side views, also when the window is closed with the dock open."""
    while panels:
        panels.pop().close_view()
