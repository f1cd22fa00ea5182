"""Transcribe speech in a separate program, so that the viewer loads no model.

``python -m napari_medvlm.worker.transcribe RECORDING.wav MODEL`` prints the text. The model is a
folder of faster-whisper, or the name of one that was downloaded before; none is downloaded here.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from napari_medvlm.data.errors import BackendFailed, BackendUnavailable
from napari_medvlm.worker.process import variables

MODEL = "base"
TIMEOUT_S = 120


def transcribe(recording: Path, model: str = MODEL) -> str:
    """The words of a recording, heard in a process of its own.

    Parameters
    ----------
    recording
        A WAV file.
    model
        A folder, or a name as faster-whisper knows it, that is on this computer.

    Raises
    ------
    BackendUnavailable
        If the model is not on this computer.
    BackendFailed
        If it could not be heard, or took too long.
    """
    command = [sys.executable, "-m", __name__, str(recording), model]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
            env=variables(sys.executable),
        )
    except subprocess.TimeoutExpired as error:
        raise BackendFailed(
            f"Transcription timed out after {TIMEOUT_S} s.", "Speak in shorter parts, or type."
        ) from error
    if done.returncode == 3:
        raise BackendUnavailable(
            f"The speech model {model} is not on this computer.",
            f"Download it once: hf download Systran/faster-whisper-{model}",
        )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["unknown reason"])[-1]
        raise BackendFailed(f"Transcription failed: {last}", "Type the question.")
    return done.stdout.strip()


def main(recording: str, model: str) -> int:
    """Print the words of a recording; 3 if the model is not there."""
    from faster_whisper import WhisperModel

    try:
        loaded = WhisperModel(model, device="cpu", compute_type="int8", local_files_only=True)
    except (OSError, ValueError, RuntimeError):
        return 3
    segments, _ = loaded.transcribe(recording)
    sys.stdout.write(" ".join(segment.text.strip() for segment in segments))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:3]))
