"""The objects of the current study: those of the session that the Segment dock has open."""

from __future__ import annotations

import contextlib

from qtpy.QtCore import QObject, Signal

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.followup.review import CurrentObject
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.widgets.runtime.threads import MainThreadQueue
from napari_medvlm.widgets.segment.dock import SegmentDock


class CurrentObjects(QObject):
    """Follows the session of the Segment dock, as long as it is about the current study.

    Parameters
    ----------
    segment
        The Segment dock.
    parent
        When it is deleted, no signal is emitted any more.

    Attributes
    ----------
    study
        The current study; None: no objects are followed.
    changed
        The objects changed, or the dock has another session open.
    """

    changed = Signal()

    def __init__(self, segment: SegmentDock, parent: QObject) -> None:
        super().__init__(parent)
        self.study: Volume | None = None
        self._segment = segment
        self._watched: SegmentationSession | None = None
        self._edited = MainThreadQueue(lambda _: self.changed.emit(), self)
        segment.session_changed.connect(self._watch)
        self._watch(segment.session)

    def close(self) -> None:
        """Follow no session any more."""
        with contextlib.suppress(RuntimeError, TypeError):  # the Segment dock was closed before
            self._segment.session_changed.disconnect(self._watch)
        self._watch(None)

    @property
    def session(self) -> SegmentationSession | None:
        """The session of the Segment dock, if it is about the current study."""
        session = self._watched
        if session is None or self.study is None:
            return None
        return session if session.ledger.image.digest == self.study.digest else None

    @property
    def tracking_uids(self) -> set[str]:
        """The tracking UIDs of the objects."""
        session = self.session
        if session is None:
            return set()
        return {session.ledger.uid_of(i) for i in session.now.objects}

    @property
    def last_edit(self) -> int:
        """Serial number of the session's last edit that is not undone; 0: there is none."""
        session = self.session
        live = () if session is None else session.ledger.entries
        return live[-1].serial if live else 0

    def listed(self) -> list[CurrentObject]:
        """The objects with their names, masks and tracking UIDs."""
        session = self.session
        if session is None:
            return []
        return [
            CurrentObject(live.info.name, session.own_mask(i), session.ledger.uid_of(i))
            for i, live in session.now.objects.items()
        ]

    def require_session(self) -> SegmentationSession:
        """The session of the Segment dock.

        Raises
        ------
        InvalidImage
            The dock has another image open.
        """
        session = self.session
        if session is None:
            name = "the current image" if self.study is None else self.study.name
            raise InvalidImage(
                "The Segment dock has another image open.", f"Choose {name} in the Segment dock."
            )
        return session

    def remove(self, tracking_uid: str) -> None:
        """Remove the objects of a lesion."""
        session = self.require_session()
        objects = session.now.objects
        session.remove_objects(*[i for i in objects if session.ledger.uid_of(i) == tracking_uid])

    def _watch(self, session: SegmentationSession | None) -> None:
        if self._watched is not None:
            self._watched.changed.disconnect(self._edited)
        self._watched = session
        if session is not None:
            session.changed.connect(self._edited)
        self.changed.emit()
