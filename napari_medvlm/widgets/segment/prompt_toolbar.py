"""Choosing what to prompt with: the kind of prompt, what it says, and the depth of boxes."""

from __future__ import annotations

from enum import Enum

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_medvlm.backends.base import BackendInfo
from napari_medvlm.data.prompts import Box, Lasso, Line, Point, Prompt, Scribble
from napari_medvlm.widgets.parts.buttons import button
from napari_medvlm.widgets.parts.plain_text import plain

STEP_BUTTONS_PX = 64
"""Width of the buttons and margins of a spin box."""


class Tool(Enum):
    """A way to prompt: its name and what it is for."""

    POINT = (
        "Point",
        (
            "Click inside the object; right-click to add a negative point."
            " Drag to move a point; press Delete to remove it."
        ),
    )
    BOX = "Box", "Drag a rectangle around the object."
    LASSO = "Lasso", "Draw around the object with the mouse button held."
    LINE = "Line", "Draw the longest diameter of the object, from edge to edge."
    SCRIBBLE = "Scribble", "Paint with napari's brush; erase to remove parts of a stroke."
    PAINT = (
        "Brush",
        (
            "Paint voxels into the active object's mask by hand; erase with Negative."
            " They stay as they are in later masks. (Shift+E)"
        ),
    )
    LOOK = "Pan/zoom", "Click an object to make it active; drag to move the image."

    @property
    def title(self) -> str:
        """Its name on the button."""
        return self.value[0]

    @property
    def help(self) -> str:
        """What it does, for a tooltip."""
        return self.value[1]


PROMPT_OF: dict[Tool, type[Prompt]] = {
    Tool.POINT: Point,
    Tool.BOX: Box,
    Tool.LASSO: Lasso,
    Tool.LINE: Line,
    Tool.SCRIBBLE: Scribble,
}
"""The type of prompt that a tool adds."""


class Tools(QWidget):
    """Buttons for the tools and for *this* and *not this*.

    Attributes
    ----------
    tool_changed, polarity_changed, depth_changed
        The `Tool` chosen; whether prompts are positive; depth of new boxes in millimetres.
    size_stepped
        A larger (1) or smaller (-1) extent of the last point is requested.
    object_per_point_changed
        Whether each positive point begins an object of its own.
    """

    tool_changed = Signal(object)
    polarity_changed = Signal(bool)
    depth_changed = Signal(float)
    size_stepped = Signal(int)
    object_per_point_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._buttons: dict[Tool, QPushButton] = {}
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._tool_row(), 0, 0)
        layout.addLayout(self._polarity_row(), 1, 0)
        self.size = self._size_row()
        layout.addWidget(self.size, 2, 0)
        layout.addLayout(self._options_row(), 3, 0)

    @property
    def tool(self) -> Tool:
        """The tool chosen."""
        return next(tool for tool, tool_button in self._buttons.items() if tool_button.isChecked())

    def choose(self, tool: Tool) -> None:
        """Choose a tool, if it can be used."""
        if self._buttons[tool].isEnabled():
            self._buttons[tool].setChecked(True)
            self.tool_changed.emit(tool)

    @property
    def positive(self) -> bool:
        """Whether prompts say *this*."""
        return bool(self._this.isChecked())

    @property
    def is_object_per_point(self) -> bool:
        """Whether each positive point begins an object of its own."""
        return bool(self._object_per_point.isChecked())

    def set_positive(self) -> None:
        """Have the next prompts say *this*."""
        self._this.setChecked(True)

    def toggle_polarity(self) -> None:
        """From *this* to *not this*, or back."""
        (self._not_this if self.positive else self._this).click()

    def allow(self, tool: Tool, reason: str | None) -> None:
        """Enable a tool, or disable it with the reason in its tooltip."""
        tool_button = self._buttons[tool]
        tool_button.setEnabled(reason is None)
        tool_button.setToolTip(plain(reason or tool.help))
        if reason is not None and tool_button.isChecked():
            self.choose(Tool.LOOK)

    def allow_kinds(self, info: BackendInfo, title: str) -> None:
        """Enable the tools that a backend of this title supports."""
        reason = None if info.sizes_points else f"{title} has one extent for each point."
        self.allow_sizes(reason)
        self.allow(Tool.PAINT, None)
        for tool, kind in PROMPT_OF.items():
            reason = (
                None if kind in info.prompts else f"{title} does not support {kind.label} prompts."
            )
            self.allow(tool, reason)

    def disable(self, reason: str) -> None:
        """Disable all tools that add prompts."""
        self.allow_sizes(reason)
        for tool in (*PROMPT_OF, Tool.PAINT):
            self.allow(tool, reason)

    def allow_sizes(self, reason: str | None) -> None:
        """Enable the buttons for the size of the last point, or disable them with the reason."""
        self.size.setEnabled(reason is None)
        self.size.setToolTip(plain(reason or ""))

    def _size_row(self) -> QWidget:
        widget = QWidget()
        row = QHBoxLayout(widget)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("Last point"))
        for title, key, by in (("Smaller", "[", -1), ("Larger", "]", 1)):
            tooltip = f"{title} extent of the last point. ({key}, or Shift+wheel)"
            size_button = button(title, tooltip)
            size_button.clicked.connect(lambda _=False, by=by: self.size_stepped.emit(by))
            row.addWidget(size_button, 1)
        return widget

    def _tool_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        group = QButtonGroup(self)
        for tool in Tool:
            tool_button = button(tool.title, tool.help, checkable=True)
            tool_button.clicked.connect(lambda _=False, tool=tool: self.tool_changed.emit(tool))
            self._buttons[tool] = tool_button
            group.addButton(tool_button)
            row.addWidget(tool_button)
        self._buttons[Tool.LOOK].setChecked(True)
        return row

    def _polarity_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self._this = button(
            "+ Positive", "Add prompts inside the object. (Shift+T)", checkable=True
        )
        self._not_this = button(
            "- Negative", "Add prompts outside the object. (Shift+T)", checkable=True
        )
        group = QButtonGroup(self)
        for tool_button in (self._this, self._not_this):
            group.addButton(tool_button)
            row.addWidget(tool_button)
        self._this.setChecked(True)
        self._this.toggled.connect(self.polarity_changed)
        return row

    def _options_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self._object_per_point = QCheckBox("One object per point")
        self._object_per_point.setToolTip("Each positive point creates a new object.")
        self._object_per_point.toggled.connect(self.object_per_point_changed)
        row.addWidget(self._object_per_point, 1)
        depth = QDoubleSpinBox()
        depth.setRange(0.0, 1000.0)
        depth.setSuffix(" mm")
        depth.setSpecialValueText("this slice")
        text_px = depth.fontMetrics().horizontalAdvance(depth.specialValueText())
        depth.setMinimumWidth(text_px + STEP_BUTTONS_PX)
        depth.setToolTip("Thickness of new boxes, centred on the current slice.")
        depth.valueChanged.connect(self.depth_changed)
        row.addWidget(QLabel("Box depth"))
        row.addWidget(depth)
        return row
