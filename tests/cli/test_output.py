"""What others wrote reaches the terminal without control characters."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import typer

from napari_medvlm.cli.output import json_alone, print_result, printable, report_errors
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


def test_json_is_alone_on_standard_output_whatever_a_model_prints(capsys):
    with json_alone(True):
        print("a model prints")
        print_result({"a": 1}, True, str)
    print("after")
    printed = capsys.readouterr()
    assert printed.out == '{"a": 1}\nafter\n'
    assert printed.err == "a model prints\n"


def test_what_a_library_or_a_process_writes_past_python_does_not_get_into_the_json():
    code = (
        "import os, subprocess, sys\n"
        "from napari_medvlm.cli.output import json_alone, print_result\n"
        "with json_alone(True):\n"
        "    os.write(1, b'library\\n'); print('python')\n"
        "    subprocess.run([sys.executable, '-S', '-c', 'print(1234)'], check=True)\n"
        "    print_result({'a': 1}, True, str)\n"
        "print('after')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [*map(json.loads, done.stdout.splitlines()[:1])] == [{"a": 1}]
    assert done.stdout.splitlines()[1:] == ["after"]
    assert set(done.stderr.split()) >= {"library", "python", "1234"}
