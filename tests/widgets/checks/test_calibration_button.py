"""A curve is fitted from the panel, and the result is shown."""

from napari_medvlm.checks import calibration
from napari_medvlm.widgets.checks import calibration_button
from napari_medvlm.widgets.checks.calibration_button import CalibrationButton
from tests.evaluation.test_calibrate import written


def test_a_run_is_learned_from(qtbot, tmp_path, monkeypatch):
    reported = []
    monkeypatch.setattr(calibration_button, "show_message", reported.append)
    run = written(tmp_path / "run", 60)
    button = CalibrationButton()
    qtbot.addWidget(button)
    names = [action.text().partition(":")[0] for action in button.curves.actions()]
    assert names == ["Isotonic", "Platt", "Temperature"]
    monkeypatch.setattr(calibration_button.QFileDialog, "getExistingDirectory", lambda *_: str(run))
    button.curves.actions()[1].trigger()
    qtbot.waitUntil(lambda: bool(reported), timeout=300_000)
    assert reported[0].startswith("server with a/model: 60 state a confidence;")
    assert calibration.load("server", "a/model").kind == "platt"
