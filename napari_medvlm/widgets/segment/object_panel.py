"""The objects with what can be done to them, and the measurements of the active one."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from napari_medvlm.data.errors import InvalidPrompt, MedVLMError
from napari_medvlm.data.prompts import Point
from napari_medvlm.ledger.records import Overlap
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.widgets.parts.buttons import button
from napari_medvlm.widgets.parts.wrapped_label import WrappedLabel
from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.segment.object_list import ObjectList

OVERLAPS = {
    Overlap.NEWEST: (
        "Newest on top",
        "Where objects overlap, the one changed last owns the voxel.",
    ),
    Overlap.FIRST: (
        "Oldest on top",
        "Where objects overlap, the one created first owns the voxel.",
    ),
    Overlap.BOTH: ("Allow overlap", "Objects share voxels; each is saved to a separate file."),
}

NAME_LETTERS = 40


class ObjectPanel(QWidget):
    """The object list of a session, which `bind` sets.

    Attributes
    ----------
    object_added
        A new object was added, which has no prompts yet.
    """

    object_added = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._session: SegmentationSession | None = None
        self.list = ObjectList()
        self.measure = WrappedLabel("No objects yet. Click in the image to add the first one.")
        self.measure.setToolTip("Volume, size along the patient's S, P, L axes and intensity.")
        self.overlap = self._overlap_box()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._button_row())
        layout.addWidget(self.list, 1)
        layout.addWidget(self.overlap)
        layout.addWidget(self.measure)
        self._connect()

    def bind(self, session: SegmentationSession | None) -> None:
        """Show the objects of a session from now on."""
        self._session = session
        self.list.hidden.clear()
        self.setEnabled(session is not None)
        self.refresh()

    def add_object(self) -> None:
        """Add a new object and make it active."""
        self._do(self._add)

    def refresh(self) -> None:
        """Show the session as it is."""
        session = self._session
        if session is None:
            self.list.show_objects((), None)
            self.measure.setText("")
            return
        rows = [(live.info, len(live.prompts)) for live in session.now.objects.values()]
        self.list.show_objects(rows, session.active)
        rule = list(OVERLAPS).index(session.now.overlap)
        if rule != self.overlap.currentIndex():
            self.overlap.setCurrentIndex(rule)
        if session.active is None:
            self._say("No objects yet. Click in the image to add the first one.")
        else:
            name = _shortened(session.now.objects[session.active].info.name)
            measurement = session.last_measurement(session.active)
            lowest = session.own_mask(session.active).lowest_slice_score
            least = (
                "" if lowest is None else f"; lowest score {lowest[1]:.2f} on slice {lowest[0][1]}"
            )
            self._say(
                f"{name}: {'' if measurement is None else measurement}{least}{_in_locked(session)}"
            )

    def _say(self, text: str) -> None:
        if text != self.measure.text():
            self.measure.setText(text)

    def _button_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        for text, tooltip, action in (
            ("New", "Add a new object. (Shift+N)", self._add),
            ("Delete", "Delete the selected objects (can be undone). (Delete)", self._delete),
            ("Merge", "Merge the selected objects.", self._merge),
            ("Split", "Split the object into connected components.", _split),
        ):
            action_button = button(text, tooltip)
            action_button.clicked.connect(lambda _=False, action=action: self._do(action))
            row.addWidget(action_button)
        return row

    def _overlap_box(self) -> QComboBox:
        box = QComboBox()
        for name, tooltip in OVERLAPS.values():
            box.addItem(name)
            box.setItemData(box.count() - 1, tooltip, 3)  # Qt.ToolTipRole
        box.setToolTip("Which object owns a voxel where two overlap.")
        box.activated.connect(lambda i: self._do(lambda s: s.set_overlap(list(OVERLAPS)[i])))
        return box

    def _connect(self) -> None:
        objects = self.list
        objects.activated_object.connect(lambda i: self._do(lambda s: s.activate(i)))
        objects.delete_requested.connect(lambda: self._do(self._delete))
        objects.renamed.connect(lambda i, name: self._do(lambda s: s.edit_object(i, name=name)))
        objects.recolored.connect(lambda i, c: self._do(lambda s: s.edit_object(i, color=c)))
        objects.lock_changed.connect(lambda i, on: self._do(lambda s: s.edit_object(i, locked=on)))

    def _add(self, session: SegmentationSession) -> None:
        session.add_object()
        self.object_added.emit()

    def _delete(self, session: SegmentationSession) -> None:
        chosen = self.list.selected()
        if not chosen:
            raise _none_chosen()
        session.remove_objects(*chosen)

    def _merge(self, session: SegmentationSession) -> None:
        chosen = self.list.selected()
        if len(chosen) < 2:
            raise InvalidPrompt(
                "Select at least two objects to merge.", "Hold Ctrl or Shift to select several."
            )
        session.merge(*chosen)

    @guarded
    def _do(self, action: Callable[[SegmentationSession], object]) -> None:
        if self._session is None:
            return
        try:
            action(self._session)
        except MedVLMError:
            self._session.changed.emit(None)  # what the list shows is not so
            raise


def _in_locked(session: SegmentationSession) -> str:
    """Why the active object is empty, if its points lie in a locked object."""
    live = session.now.objects.get(session.active or 0)
    if live is None or session.mask.any():
        return ""
    points = [p for p in live.prompts.values() if isinstance(p, Point) and p.positive]
    for point in points:
        for zyx in point.voxels(session.volume.grid):
            owner = session.now.objects.get(int(session.labels[tuple(zyx)]))
            if owner is not None and owner.info.locked:
                return f". Its point lies in {_shortened(owner.info.name)}, which is locked."
    return ""


def _shortened(name: str) -> str:
    """A name with its middle left out if it is longer than a line."""
    if len(name) <= NAME_LETTERS:
        return name
    half = NAME_LETTERS // 2
    return f"{name[:half]}…{name[-half:]}"


def _split(session: SegmentationSession) -> None:
    if session.active is None:
        raise _none_chosen()
    session.split(session.active)


def _none_chosen() -> InvalidPrompt:
    return InvalidPrompt("No object is selected.", "Select one in the list.")
