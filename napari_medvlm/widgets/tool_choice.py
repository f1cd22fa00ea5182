"""Choosing the tools that a model may call before it answers."""

from __future__ import annotations

from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QWidget

TOOLS = {
    "segment": "Outline an object by a phrase, a box or a point.",
    "ground": "Find where a phrase is.",
    "measure": "Volume, diameters and intensity of an object.",
    "zoom": "Look again at a part, at full resolution.",
    "compare": "Look at the same place in the other image.",
}


class ToolChoice(QWidget):
    """A box for each tool. Tools never write to layers of yours."""

    def __init__(self) -> None:
        super().__init__()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 0, 0, 4)
        self.boxes: dict[str, QCheckBox] = {}
        for name, tooltip in TOOLS.items():
            box = self.boxes[name] = QCheckBox(name)
            box.setToolTip(tooltip)
            layout.addWidget(box)
        layout.addStretch(1)

    def refuse(self, reason: str) -> None:
        """Offer none, and say why; empty: offer them."""
        self.setEnabled(not reason)
        for name, box in self.boxes.items():
            box.setToolTip(reason or TOOLS[name])

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names of the tools that may be called; none if this is switched off."""
        if not self.isEnabled():
            return ()
        return tuple(name for name, box in self.boxes.items() if box.isChecked())

    @property
    def title(self) -> str:
        """What is chosen, in a few words."""
        return "Tools: " + (", ".join(self.chosen) or "none")
