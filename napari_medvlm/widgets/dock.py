"""What docks share: how they end, and the session of the image that is chosen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QHBoxLayout

from napari_medvlm.backends.base import Task
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.layers import is_image
from napari_medvlm.layers.convert import forget_replaced, role
from napari_medvlm.layers.display.fixed_position import FixedPosition, restore_position
from napari_medvlm.layers.orientation import name_axes, orient, shows_all
from napari_medvlm.sessions.earlier import EarlierSession
from napari_medvlm.sessions.request_sender import ModelChoice
from napari_medvlm.widgets.display.commands import bind_display_keys, drag_of
from napari_medvlm.widgets.models.backend_combo import BackendChoice
from napari_medvlm.widgets.models.model_picker import ModelRow
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.layer_combo import LayerChoice
from napari_medvlm.widgets.runtime.notify import guarded, show_all, show_message, warn
from napari_medvlm.widgets.runtime.resources import close_all
from napari_medvlm.widgets.runtime.threads import MainThreadQueue
from napari_medvlm.worker.environment_runner import RoutedRunner

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image
from napari_medvlm.widgets.runtime.dock import Dock

S = TypeVar("S")


class SessionDock(Dock, Generic[S]):
    """A dock with a session of the image that is chosen, and a worker of its own.

    Attributes
    ----------
    session
        None while no image is open.
    image, backend, model
        The choices of the image, of who does the work, and with which weights.
    sessions
        The button that lists the earlier sessions of the image.
    """

    def __init__(self, napari_viewer: Viewer, task: Task) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self._showed_all = shows_all(napari_viewer)
        self.session: S | None = None
        self.image = LayerChoice(napari_viewer, is_image)
        self.backend = BackendChoice(task)
        self.model = ModelRow()
        self.sessions = button("Sessions…", "Open, rename or delete earlier sessions of the image.")
        on_click(self.sessions, self.list_sessions)
        self._when_open: list[Callable[[], object]] = []
        self._opened: list[Any] = []
        self._runner = RoutedRunner()
        self._failed = MainThreadQueue(show_all, self)
        dims = napari_viewer.dims.events
        for event in (dims.order, dims.ndisplay, dims.point):
            event.connect(self._on_view)
        self._position: FixedPosition | None = None
        self._watched: Image | None = None
        self.image.chosen.connect(self._watch)
        self._watch(self.image.layer)
        bind_display_keys(napari_viewer)
        self._window_drag = drag_of(napari_viewer)
        self.window_control = self._window_drag.control
        application = QGuiApplication.instance()
        if isinstance(application, QGuiApplication):
            application.applicationStateChanged.connect(self._on_application_state)
        self.image.chosen.connect(self.window_control.follow)
        self.window_control.follow(self.image.layer)
        self.destroyed.connect(partial(close_all, self._opened, self._runner))

    @property
    def runner(self) -> RoutedRunner:
        """The worker, for work on the same image with the same model."""
        return self._runner

    @property
    def choice(self) -> ModelChoice:
        """The backend, model and device that are chosen."""
        return ModelChoice(self.backend.name, self.model.model, self.model.device)

    def close_dock(self) -> None:
        """Leave the image and end the worker."""
        self.model.download_bar.cancel()
        self._watch(None)
        self._end()
        self._runner.stop()

    def resume_session(self, earlier: EarlierSession) -> None:
        """Continue an earlier session of the open image as it is on the disk now."""
        raise NotImplementedError

    def when_open(self, action: Callable[[], object], layer: Image | None = None) -> None:
        """Run an action as soon as an image is open; ``None``: the one chosen."""
        self._when_open.append(guarded(action))
        if layer is not None and layer is not self.image.layer:
            self.image.choose(layer)
        elif self.session is not None or self.image.layer is None:
            self._run_when_open()

    def list_sessions(self) -> None:
        """List the earlier sessions of the image."""
        from napari_medvlm.widgets.sessions.open_earlier import list_sessions

        if self.image.layer is None:
            raise no_image()
        list_sessions(self.viewer, self.image.layer, self)

    def _run_when_open(self) -> None:
        actions, self._when_open = self._when_open, []
        for action in actions:
            action()

    def _image_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(self.image, 1)
        row.addWidget(self.sessions)
        return row

    def _watch(self, layer: Image | None) -> None:
        """Have the image stay where it is: prompts and masks are in the frame of the patient."""
        if self._position is not None:
            self._position.close()
            self._position = None
        if self._watched is not None:
            self._watched.events.data.disconnect(self._on_replaced)
        self._watched = layer
        if layer is not None:
            forget_replaced(layer)
            if restore_position(layer):
                self._on_moved()
            self._position = FixedPosition(layer, self._on_moved)
            layer.events.data.connect(self._on_replaced)

    def _on_moved(self) -> None:
        name = "" if self._watched is None else self._watched.name
        warn(
            f"{name} cannot be moved while it is open in a dock, as its prompts and masks share its"
            " position. Move a duplicate of the layer; for the voxel size use Set the voxel size…"
        )

    def _on_replaced(self, _: object) -> None:
        """Open the image again when its voxels were replaced in the viewer."""
        layer = self._watched
        is_open = layer is self.image.layer
        if layer is None or not is_open:
            return
        if forget_replaced(layer) or role(layer) is None:
            show_message(f"The voxels of {layer.name} were replaced: it is opened as a new image.")
            self.image.chosen.emit(layer)

    def _on_application_state(self, _: object) -> None:
        """Leave the mouse to napari: a key released in another window is released unseen."""
        self._window_drag.end()

    def fit_view(self) -> None:
        """Fit the image into what the dock has left of the canvas, if all of it was in view."""
        if self._showed_all and not shows_all(self.viewer):
            self.viewer.reset_view()

    def _end(self) -> None:
        """Leave the image that was worked on; for docks to extend."""
        close_all(self._opened)
        self.session = None

    def _session(self) -> S:
        if self.session is None:
            raise no_image()
        return self.session

    def _on_view(self, _: Any) -> None:
        if self.session is not None:
            orient(self.viewer)
            name_axes(self.viewer)


def no_image() -> InvalidImage:
    """The error of what needs an image when none is open."""
    return InvalidImage("No image is open.", "Open an image and choose it in the dock.")
