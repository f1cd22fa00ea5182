"""A person in front of the Ask dock."""

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication


class Asker:
    """What the user does in the dock, and what they see."""

    def __init__(self, viewer, dock, qtbot):
        self.viewer, self.dock, self.qtbot = viewer, dock, qtbot

    def waits(self, condition, timeout_ms=300_000):
        self.qtbot.waitUntil(condition, timeout=timeout_ms)

    def writes(self, question):
        """Type a question and press Enter."""
        before = [e.id for e in self.exchanges]
        self.dock.box.write(question)
        QTest.keyClick(self.dock.box.edit, Qt.Key.Key_Return)
        self.waits(lambda: [e.id for e in self.exchanges] != before)

    def asks(self, question):
        self.writes(question)
        self.waits(lambda: not self.dock.session.pending)
        self.sees_all()

    def sees_all(self):
        self.qtbot.wait(30)
        QApplication.processEvents()

    @property
    def exchanges(self):
        return self.dock.session.active.turns

    @property
    def last(self):
        return self.exchanges[-1]

    @property
    def card(self):
        return self.dock.reading.transcript.cards[self.last.id]

    def clicks(self, row):
        QTest.mouseClick(row, Qt.MouseButton.LeftButton)
        QApplication.processEvents()

    def layer(self, role):
        for layer in self.viewer.layers:
            if layer.metadata.get("medvlm", {}).get("role") == role:
                return layer
        return None

    def lit(self):
        """The sentences that are framed, and the callouts of the boxes with the thickest edges."""
        framed = [place for place, row in enumerate(self.card.claims.rows) if row.lit]
        boxes = self.layer("found answer boxes")
        widths = np.array(boxes.edge_width)
        thick = widths > widths.min() if np.ptp(widths) else widths > 1.5 * self._thin()
        return framed, [c for c, on in zip(boxes.features["callout"], thick, strict=True) if on]

    def _thin(self):
        return 0.8 / min(self.dock.session.volume.spacing)

    @property
    def story(self):
        return self.viewer.canvas.overlays.text.text


def choose(asker, backend):
    box = asker.dock.backend
    box.setCurrentIndex(box.findData(backend))
    box.activated.emit(box.currentIndex())
