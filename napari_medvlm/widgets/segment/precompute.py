"""Having the model look at the plane in view before the first click."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Prepared
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.display import patient_axes
from napari_medvlm.layers.orientation import PLANES, axis_across
from napari_medvlm.sessions.request_sender import ModelChoice
from napari_medvlm.sessions.segment.precompute import prepare_plane, stored_mib
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.job_bar import JobBar
from napari_medvlm.widgets.runtime.notify import show_message
from napari_medvlm.worker.runner import Runner

if TYPE_CHECKING:
    from napari import Viewer


class PreparePlane(QWidget):
    """A button for models that can do so, and how far it is; hidden for others.

    Parameters
    ----------
    viewer
        Its plane in view is prepared.
    runner
        Who does the work; clicks that are given meanwhile go first.
    """

    def __init__(self, viewer: Viewer, runner: Runner) -> None:
        super().__init__()
        self._viewer, self._runner = viewer, runner
        self._session: SegmentationSession | None = None
        self._by = ModelChoice()
        self.button = button("Precompute this plane", "")
        self.bar = JobBar("Stop after the current slice; finished slices stay on disk.")
        row = QHBoxLayout()
        row.addWidget(self.button)
        row.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.bar)
        on_click(self.button, self.start)
        self.bar.busy_changed.connect(self._show)
        viewer.dims.events.order.connect(self._show)
        viewer.dims.events.ndisplay.connect(self._show)
        self._show()

    def bind(self, session: SegmentationSession | None) -> None:
        """Work on the image of a session from now on."""
        if self.bar.busy:
            self.bar.cancel()
        self._session = session
        self._show()

    def offer(self, by: ModelChoice) -> None:
        """Work with another backend, model and device from now on."""
        if self.bar.busy and by != self._by:
            self.bar.cancel()
        self._by = by
        self._show()

    def start(self) -> None:
        """Precompute all slices of the plane in view."""
        if self._session is None:
            raise InvalidImage("No image is open.", "Open an image and choose it in the dock.")
        volume, by, axis, runner = self._session.volume, self._by, self._axis(), self._runner
        self.bar.start(
            lambda progress: prepare_plane(volume, axis, by, runner, progress),
            _show_done,
            "Loading the model",
        )

    def _axis(self) -> int:
        """The axis of the image's array that the slices in view are across."""
        assert self._session is not None
        return patient_axes(self._session.volume.grid.affine)[axis_across(self._viewer)]

    def _show(self, _: Any = None) -> None:
        self.setVisible(registry.info(self._by.backend).prepared_mib > 0)
        flat = self._session is not None and self._viewer.dims.ndisplay == 2
        self.button.setEnabled(flat and not self.bar.busy)
        if self._session is None or not flat:
            self.button.setText("Precompute this plane")
            self.button.setToolTip("Open an image and show one of its planes first.")
            return
        axis = self._axis()
        megabytes = stored_mib(self._by.backend, self._session.volume, axis) * 2**20 / 1e6
        count = self._session.volume.shape[axis]
        self.button.setText(f"Precompute this plane (up to {megabytes:.0f} MB on disk)")
        self.button.setToolTip(
            f"Precompute all {count} {PLANES[axis_across(self._viewer)].lower()} "
            "slices, so that clicks on them are fast, also in later sessions. Clicks made "
            "meanwhile take priority."
        )


def _show_done(done: Prepared) -> None:
    slices = "1 slice" if done.computed == 1 else f"{done.computed} slices"
    show_message(" ".join([f"Plane precomputed; {slices} new.", *done.notes]))
