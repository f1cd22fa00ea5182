"""Killed workers and viewers, cut and flipped journals, full disks: ``python -m benchmarks.kills``.

Writes ``results/kills.md``. The viewers open real windows: on a machine without a display run it
under Xvfb.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

import napari_medvlm as nmv
from napari_medvlm.data.errors import CannotSave, MedVLMError, SessionFileError
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.worker.process_runner import WorkerRunner

RESULTS = Path(__file__).parent / "results"
HEAD = """# Kills, cut journals and full disks

`python -m benchmarks.kills` tries these again, seed 0. Workers and viewers are killed by SIGKILL at
random moments; a prompt whose mask was there before that moment has no kill. A full disk is a limit of
the size of files (RLIMIT_FSIZE), at which writing fails.

| tried | times | survived | lost or leaked |
|---|---|---|---|
"""
VIEWER = """
    import napari, numpy as np, sys, time
    import napari_medvlm as nmv
    from napari.layers import Layer
    from napari_medvlm.layers import layer_data
    from qtpy.QtWidgets import QApplication
    volume = nmv.Volume(np.load(sys.argv[1]))
    viewer = napari.Viewer()
    viewer.add_layer(Layer.create(*layer_data(volume)))
    _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Segment")
    while dock.session is None:
        QApplication.processEvents()
    for number in range(1000):
        point = nmv.Point.at_index(volume, (4 + number % 4, 8 + number % 8, 8 + number % 9))
        dock.session.add(point)
        print(number + 1, flush=True)
        end = time.monotonic() + 0.05
        while time.monotonic() < end:
            QApplication.processEvents()
"""


def phantom() -> nmv.Volume:
    """A bright box in noise."""
    data = np.random.default_rng(0).normal(50, 5, (16, 40, 44))
    data[4:12, 10:30, 10:30] += 80
    return nmv.Volume(data.astype(np.int16), name="phantom")


def points(volume: nmv.Volume, count: int) -> list[nmv.Point]:
    """Points in the box, and some negative ones around it."""
    rng = np.random.default_rng(1)
    inside = rng.integers((5, 12, 12), (11, 28, 28), (count, 3))
    outside = rng.integers((0, 0, 0), (3, 8, 8), (count, 3))
    return [
        nmv.Point.at_index(volume, (outside if i % 5 == 4 else inside)[i].tolist(), i % 5 != 4)
        for i in range(count)
    ]


def worker_kills(count: int) -> tuple[int, str]:
    """Kill the worker once in each of some prompts: kills, and what was lost."""
    volume, moments, kills, again = phantom(), random.Random(0), 0, 0
    prompts = points(volume, count)
    with WorkerRunner() as runner, nmv.SegmentationSession(volume, "embedded", runner) as session:
        for prompt in prompts:
            session.add(prompt)
            time.sleep(moments.uniform(0, 0.4))
            if runner.pid is not None:
                os.kill(runner.pid, signal.SIGKILL)
                kills += 1
            try:
                session.wait(1800)
            except MedVLMError:
                again += 1
                session.ask_again()
                session.wait(1800)
        live, mask, labels = session.now.objects, session.mask, session.labels.copy()
    with nmv.SegmentationSession(volume, "embedded", "inline", ledger=session.ledger) as calm:
        calm.wait()
        equal = np.array_equal(calm.mask, mask) and np.array_equal(calm.labels, labels)
    lost = count - sum(len(o.prompts) for o in live.values())
    same = "equal to" if equal else "DIFFERENT from"
    return kills, f"{lost} prompts; mask {same} that without kills; asked again {again} times"


def viewer_kills(count: int) -> tuple[int, int, str]:
    """Kill viewers while prompts are added: kills, sessions offered, and what was lost."""
    moments, offered, lost, leaks = random.Random(0), 0, Counter[int](), 0
    for _ in range(count):
        with tempfile.TemporaryDirectory() as folder:
            survived, missing, leaked = _viewer_kill(Path(folder), moments)
        offered += survived
        lost[missing] += 1
        leaks += leaked
    texts = [f"{n} times {missing} prompts" for missing, n in sorted(lost.items())]
    return count, offered, f"{', '.join(texts)}; {leaks} processes or shared blocks left"


def _viewer_kill(folder: Path, moments: random.Random) -> tuple[bool, int, int]:
    volume = phantom()
    np.save(folder / "volume.npy", volume.data)
    environment = {**os.environ, "NAPARI_MEDVLM_HOME": str(folder), "NAPARI_CONFIG": ""}
    command = [sys.executable, "-c", textwrap.dedent(VIEWER), str(folder / "volume.npy")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as viewer:
        assert viewer.stdout is not None
        added = 0
        for _ in range(moments.randint(1, 20)):
            line = viewer.stdout.readline().strip()
            added = int(line) if line.isdigit() else added
        time.sleep(moments.uniform(0, 0.1))
        children = psutil.Process(viewer.pid).children(recursive=True)
        blocks = _shared_blocks(viewer.pid)
        viewer.kill()
        rest = viewer.stdout.read().split()
        added = max([added, *(int(line) for line in rest if line.isdigit())])
    _, alive = psutil.wait_procs(children, timeout=30)
    time.sleep(1.0)  # the system's tracker frees the shared blocks of a process that is gone
    left = len(alive) + sum(block.exists() for block in blocks)
    journals = list((folder / "sessions").glob("*.jsonl"))
    if not journals:
        return False, added, left
    ledger = Ledger.load(journals[0], nmv.Ledger.of(volume).image)
    stored = sum(len(live.prompts) for live in ledger.now.objects.values())
    return not ledger.damage, max(added - stored, 0), left


def _shared_blocks(pid: int) -> set[Path]:
    """The blocks of shared memory that a process has mapped."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {Path(line.split()[-1]) for line in lines if "/dev/shm/" in line}


