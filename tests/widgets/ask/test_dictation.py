"""Hold to talk, where there is something to hear with and where there is not."""

import subprocess
import wave

import numpy as np
import pytest

from napari_medvlm.data.errors import BackendFailed, BackendUnavailable
from napari_medvlm.widgets.ask import dictation
from napari_medvlm.widgets.ask.dictation import RATE_HZ, DictationButton, save_wav
from napari_medvlm.worker import transcribe


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "question.wav"
    tone = np.sin(np.arange(RATE_HZ) / 5) * 9000
    save_wav(path, tone.astype("<i2").tobytes())
    return path


def answering(monkeypatch, **done):
    asked = []

    def run(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(command, **{"stdout": "", "stderr": "", **done})

    monkeypatch.setattr(transcribe.subprocess, "run", run)
    return asked


def test_without_a_speech_model_the_button_names_what_to_install(qtbot, monkeypatch):
    monkeypatch.setattr(dictation, "find_spec", lambda _: None)
    button = DictationButton()
    qtbot.addWidget(button)
    assert not button.isEnabled()
    assert 'pip install "napari-medvlm[dictation]"' in button.toolTip()
    assert "QtMultimedia" in button.toolTip()


def test_with_one_it_can_be_held(qtbot, monkeypatch):
    monkeypatch.setattr(dictation, "find_spec", lambda _: object())
    button = DictationButton()
    qtbot.addWidget(button)
    assert button.isEnabled()
    assert "transcribed on this computer" in button.toolTip()


def test_what_was_heard_becomes_words(qtbot, monkeypatch):
    asked = answering(monkeypatch, returncode=0, stdout=" Where is the liver? ")
    button = DictationButton()
    qtbot.addWidget(button)
    with qtbot.waitSignal(button.heard) as heard:
        button.hear(bytes(2 * RATE_HZ))
    assert heard.args == ["Where is the liver?"]
    assert asked[0][2] == "napari_medvlm.worker.transcribe"


def test_a_press_that_is_too_short_is_reported(qtbot, monkeypatch):
    reported = []
    monkeypatch.setattr(dictation, "show_message", reported.append)
    button = DictationButton()
    qtbot.addWidget(button)
    button.hear(b"")
    assert reported == ["Hold the button while you speak."]


def test_a_recording_is_a_wav_of_one_channel(recording):
    with wave.open(str(recording)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (
            1,
            RATE_HZ,
            RATE_HZ,
        )


def test_a_model_that_is_not_there_is_not_downloaded(recording, monkeypatch):
    answering(monkeypatch, returncode=3)
    with pytest.raises(BackendUnavailable, match="Download it once: hf download Systran"):
        transcribe.transcribe(recording)


def test_an_error_is_reported_by_its_last_line(recording, monkeypatch):
    answering(monkeypatch, returncode=1, stderr="Traceback\nValueError: no sound\n")
    with pytest.raises(BackendFailed, match="ValueError: no sound"):
        transcribe.transcribe(recording)
