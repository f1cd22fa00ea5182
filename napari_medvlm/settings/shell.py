"""Words in commands that a person copies into a shell."""

from __future__ import annotations

import os
import shlex
import subprocess


def quoted(word: str) -> str:
    """A word as the system's shell takes it literally."""
    return subprocess.list2cmdline([word]) if os.name == "nt" else shlex.quote(word)
