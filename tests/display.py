"""A virtual display for each process of pytest-xdist."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager

SCREEN = "1600x1000x24"
PR_SET_PDEATHSIG = 1


def is_available():
    return sys.platform.startswith("linux") and shutil.which("Xvfb") is not None


@contextmanager
def started():
    """Xvfb on the first free display, which this process and its children draw on."""
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", SCREEN, "-nolisten", "tcp"]
    process = subprocess.Popen(
        command, pass_fds=[writer], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=_end_with_parent,
    )  # fmt: skip
    os.close(writer)
    try:
        with os.fdopen(reader) as numbers:
            os.environ["DISPLAY"] = f":{numbers.readline().strip()}"
        os.environ["LIBGL_ALWAYS_SOFTWARE"] = "1"
        for name in ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY"):
            os.environ.pop(name, None)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _end_with_parent():
    """Have the kernel end this process when its parent ends, in whatever way."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
