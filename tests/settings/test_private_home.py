"""The folder of settings and journals is private, and none of its faults stops the work."""

import os
import shutil
import stat
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.io.journal import new_journal
from napari_medvlm.ledger.region_records import ImageReference
from napari_medvlm.settings import allowed_hosts

posix = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
VOLUME = nmv.Volume(np.random.default_rng(0).integers(0, 99, (8, 16, 16)).astype(np.int16))
IMAGE = ImageReference.of(VOLUME)
CODE = """
    import logging
    import sys
    from pathlib import Path
    import numpy as np
    import napari_medvlm as nmv
    from napari_medvlm.backends.models import trust
    from napari_medvlm.io.archive import servers
    from napari_medvlm.io.journal import new_journal
    from napari_medvlm.sessions.earlier import earlier_sessions
    from napari_medvlm.settings import allowed_hosts
    from napari_medvlm.ledger.region_records import ImageReference
    logging.disable(logging.CRITICAL)
    volume = nmv.Volume(
        np.random.default_rng(0).integers(0, 99, (8, 16, 16)).astype(np.int16)
    )
    image = ImageReference.of(volume)
    def segment():
        with nmv.SegmentationSession(volume, runner="inline", journal=new_journal(image)) as s:
            s.add(nmv.Point.at_index(volume, (3, 8, 8)))
            s.wait()
            assert len(s.now.objects[1].prompts) == 1
    weights = Path(sys.argv[1])
    for work in (
        segment,
        lambda: list(earlier_sessions(image)),
        lambda: allowed_hosts.allow("http://8.8.8.8/v1"),
        lambda: trust.trust(weights),
        lambda: servers.remember(servers.Server("a", "http://127.0.0.1:1/x")),
    ):
        try:
            work()
            print("done")
        except nmv.MedVLMError as error:
            assert error.message and error.hint
            print("refused")
"""


def without_rights():
    """What starts a program that has no more rights than the owner of its files."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root has all rights, and setpriv is not installed")
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]


@posix
@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_home_that_cannot_be_written_or_read_is_reported_and_prompts_are_taken(tmp_path, mode):
    home, weights = tmp_path / "home", tmp_path / "weights.pth"
    (home / "sessions").mkdir(parents=True)
    weights.write_bytes(b"weights")
    (home / "sessions").chmod(mode)
    home.chmod(mode)
    environment = {**os.environ, "NAPARI_MEDVLM_HOME": str(home)}
    command = [*without_rights(), sys.executable, "-c", textwrap.dedent(CODE), str(weights)]
    try:
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    finally:
        home.chmod(0o755)
        (home / "sessions").chmod(0o755)
    assert run.returncode == 0, run.stderr[-2000:]
    outcomes = run.stdout.split()
    assert outcomes[:2] == ["done", "done"]
    assert len(outcomes) == 5  # what is stored is stored (an owner may mend the mode), or refused


@posix
def test_all_that_is_written_to_the_home_is_for_its_user_alone(home):
    before = os.umask(0o022)
    try:
        with nmv.AskSession(VOLUME, runner="inline", journal=new_journal(IMAGE, "ask")) as session:
            session.ask("How large is the image?")
            session.wait()
        with nmv.SegmentationSession(
            VOLUME, runner="inline", journal=new_journal(IMAGE)
        ) as session:
            session.add(nmv.Point.at_index(VOLUME, (3, 8, 8)))
            session.wait()
        allowed_hosts.allow("http://8.8.8.8/v1")
    finally:
        os.umask(before)
    files = [path for path in home.rglob("*") if path.is_file()]
    assert len(files) >= 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    folders = {path for path in home.rglob("*") if path.is_dir()}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
