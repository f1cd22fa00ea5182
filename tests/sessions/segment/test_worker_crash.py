"""A session over a worker process: nothing waits, nothing is dropped, a crash costs nothing."""

import os
import random
import signal
import threading
import time

import numpy as np
import psutil
import pytest
from numpy.testing import assert_array_equal

import napari_medvlm as nmv
from napari_medvlm.data.errors import (
    InvalidPrompt,
    MedVLMError,
    OutOfMemory,
    WorkerCrashed,
    WorkerHung,
)
from napari_medvlm.io.journal import new_journal
from napari_medvlm.worker.process_runner import WorkerRunner
from tests.worker.conftest import foreign  # noqa: F401  # a fixture

posix = pytest.mark.skipif(os.name == "nt", reason="a process is killed by a signal")


@pytest.fixture
def runner():
    with WorkerRunner(cancel_grace_s=0.5) as runner:
        yield runner


@pytest.fixture
def volume():
    return nmv.Volume(np.arange(8 * 9 * 10, dtype=np.int16).reshape(8, 9, 10))


def point(volume, number):
    return nmv.Point.at_index(volume, np.unravel_index(719 - 7 * number, volume.shape))


def expected(volume, count):
    return volume.data >= 719 - 7 * (count - 1)


class Watch:
    """The signals that a session emitted, and when the mask of a prompt arrived."""

    def __init__(self, session):
        self.failures, self.restarts = [], []
        self.changed = threading.Event()
        session.failed.connect(self.failures.append)
        session.restarted.connect(self.restarts.append)
        session.changed.connect(lambda _: self.changed.set())


def test_prompts_given_while_one_runs_are_kept_and_the_newest_list_wins(runner, volume):
    with nmv.SegmentationSession(volume, "slow", runner) as session:
        ids = [session.add(point(volume, i)) for i in range(10)]
        assert session.pending_prompts() == set(ids)
        assert session.pending == {1}
        session.wait(120)
        assert not session.pending_prompts()
        assert_array_equal(session.mask, expected(volume, 10))
        made = [r for r in session.ledger.records if r.record == "predicted"]
        assert len(made) < 10


def test_the_mask_stays_until_its_successor_is_there(runner, volume):
    with nmv.SegmentationSession(volume, "slow", runner) as session:
        session.add(point(volume, 0))
        session.wait(120)
        before = session.mask
        session.add(point(volume, 1))
        assert_array_equal(session.mask, before)
        session.wait(120)
        assert_array_equal(session.mask, expected(volume, 2))


def test_cancel_keeps_the_prompts_and_asking_again_goes_on(runner, volume):
    with nmv.SegmentationSession(volume, "slow", runner) as session:
        prompt_id = session.add(point(volume, 0))
        session.cancel()
        session.wait(120)
        assert not session.mask.any()
        assert session.pending_prompts() == {prompt_id}
        session.ask_again()
        session.wait(120)
        assert_array_equal(session.mask, expected(volume, 1))


def test_two_objects_are_computed_one_after_the_other(runner, volume):
    with nmv.SegmentationSession(volume, "slow", runner) as session:
        session.add(point(volume, 0))
        session.add_object()
        session.add(point(volume, 5))
        assert session.pending == {1, 2}
        session.wait(120)
        assert_array_equal(session.own_mask(1).full(), expected(volume, 1))
        assert_array_equal(session.own_mask(2).full(), expected(volume, 6))


@posix
def test_a_worker_killed_at_20_random_moments_of_30_prompts_loses_nothing(runner, volume):
    moments = random.Random(0)
    kill_after = set(moments.sample(range(30), 20))
    with nmv.SegmentationSession(volume, "slow", runner) as session:
        watch = Watch(session)
        for number in range(30):
            session.add(point(volume, number))
            if number in kill_after:
                time.sleep(moments.uniform(0, 0.3))  # the moment is what is tried
                if runner.pid is not None:
                    os.kill(runner.pid, signal.SIGKILL)
        session.wait(120)
        assert len(session.now.objects[1].prompts) == 30
        assert_array_equal(session.mask, expected(volume, 30))
        assert not watch.failures


