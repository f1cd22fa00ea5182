"""Commands that change how the viewer shows an image, for menus, the command palette and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import napari

from napari_medvlm.layers.display.window_drag import WindowDrag, WindowGesture, window_drag
from napari_medvlm.widgets.commands import bind_keys, manifest_keys
from napari_medvlm.widgets.runtime.notify import guarded, show


def drag_of(viewer: napari.Viewer) -> WindowDrag:
    """What reads the mouse of a viewer as changes of the window."""
    return window_drag(viewer, show)


def bind_display_keys(viewer: napari.Viewer) -> None:
    """Bind the keys of this module; those of drags are in effect while they are held."""
    bind_keys(viewer, viewer, __name__)
    gestures = {
        f"{__name__}:adjust_window": WindowGesture.LEVELS,
        f"{__name__}:window_of_rectangle": WindowGesture.RECTANGLE,
    }
    for key, name in manifest_keys().items():
        if name in gestures:
            held = _held(drag_of(viewer), gestures[name])
            viewer.bind_key(key.replace("+", "-"), held, overwrite=True)


def _held(drag: WindowDrag, gesture: WindowGesture) -> Callable[[object], Iterator[None]]:
    def hold(_: object) -> Iterator[None]:
        drag.begin(gesture)
        yield
        drag.end()

    return hold


@guarded
def adjust_window(viewer: napari.Viewer) -> None:
    """Change the window by the next drag: sideways its width, up and down its level."""
    drag_of(viewer).begin(WindowGesture.LEVELS, once=True)


@guarded
def window_of_rectangle(viewer: napari.Viewer) -> None:
    """Take the window from the intensities in the rectangle that is dragged next."""
    drag_of(viewer).begin(WindowGesture.RECTANGLE, once=True)


@guarded
def undo_window(viewer: napari.Viewer) -> None:
    """Go back to the window before the last change."""
    drag_of(viewer).control.undo()


def preset_1(viewer: napari.Viewer) -> None:
    """Show the window that the image was opened with."""
    _use_preset(viewer, 1)


def preset_2(viewer: napari.Viewer) -> None:
    """Show window preset 2."""
    _use_preset(viewer, 2)


def preset_3(viewer: napari.Viewer) -> None:
    """Show window preset 3."""
    _use_preset(viewer, 3)


def preset_4(viewer: napari.Viewer) -> None:
    """Show window preset 4."""
    _use_preset(viewer, 4)


def preset_5(viewer: napari.Viewer) -> None:
    """Show window preset 5."""
    _use_preset(viewer, 5)


def preset_6(viewer: napari.Viewer) -> None:
    """Show window preset 6."""
    _use_preset(viewer, 6)


def preset_7(viewer: napari.Viewer) -> None:
    """Show window preset 7."""
    _use_preset(viewer, 7)


def preset_8(viewer: napari.Viewer) -> None:
    """Show window preset 8."""
    _use_preset(viewer, 8)


def preset_9(viewer: napari.Viewer) -> None:
    """Show window preset 9."""
    _use_preset(viewer, 9)


@guarded
def _use_preset(viewer: napari.Viewer, number: int) -> None:
    drag_of(viewer).control.use_preset(number)
