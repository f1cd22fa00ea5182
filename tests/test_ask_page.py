"""The Python of the page on questions runs as printed, with a tiny model of random weights."""

import re
import subprocess
import sys
from pathlib import Path

from tests.backends.tiny_models import qwen25

ROOT = Path(__file__).resolve().parents[1]


def test_the_python_of_the_page_on_questions_runs(tmp_path):
    from nilearn.datasets import load_mni152_template

    (code,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "ask.md").read_text("utf-8"), re.DOTALL
    )
    load_mni152_template(resolution=2).to_filename(tmp_path / "scan.nii.gz")
    (tmp_path / "models").mkdir()
    qwen25(tmp_path / "models" / "medgemma")
    code += "\nprint(answer.claims[0].source, session.turn(number).evidence.heatmap.full().shape)"
    program = f"if __name__ == '__main__':\n    exec({code!r})"  # the session starts a process
    (tmp_path / "page.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "measured (95, 117, 99)"
