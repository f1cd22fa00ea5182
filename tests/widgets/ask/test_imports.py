"""The Ask dock opens without a model's library."""

import json
import subprocess
import sys

from tests.test_code_rules import ROOT

PROGRAM = """
import json, sys
import napari_medvlm.widgets.ask.dock
heavy = {"torch", "transformers", "SimpleITK", "nibabel", "sklearn", "faster_whisper", "openai"}
print(json.dumps(sorted(heavy & set(sys.modules))))
"""


def test_the_dock_imports_no_model():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []
