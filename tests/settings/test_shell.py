"""Words of a command are taken literally by the shell."""

from __future__ import annotations

import os
import subprocess

import pytest

from napari_medvlm.settings.shell import quoted


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
@pytest.mark.parametrize("word", ["$(echo x)", "`echo x`", "a b", "it's", '"', "$HOME", "a;b", ""])
def test_the_shell_takes_a_word_literally(word):
    done = subprocess.run(
        ["sh", "-c", f"printf %s {quoted(word)}"], capture_output=True, text=True, check=True
    )
    assert done.stdout == word
