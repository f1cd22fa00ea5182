"""Updates of side views are spread over turns of the event loop."""

from napari.components import ViewerModel
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari_medvlm.layers.display.redraw_pace import pace
from napari_medvlm.layers.views.side_updates import SideUpdates


def updates_of(views):
    seen = []
    updates = SideUpdates(lambda key, redrawn: seen.append((key, redrawn)))
    for view in views:
        updates.add(view)
    return updates, seen


def test_each_view_has_a_turn_of_its_own_and_the_clicked_one_is_the_first(qtbot):
    views = [ViewerModel(), ViewerModel(), ViewerModel()]
    updates, seen = updates_of(views)
    views[2].mouse_drag_callbacks[0](views[2], None)
    updates.request()
    updates.request(redrawn=True)
    assert seen == []
    counts, tick = [], QTimer()
    tick.timeout.connect(lambda: counts.append(len(seen)))
    tick.start(0)
    qtbot.waitUntil(lambda: not updates.is_due)
    tick.stop()
    keys = [hash(views[k]) for k in (2, 0, 1)]
    assert seen == [(key, True) for key in keys]
    assert {1, 2} <= set(counts)  # the event loop ran between two views
    updates.close()


def test_views_wait_unless_they_were_clicked_or_are_due_earlier(qtbot):
    views = [ViewerModel(), ViewerModel()]
    updates, seen = updates_of(views)
    views[1].mouse_drag_callbacks[0](views[1], None)
    updates.request(10_000_000)
    qtbot.waitUntil(lambda: seen == [(hash(views[1]), False)])
    assert updates.is_due
    updates.request(redrawn=True)
    qtbot.waitUntil(lambda: not updates.is_due)
    assert sorted(seen[1:]) == sorted((hash(view), True) for view in views)
    updates.close()


def test_a_view_that_is_closed_is_not_updated(qtbot):
    views = [ViewerModel(), ViewerModel()]
    before = [list(view.mouse_drag_callbacks) for view in views]
    updates, seen = updates_of(views)
    updates.request()
    updates.remove(views[0])
    qtbot.waitUntil(lambda: not updates.is_due)
    assert seen == [(hash(views[1]), False)]
    updates.request(10_000_000)
    updates.close()
    assert not updates.is_due
    assert [list(view.mouse_drag_callbacks) for view in views] == before


def test_a_view_is_updated_after_what_changed_before_was_drawn(qtbot):
    class Drawn(QWidget):
        def paintEvent(self, _):  # noqa: N802  # Qt's name
            seen.append("drawn")

    canvas, view = Drawn(), ViewerModel()
    qtbot.addWidget(canvas)
    updates, seen = updates_of([view])
    canvas.show()
    qtbot.waitUntil(lambda: "drawn" in seen)
    seen.clear()
    canvas.update()
    pace.note_change()
    updates.request()
    qtbot.waitUntil(lambda: not updates.is_due)
    assert seen == ["drawn", (hash(view), False)]
    updates.close()
