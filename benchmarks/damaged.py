"""A thousand damaged DICOM files: ``python -m benchmarks.damaged``.

Each is read as a person opens it, and must give a volume or a message that says what to do. One
process reads them all, so that one that ends or hangs it is seen.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import napari_medvlm as nmv
from benchmarks.damaged_files import Damaged, damaged
from napari_medvlm.data.errors import MedVLMError

RESULTS = Path(__file__).parent / "results"
LIMIT_S = 2.0
HEAD = """# Damaged DICOM files

{count} files made out of those that pydicom ships, seed {seed}; `python -m benchmarks.damaged`
makes and reads them again. A message is one sentence with a remedy. Another exception, or more than
{limit:g} s, is a fault: {faults} of {count}.

| damage | files | a message | still an image | faults | longest, s |
|---|---|---|---|---|---|
"""


def outcome(path: Path) -> tuple[str, float]:
    """``message``, ``image`` or the fault in words; and the seconds."""
    start = time.perf_counter()
    try:
        nmv.read_volume(path)
        found = "image"
    except MedVLMError as error:
        found = "message" if error.message and error.hint else f"no hint: {error}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        found = f"{type(error).__name__}: {error}"
    return found, time.perf_counter() - start


def read(each: Damaged, folder: Path) -> tuple[str, float]:
    """What becomes of a damaged file."""
    path = folder / "damaged.dcm"
    path.write_bytes(each.data)
    found, seconds = outcome(path)
    if found in ("message", "image") and seconds > LIMIT_S:
        return f"{seconds:.1f} s", seconds
    return found, seconds


def main() -> None:
    """Read them, print the faults, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    counts: dict[str, Counter[str]] = {}
    longest: dict[str, float] = {}
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        for i, each in enumerate(damaged(given.count, given.seed)):
            found, seconds = read(each, Path(folder))
            if found not in ("message", "image"):
                print(f"{i} {each.kind} {each.source}: {found[:200]}")
                faults += 1
                found = "fault"
            counts.setdefault(each.kind, Counter())[found] += 1
            longest[each.kind] = max(longest.get(each.kind, 0.0), seconds)
    rows = [
        f"| {kind} | {n.total()} | {n['message']} | {n['image']} | {n['fault']} "
        f"| {longest[kind]:.2f} |"
        for kind, n in counts.items()
    ]
    head = HEAD.format(count=given.count, seed=given.seed, limit=LIMIT_S, faults=faults)
    print("\n".join(rows))
    if given.count >= 1000:
        (RESULTS / "damaged.md").write_text(head + "\n".join(rows) + "\n", "utf-8")


if __name__ == "__main__":
    main()
