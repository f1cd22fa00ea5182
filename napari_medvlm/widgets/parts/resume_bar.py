"""The offer to go on with an earlier session of the same image."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout

from napari_medvlm.widgets.parts.plain_text import PlainLabel


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
        self._offered: object = None
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
        layout.addLayout(row)
        row.addWidget(self.resume)
        row.addWidget(self.decline)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.hide()

    def offer(self, earlier: object) -> None:
        """Offer an earlier session, which says as a text what is in it; `None`: there is none."""
        self._offered = earlier
        self._text.setText(f"Earlier session of this image: {earlier}.")
        self.setVisible(earlier is not None)

    def _accept(self) -> None:
        self.hide()
        self.accepted.emit(self._offered)
