"""A section that is collapsed under its title."""

from __future__ import annotations

from qtpy.QtCore import QEvent
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QSizePolicy, QWidget
from superqt import QCollapsible

HEAD_STYLE = "text-align: left; border: none; outline: none; background: transparent;"
"""superqt's style of the button, without the highlight that napari gives to checked buttons."""

EXPANDED = "▾"
COLLAPSED = "▸"


class Collapsible(QCollapsible):
    """superqt's collapsible section with a content that is hidden while collapsed.

    The content may change its height while it is expanded. There is no animation.

    Parameters
    ----------
    title, tooltip
        Of the button that expands and collapses the section.
    content
        The widget in the section.
    """

    def __init__(self, title: str, tooltip: str, content: QWidget) -> None:
        super().__init__(title, expandedIcon=EXPANDED, collapsedIcon=COLLAPSED)
        self._max_height = content.maximumHeight()  # superqt sets it with each change
        empty = self.content()
        self.layout().removeWidget(empty)
        self.setContent(content)
        empty.deleteLater()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.layout().setContentsMargins(0, 0, 0, 0)
        self.layout().setSpacing(2)
        head = self.toggleButton()
        head.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        head.setStyleSheet(HEAD_STYLE)
        head.setToolTip(tooltip)
        self.toggled.connect(self._on_toggled)
        content.hide()

    def expand(self, animate: bool = False) -> None:
        """Show the content."""
        super().expand(animate=False)

    def collapse(self, animate: bool = False) -> None:
        """Hide the content."""
        super().collapse(animate=False)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Draw the arrows in the colour of the text."""
        super().showEvent(event)
        self._draw_arrows()

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Draw the arrows again in another theme."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.StyleChange and self.isVisible():
            self._draw_arrows()

    def _draw_arrows(self) -> None:
        """Take the colour of the palette, which has that of the style once polished."""
        self.toggleButton().ensurePolished()
        self.setExpandedIcon(EXPANDED)
        self.setCollapsedIcon(COLLAPSED)

    def _on_toggled(self, expanded: bool) -> None:
        self.content().setMaximumHeight(self._max_height)
        self.content().setVisible(expanded)