@pytest.mark.parametrize(
    ("backend", "error"), [("memory", OutOfMemory), ("segfault", WorkerCrashed)]
)
def test_failures_are_distinguished_and_the_next_backend_goes_on(runner, volume, backend, error):
    with nmv.SegmentationSession(volume, backend, runner) as session:
        watch = Watch(session)
        session.add(point(volume, 0))
        with pytest.raises(error) as reported:
            session.wait(120)
        assert [type(f) for f in watch.failures] == [type(reported.value)]
        assert len(watch.restarts) == (1 if backend == "segfault" else 0)
        session.use("threshold")
        session.add(point(volume, 1))
        session.wait(120)
        assert_array_equal(session.mask, expected(volume, 2))


def test_a_backend_that_hangs_is_ended_by_the_next_prompt_and_the_session_goes_on(runner, volume):
    with nmv.SegmentationSession(volume, "hung", runner) as session:
        session.add(point(volume, 0))
        session.use("threshold")
        session.add(point(volume, 1))
        session.wait(120)
        assert_array_equal(session.mask, expected(volume, 2))


def test_a_failed_object_is_not_asked_again_by_another_ones_prompt(runner, volume):
    with nmv.SegmentationSession(volume, "raising", runner) as session:
        watch = Watch(session)
        session.add(point(volume, 0))
        with pytest.raises(MedVLMError, match="ZeroDivisionError"):
            session.wait(120)
        session.use("threshold")
        session.add_object()
        session.add(point(volume, 3))
        session.wait(120)
        assert len(watch.failures) == 1
        assert_array_equal(session.own_mask(2).full(), expected(volume, 4))


def test_objects_whose_masks_are_on_their_way_are_not_merged_or_split(runner, volume):
    with nmv.SegmentationSession(volume, "slow", runner) as session:
        session.add(point(volume, 0))
        session.add_object()
        session.add(point(volume, 5))
        for go_on in (lambda: session.merge(2, 1), lambda: session.split(2)):
            with pytest.raises(InvalidPrompt, match="Wait for it"):
                go_on()
        session.wait(120)
        session.merge(2, 1)
        assert_array_equal(session.mask, expected(volume, 6))


def test_closing_ends_the_worker(volume):
    with nmv.SegmentationSession(volume, "slow") as session:
        session.add(point(volume, 0))
        session.wait(120)
        (pid,) = session._runner.pids.values()
    assert not psutil.pid_exists(pid)


def test_hung_is_a_kind_of_crash_that_is_not_tried_again():
    assert issubclass(WorkerHung, WorkerCrashed)


@posix
def test_a_killed_program_leaves_a_journal_with_all_prompts(tmp_path, volume, home):
    import subprocess
    import sys
    import textwrap

    path = tmp_path / "volume.npy"
    np.save(path, volume.data)
    code = f"""
        import numpy as np, time, napari_medvlm as nmv
        from napari_medvlm.io.journal import new_journal
        from napari_medvlm.ledger.region_records import ImageReference
        volume = nmv.Volume(np.load({str(path)!r}))
        journal = new_journal(ImageReference.of(volume))
        session = nmv.SegmentationSession(volume, "slow", journal=journal)
        for number in range(5):
            session.add(nmv.Point.at_index(volume, (0, 0, number)))
        assert session._engine._journal.flush()
        print("said", flush=True)
        time.sleep(3600)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "said\n"
        process.kill()
    (journal,) = new_journal(nmv.Ledger.of(volume).image).parent.glob("*.jsonl")
    ledger = nmv.Ledger.load(journal)
    assert len(ledger.now.objects[1].prompts) == 5
    with nmv.SegmentationSession(volume, "threshold", "inline", ledger=ledger) as session:
        session.wait()
        assert_array_equal(session.mask, volume.data >= 0)
