"""Every control of every dock has a name for screen readers and a tooltip."""

from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_medvlm.widgets.runtime.accessible_names import (
    accessible_name,
    controls_of,
    set_accessible_names,
)

DOCKS = ("Ground", "Ask", "Evaluate", "PACS", "Cases", "Models", "Register", "Follow-up", "Views")


def is_inside_napari(control, dock):
    """Whether a control belongs to a widget of napari, as the sliders of a view do."""
    while control is not dock:
        if type(control).__module__.startswith("napari."):
            return True
        control = control.parentWidget()
    return False


def body_of(dock):
    """The part of a dock that scrolls; Views has none."""
    return getattr(dock, "body", dock)


def own_controls(dock):
    return [c for c in controls_of(body_of(dock)) if not is_inside_napari(c, dock)]


def describe(control):
    parents = type(control.parentWidget()).__name__, type(control).__name__
    return " > ".join(parents) + f": {control.toolTip()}"


def test_each_control_of_each_dock_has_an_accessible_name_and_a_tooltip(person):
    docks = [person.dock]
    try:
        for name in DOCKS:
            _, dock = person.viewer.window.add_plugin_dock_widget("napari-medvlm", name)
            docks.append(dock)
        for dock in docks:
            dock.parent().show()
            dock.parent().raise_()
            person.waits(lambda dock=dock: dock.isVisible())
            person.waits(lambda dock=dock: all(map(accessible_name, own_controls(dock))))
            controls = own_controls(dock)
            assert [describe(c) for c in controls if not accessible_name(c)] == []
            assert [accessible_name(c) for c in controls if not has_tooltip(c, dock)] == []
    finally:
        for dock in docks[1:]:
            dock.close_dock()


def has_tooltip(control, dock):
    """Whether a control or the composed control that it is a part of has a tooltip."""
    while control is not body_of(dock):
        if control.toolTip():
            return True
        control = control.parentWidget()
    return False


def test_a_name_is_the_text_the_label_or_the_first_clause_of_the_tooltip(qtbot):
    root, form = QWidget(), QWidget()
    qtbot.addWidget(root)
    labelled, plain, arrow, size = (
        QLineEdit(),
        QCheckBox("Locked"),
        QPushButton("\u2026"),
        QSpinBox(),
    )
    labelled.setToolTip("Something else.")
    arrow.setToolTip("Choose a file. It is not moved.")
    size.setToolTip("Size of the point: 1 to 9 mm.")
    layout, rows = QVBoxLayout(root), QFormLayout(form)
    rows.addRow("Backend", labelled)
    for widget in (form, plain, arrow, size):
        layout.addWidget(widget)
    set_accessible_names(root)
    names = {type(control): accessible_name(control) for control in controls_of(root)}
    assert names == {
        QLineEdit: "Backend",
        QCheckBox: "Locked",
        QPushButton: "Choose a file",
        QSpinBox: "Size of the point",
    }
