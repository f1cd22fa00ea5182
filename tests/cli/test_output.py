"""What others wrote reaches the terminal without control characters."""

from __future__ import annotations

import pytest
import typer

from napari_medvlm.cli.output import print_result, printable, report_errors
from napari_medvlm.data.errors import BackendFailed

BAD = "ok \x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\u202e\r"


def test_control_characters_are_escaped_and_lines_stay():
    assert printable("a\tb\nμ…") == "a\tb\nμ…"
    assert printable(BAD) == r"ok \x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\u202e\r"


def test_a_result_and_an_error_are_printed_without_them(capsys):
    print_result({}, False, lambda: BAD)
    with pytest.raises(typer.Exit), report_errors():
        raise BackendFailed(BAD, BAD)
    captured = capsys.readouterr()
    assert "\x1b]" not in captured.out + captured.err
    assert "\x1b[2J" not in captured.out + captured.err