def journal(folder: Path) -> tuple[Path, Ledger]:
    """A journal of a session with two objects, and its ledger."""
    volume, path = phantom(), Path(tempfile.mkdtemp(dir=folder)) / "session.jsonl"
    with nmv.SegmentationSession(volume, "embedded", "inline", journal=path) as session:
        for prompt in points(volume, 6):
            session.add(prompt)
        session.add(points(volume, 7)[-1], session.add_object("second"))
        session.undo()
        session.redo()
        session.wait()
    return path, session.ledger


def cuts(folder: Path) -> tuple[int, int, str]:
    """Cut a journal at every byte behind its header: cuts, survived, and what was lost."""
    path, ledger = journal(folder)
    data, survived = path.read_bytes(), 0
    cut = folder / "cut.jsonl"
    start = data.index(b"\n") + 1
    for offset in range(start, len(data) + 1):
        cut.write_bytes(data[:offset])
        whole = data[:offset].count(b"\n") - 1
        survived += Ledger.load(cut).records == ledger.records[:whole]
    return len(data) + 1 - start, survived, "whole records before the cut: none lost"


def flips(folder: Path, count: int) -> tuple[int, int, str]:
    """Flip bits of a journal: flips, those corrected or reported, and those that were not."""
    path, ledger = journal(folder)
    data, outcomes, rng = path.read_bytes(), Counter[str](), random.Random(0)
    flipped = folder / "flipped.jsonl"
    for _ in range(count):
        changed = bytearray(data)
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        flipped.write_bytes(changed)
        try:
            again = Ledger.load(flipped, ledger.image)
        except SessionFileError:
            outcomes["refused"] += 1
            continue
        same = again.records == ledger.records
        outcomes["same" if same else "reported" if again.damage else "UNNOTICED"] += 1
    fine = outcomes["same"] + outcomes["reported"]
    return count, fine, ", ".join(f"{kind} {n}" for kind, n in sorted(outcomes.items()))


def full_disk(folder: Path) -> Iterator[tuple[str, int, int, str]]:
    """Save over a good file where files may not grow: format, levels, survived, what was lost."""
    volume = phantom()
    noise = np.random.default_rng(2).random(volume.shape) < 0.5
    small = np.zeros(volume.shape, bool)
    small[6:9, 12:20, 12:20] = True
    for ending in (".nii", ".nii.gz", ".nrrd", ".mha", ".stl"):
        path, kept, levels = folder / f"mask{ending}", 0, 0
        nmv.write_mask(path, small, volume)
        good = path.read_bytes()
        for level in (0, 1, 100, 352, 1000, 2000, 4096, 8192):
            levels += 1
            try:
                with _FileLimit(level):
                    nmv.write_mask(path, noise, volume)
                kept += path.stat().st_size <= level  # it did fit
            except CannotSave:
                kept += path.read_bytes() == good
            path.write_bytes(good)
        left = sorted(p.name for p in folder.iterdir() if p.name.startswith("."))
        yield f"full disk, mask {ending}", levels, kept, f"temporaries left: {len(left)}"


class _FileLimit:
    """No file can be written beyond a size."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __enter__(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
        self._handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._size, self._before[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)
        signal.signal(signal.SIGXFSZ, self._handler)


def main() -> None:
    """Try all, print the rows and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=40)
    parser.add_argument("--viewers", type=int, default=15)
    parser.add_argument("--flips", type=int, default=2000)
    given = parser.parse_args()
    rows: list[str] = []
    logging.disable(logging.WARNING)

    def add(*cells: object) -> None:
        rows.append("| " + " | ".join(map(str, cells)) + " |")
        print(rows[-1], flush=True)
        (RESULTS / "kills.md").write_text(HEAD + "\n".join(rows) + "\n", "utf-8")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        add("journal cut at every byte behind its header", *cuts(folder))
        add("journal, a bit flipped", *flips(folder, given.flips))
    with tempfile.TemporaryDirectory() as name:
        for row in full_disk(Path(name)):
            add(*row)
    kills, lost = worker_kills(given.workers)
    add("worker killed, one kill a prompt", kills, kills, lost)
    add("viewer killed in a window", *viewer_kills(given.viewers))


if __name__ == "__main__":
    main()
