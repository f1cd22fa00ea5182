"""The offer to go on with an earlier session of the same image."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFrame, QHBoxLayout, QPushButton, QVBoxLayout

from napari_medvlm.widgets.parts.plain_text import PlainLabel

LISTED = 3
"""Sessions that the text names; all are in the list below it."""


class ResumeBar(QFrame):
    """Hidden until something is offered; hides itself when answered.

    Attributes
    ----------
    accepted
        The earlier session that the person wants back, as it was offered.
    """

    accepted = Signal(object)

    def __init__(
        self, tooltip: str = "Restore the objects and prompts, and recompute the masks."
    ) -> None:
        super().__init__()
        self._offered: tuple[object, ...] = ()
        self.choice = QComboBox()
        self.choice.setToolTip("The earlier session to resume; the one used last is first.")
        self._text = PlainLabel()
        self._text.setWordWrap(True)
        self.resume = QPushButton("Resume")
        self.resume.setToolTip(tooltip)
        self.resume.clicked.connect(self._accept)
        self.decline = QPushButton("Start new")
        self.decline.setToolTip("The earlier session stays on disk.")
        self.decline.clicked.connect(self.hide)
        layout, row = QVBoxLayout(self), QHBoxLayout()
        layout.addWidget(self._text)
        layout.addWidget(self.choice)
        layout.addLayout(row)
        row.addWidget(self.resume)
        row.addWidget(self.decline)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.hide()

    def offer(self, *earlier: object) -> None:
        """Offer earlier sessions, each of which as a text says what is in it.

        Parameters
        ----------
        earlier
            The sessions; the first is chosen at first.
        """
        self._offered = earlier
        several = len(earlier) > 1
        listed = "; ".join(map(str, earlier[:LISTED])) + ("; …" if len(earlier) > LISTED else "")
        self._text.setText(f"Earlier session{'s' if several else ''} of this image: {listed}.")
        self.choice.clear()
        self.choice.addItems([str(session) for session in earlier])
        self.choice.setVisible(several)
        self.setVisible(bool(earlier))

    def _accept(self) -> None:
        self.hide()
        self.accepted.emit(self._offered[max(self.choice.currentIndex(), 0)])
