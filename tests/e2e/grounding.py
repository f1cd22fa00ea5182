"""Real windows with a Ground dock, and a person who uses it."""

import contextlib

from napari.layers import Layer
from qtpy.QtWidgets import QApplication

from napari_medvlm.layers import layer_data


class Asker:
    """What the user does in the dock, and what they see."""

    def __init__(self, viewer, dock, qtbot):
        self.viewer, self.dock, self.qtbot = viewer, dock, qtbot

    def waits(self, condition, timeout_ms=300_000):
        self.qtbot.waitUntil(condition, timeout=timeout_ms)

    def sees_from(self, score):
        """Move the slider and wait until it has rested."""
        self.dock.filters.threshold.setValue(score)
        self.waits(lambda: not self.dock.filters.is_due)

    def asks(self, *phrases):
        self.dock.phrases.set_phrases(list(phrases))
        self.dock.run.run.click()
        self.waits(lambda: not self.dock.session.pending)
        QApplication.processEvents()
        self.waits(lambda: len(self.rows()) >= len(phrases))

    def rows(self):
        table = self.dock.table
        items = [table.topLevelItem(k) for k in range(table.topLevelItemCount())]
        return [[item.text(column) for column in range(6)] for item in items]

    def layer(self, role):
        for layer in self.viewer.layers:
            if layer.metadata.get("medvlm", {}).get("role") == role:
                return layer
        return None


@contextlib.contextmanager
def ground_docks(make_napari_viewer, qtbot):
    """A function that opens a volume in a viewer with a Ground dock; all docks are closed."""
    docks = []

    def open_dock(volume):
        viewer = make_napari_viewer(show=True)
        viewer.add_layer(Layer.create(*layer_data(volume)))
        _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Ground")
        docks.append(dock)
        asker = Asker(viewer, dock, qtbot)
        asker.waits(lambda: dock.session is not None)
        return asker

    yield open_dock
    for dock in docks:
        with contextlib.suppress(RuntimeError):  # the test has closed it
            dock.close_dock()
