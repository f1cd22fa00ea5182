"""Hold to talk."""

from __future__ import annotations

import tempfile
import wave
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import qtpy
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton

from napari_medvlm.widgets.runtime.notify import guarded, show_message
from napari_medvlm.widgets.runtime.threads import in_background
from napari_medvlm.worker.transcribe import transcribe

RATE_HZ = 16_000
SHORTEST_S = 0.3
"""What is shorter was no word."""
MULTIMEDIA = f"{qtpy.API_NAME}.QtMultimedia"
NEEDED = {
    "faster_whisper": 'faster-whisper: pip install "napari-medvlm[dictation]"',
    MULTIMEDIA: f"{MULTIMEDIA}, which records",
}


def missing() -> tuple[str, ...]:
    """What must be installed to dictate, in words."""
    return tuple(words for module, words in NEEDED.items() if not _is_there(module))


class DictationButton(QPushButton):
    """Records as long as it is held; the transcript is put into the question.

    Attributes
    ----------
    heard
        The words.
    """

    heard = Signal(str)

    def __init__(self) -> None:
        super().__init__("Hold to talk")
        self.setMinimumWidth(10)
        self._source: Any = None
        self._buffer: Any = None
        lacking = missing()
        self.setEnabled(not lacking)
        self.setToolTip(
            f"To dictate, install {', and '.join(lacking)}."
            if lacking
            else (
                "Hold and speak; release to insert the text into the question. Speech is "
                "transcribed on this computer."
            )
        )
        self.pressed.connect(guarded(self._begin))
        self.released.connect(guarded(self._end))

    def close_recording(self) -> None:
        """Stop recording, and discard the sound."""
        if self._source is not None:
            self._source.stop()
            self._source = self._buffer = None

    def hear(self, samples: bytes) -> None:
        """Have a recording understood off the window's thread: 16 bit, one channel, 16 kHz."""
        if len(samples) < 2 * RATE_HZ * SHORTEST_S:
            show_message("Hold the button while you speak.")
            return
        in_background(lambda: _words(samples), guarded(self.heard.emit))

    def _begin(self) -> None:
        from qtpy.QtCore import QBuffer, QIODevice
        from qtpy.QtMultimedia import QAudioFormat, QAudioSource, QMediaDevices

        device = QMediaDevices.defaultAudioInput()
        if device.isNull():
            show_message("No microphone found.")
            return
        form = QAudioFormat()
        form.setSampleRate(RATE_HZ)
        form.setChannelCount(1)
        form.setSampleFormat(QAudioFormat.SampleFormat.Int16)
        self._buffer = QBuffer(self)
        self._buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        self._source = QAudioSource(device, form, self)
        self._source.start(self._buffer)

    def _end(self) -> None:
        if self._source is None:
            return
        samples = bytes(self._buffer.data())
        self.close_recording()
        self.hear(samples)


def _words(samples: bytes) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "question.wav"
        save_wav(path, samples)
        return transcribe(path)


def save_wav(path: Path, samples: bytes) -> None:
    """Write 16 bit samples of one channel at 16 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False
