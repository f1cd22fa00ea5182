"""Undo and redo of lesions that are marked as gone, in turn with the edits of a session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from psygnal import Signal

from napari_medvlm.sessions.followup.review import GoneState, LesionReview


@dataclass(frozen=True)
class _Edit:
    """Marks of lesions, and the last live edit of the session when they were made."""

    last_edit: int
    title: str
    before: dict[int, GoneState]
    after: dict[int, GoneState]


class GoneEdits:
    """The marks of one review, undone and redone where they stand among the session's edits.

    Parameters
    ----------
    review
        Whose lesions are marked.
    last_edit
        Returns the serial number of the session's last live edit; 0: there is none.

    Attributes
    ----------
    changed
        Signal: marks were made, undone or redone.
    """

    changed = Signal()

    def __init__(self, review: LesionReview, last_edit: Callable[[], int]) -> None:
        self._review = review
        self._last_edit = last_edit
        self._done: list[_Edit] = []
        self._undone: list[_Edit] = []

    def mark(self, values: Sequence[int], is_gone: bool) -> None:
        """Mark lesions as gone, or take that back."""
        review = self._review
        before = {value: review.gone_state(value) for value in values}
        for value in values:
            review.set_gone(value, is_gone)
        after = {value: review.gone_state(value) for value in values}
        names = ", ".join(review.proposal(value).lesion.name for value in values)
        title = f"mark {names} as {'gone' if is_gone else 'not gone'}"
        self._done.append(_Edit(self._last_edit(), title, before, after))
        self._undone.clear()
        self.changed.emit()

    @property
    def undo_title(self) -> str | None:
        """What `undo` takes back; `None`: an edit of the session is undone first, or nothing."""
        return self._title(self._done)

    @property
    def redo_title(self) -> str | None:
        """What `redo` brings back; `None`: an edit of the session is redone first, or nothing."""
        return self._title(self._undone)

    def undo(self) -> None:
        """Take back the last marks."""
        edit = self._done.pop()
        self._undone.append(edit)
        self._restore(edit.before)

    def redo(self) -> None:
        """Bring back the marks that were taken back last."""
        edit = self._undone.pop()
        self._done.append(edit)
        self._restore(edit.after)

    def _title(self, edits: Sequence[_Edit]) -> str | None:
        is_next = bool(edits) and edits[-1].last_edit == self._last_edit()
        return edits[-1].title if is_next else None

    def _restore(self, states: dict[int, GoneState]) -> None:
        for value, state in states.items():
            self._review.restore_gone(value, state)
        self.changed.emit()
