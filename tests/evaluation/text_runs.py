"""What tests of grounding and answers share: pictures, and commands in processes of their own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_medvlm.backends import registry
from napari_medvlm.cli import app
from napari_medvlm.evaluation.runs.run_folder import alone_in

ROOT = Path(__file__).resolve().parents[2]
SCRIPTED = ROOT / "tests" / "scripted"


def picture(path, boxes=(), size=(40, 50)):
    """Write a grey picture, ``height, width``, with boxes ``shade, x0, y0, x1, y1`` in it."""
    pixels = np.full(size, 10, np.uint8)
    for shade, x0, y0, x1, y1 in boxes:
        pixels[y0:y1, x0:x1] = shade
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def command(*arguments):
    program = "from napari_medvlm.cli import app; app()"
    return [sys.executable, "-c", program, "evaluate", *map(str, arguments)]


def environment():
    path = os.pathsep.join([str(SCRIPTED), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}


def evaluate(*arguments):
    """What the command printed as JSON; in this process, unless Ray takes part."""
    if "--ray" in arguments:
        done = subprocess.run(
            command(*arguments, "--json"),
            capture_output=True, text=True, check=False, cwd=ROOT, env=environment(),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTED))
        patch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
        forget_backends()
        result = CliRunner().invoke(app, ["evaluate", *map(str, arguments), "--json"])
    forget_backends()
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def forget_backends():
    """Look for entry points again, on the path as it is."""
    registry._entry_points.cache_clear()
    registry._load.cache_clear()


def require_alone(arguments, out):
    """A command is refused for as long as another run writes to its folder, and writes nothing."""
    with alone_in(out):
        done = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    assert done.exit_code == 1
    assert "Another run is writing" in done.output
    assert "Wait until it has ended" in done.output
    assert not (out / "run.json").exists()


def interrupted(arguments, begun):
    """Give a command and press Ctrl-C as a terminal does, once something has begun.

    Its exit status, what it printed as a result and besides, and which of its processes live on.
    """
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=ROOT, env=environment(), start_new_session=True,
    ) as process:  # fmt: skip
        while not begun():
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.01)
        family = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        result, words = process.communicate()
    _, alive = psutil.wait_procs(family, timeout=120)
    return process.returncode, result, words, alive
