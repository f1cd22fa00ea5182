"""Windows that the tests of a module use one after the other.

Opening a napari window and closing it is a third of the time of a test. Where a module has
``SHARES_WINDOWS = True``, `make_napari_viewer` opens a window of an earlier test of that module,
emptied: without layers, docks and keys, with the dims, camera, overlays and size of a new one. A
test that fails or closes a window ends it.
"""

import contextlib
import gc
from unittest.mock import patch

import pytest
from qtpy.QtCore import QEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

CALLBACKS = (
    "mouse_move_callbacks",
    "mouse_drag_callbacks",
    "mouse_wheel_callbacks",
    "mouse_double_click_callbacks",
)


class SharedWindow:
    """A viewer, and what is restored of it before its next test.

    Parameters
    ----------
    show : bool
        Whether the window is on the screen.
    """

    def __init__(self, show: bool) -> None:
        from napari import Viewer

        self.shown = show
        self.viewer = Viewer(show=show, show_welcome_screen=False)
        self._callbacks = {name: list(getattr(self.viewer, name)) for name in CALLBACKS}
        self._keymap = dict(self.viewer.keymap)
        if show:
            assert QTest.qWaitForWindowExposed(self.viewer.window._qt_window, 60_000)
        self._size = self.viewer.window._qt_window.size()

    @property
    def is_open(self) -> bool:
        """Whether no test has closed it."""
        return hasattr(self.viewer.window, "_qt_window")

    def activate(self) -> None:
        """Make it napari's current viewer."""
        window = self.viewer.window._qt_window
        windows = type(window)._instances
        windows.remove(window)
        windows.append(window)

    def empty(self) -> None:
        """Remove docks and layers, and restore what a new viewer has."""
        self._remove_docks()
        self.viewer.layers.clear()
        self._restore_model()
        window = self.viewer.window._qt_window
        if window.size() != self._size:
            window.showNormal() if self.shown else None
            window.resize(self._size)

    def close(self) -> None:
        """Close it, if no test has done so."""
        if self.is_open:
            window = self.viewer.window._qt_window
            with patch.object(window, "_save_current_window_settings"):
                self.viewer.close()

    def _remove_docks(self) -> None:
        window = self.viewer.window
        for dock in list(window._wrapped_dock_widgets.values()):
            inner = dock.widget()
            window.remove_dock_widget(dock)
            if inner is not None:
                inner.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()

    def _restore_model(self) -> None:
        from napari.components import ViewerModel

        viewer, new = self.viewer, ViewerModel()
        viewer.dims.ndisplay = 2
        viewer.dims.reset()
        viewer.dims.axis_labels = new.dims.axis_labels
        viewer.canvas.grid.update(new.canvas.grid.model_dump())
        for shown, default in (
            *zip(viewer.canvas.overlays.values(), new.canvas.overlays.values(), strict=True),
            *zip(viewer.scene.overlays.values(), new.scene.overlays.values(), strict=True),
        ):
            shown.update(default.model_dump())
        viewer.scene.camera.update(new.scene.camera.model_dump())
        viewer.title, viewer.help = new.title, new.help
        viewer.keymap.clear()
        viewer.keymap.update(self._keymap)
        for name, callbacks in self._callbacks.items():
            getattr(viewer, name)[:] = callbacks


@pytest.fixture(scope="module")
def shared_windows(request, qapp):
    """The windows that are open, with an application model of their own."""
    from app_model import Application
    from napari._app_model._app import NapariApplication, _napari_names
    from napari._qt._qapp_model.qactions import init_qactions
    from napari._qt.qt_viewer import QtViewer
    from napari.plugins import _initialize_plugins

    failed = request.session.testsfailed
    model = NapariApplication("shared_windows")
    model.injection_store.namespace = _napari_names
    windows: list[SharedWindow] = []
    with pytest.MonkeyPatch.context() as replaced:
        replaced.setattr(NapariApplication, "get_app_model", lambda *_: model)
        replaced.setattr("napari._qt.threads.status_checker.StatusChecker.start", _nothing)
        replaced.setattr("napari._qt.qt_viewer.QtViewer._get_console", _no_console)
        _initialize_plugins.cache_clear()
        init_qactions.cache_clear()
        yield windows
        while windows:
            windows.pop().close()
        Application.destroy("shared_windows")
        _initialize_plugins.cache_clear()
        init_qactions.cache_clear()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    left = len(QtViewer._instances)
    QtViewer._instances.clear()
    assert not left or request.session.testsfailed > failed, "Canvases were not deleted."


@pytest.fixture
def make_napari_viewer(request):
    """A function that opens a viewer: napari's own, or one of the module that is emptied after it.

    A module shares its windows where it has ``SHARES_WINDOWS = True``.
    """
    if not getattr(request.module, "SHARES_WINDOWS", False):
        yield request.getfixturevalue("make_napari_viewer")
        return
    with handing_out(request.getfixturevalue("shared_windows"), request.node) as open_window:
        yield open_window


@contextlib.contextmanager
def handing_out(windows: list[SharedWindow], test: pytest.Item):
    """A function that opens one of the windows, or another one where all are in use."""
    from napari.settings import get_settings

    before = set(QApplication.topLevelWidgets())
    get_settings().reset()
    used: list[SharedWindow] = []

    def open_window(*, show: bool = False):
        free = [window for window in windows if window.shown == show and window not in used]
        if free:
            window = free[0]
        else:
            window = SharedWindow(show)
            windows.append(window)
            before.update(QApplication.topLevelWidgets())
        used.append(window)
        window.activate()
        assert not window.viewer.layers
        assert not window.viewer.window.dock_widgets
        return window.viewer

    yield open_window
    with contextlib.suppress(AttributeError):  # of a window that the test has closed
        get_settings().reset()
    passed = getattr(getattr(test, "rep_call", None), "passed", False)
    for window in used:
        if window.is_open and passed:
            window.empty()
        else:
            windows.remove(window)
            window.close()
    gc.collect(1)
    if passed:
        _refuse_leaks(before, windows)


def _refuse_leaks(before, windows) -> None:
    """Fail if a test left a widget without a parent.

    Raises
    ------
    AssertionError
        With those widgets.
    """
    QApplication.processEvents()
    own = [window.viewer.window._qt_window for window in windows]
    left = [
        widget
        for widget in QApplication.topLevelWidgets()
        if widget not in before
        and widget not in own
        and widget.parentWidget() is None
        and widget.objectName() != "handled_widget"
        and type(widget).__name__ != "CanvasBackendDesktop"
    ]
    assert not left, f"These widgets were not deleted: {left}"


def _nothing(*_) -> None:
    """Start no thread."""


def _no_console(*_) -> QWidget:
    """A widget in place of the console."""
    widget = QWidget()
    widget._update_theme = _nothing
    return widget
