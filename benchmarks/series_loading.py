"""Time and memory to load a CT series of 500 slices: ``python -m benchmarks.series_loading``.

The series is made up: 512 x 512 pixels of 16 bits a slice, a file each. It is loaded by this
package and by SimpleITK's ImageSeriesReader, in turns, each time in a process of its own that has
imported its libraries before the clock starts; the figure is the median. Memory is the most that
Linux saw resident in that process (``VmHWM``), libraries among it. The files were just written, so
they come from the page cache, for both. ``--against FOLDER --slices 600 --runs 7`` compares with
another checkout of this package.

From a PACS, an Orthanc on this machine is asked for the same series: this package fetches and reads
it; on the other side dicomweb-client fetches it, and SimpleITK reads what was written.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results"
SLICES, SIZE = 500, 512
RUNS = 3
UIDS = {"SeriesInstanceUID": "1.2.826.0.1.3680043.8.498.1", "StudyInstanceUID": "1.2.826.0.1.3"}
HEAD = """# Loading a CT of {slices} slices

{slices} files of 512 x 512 pixels of 16 bits, an array of {array:.0f} MB. Medians of {runs} runs in
turns, each in a process of its own; `python -m benchmarks.series_loading` measures again. The
limits: 1.2 times SimpleITK's time, and 1.2 times the array plus 200 MB of memory,
{limit:.0f} MB.

| from | napari-medvlm, s | SimpleITK, s | ratio | napari-medvlm, MB | SimpleITK, MB |
|---|---|---|---|---|---|
"""


def write_series(folder: Path, slices: int) -> None:
    """Noise as a scanner writes it: unsigned, with an intercept of -1024."""
    from tests.io.dicom_files import dataset, save

    rng = np.random.default_rng(0)
    for z in range(slices):
        pixels = rng.integers(0, 3000, (SIZE, SIZE), np.int16)
        place = {
            "ImagePositionPatient": [-180, -180, float(z)],
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "PixelSpacing": [0.7, 0.7],
            "SliceThickness": 1.0,
            "InstanceNumber": z + 1,
            "PatientID": "1",
        }
        rescale = {"RescaleSlope": 1, "RescaleIntercept": -1024, "PixelRepresentation": 0}
        save(dataset(pixels, **place, **rescale, **UIDS), folder / f"{z:04d}.dcm")


def load(reader: str, source: str) -> tuple[int, float]:
    """Load a series; the sum of a few voxels, and the seconds it took."""
    import pydicom.pixels  # noqa: F401  # all are imported before the clock starts
    import SimpleITK as sitk
    from dicomweb_client import DICOMwebClient  # noqa: F401

    import napari_medvlm as nmv
    import napari_medvlm.io.archive.dicomweb

    start = time.perf_counter()
    if reader == "ours":
        folder = _fetched_by_us(source) if source.startswith("http") else Path(source)
        data = nmv.read_volume(folder).data
    else:
        folder = _fetched_plainly(source) if source.startswith("http") else Path(source)
        series = sitk.ImageSeriesReader()
        series.SetFileNames(series.GetGDCMSeriesFileNames(str(folder)))
        image = series.Execute()
        data = sitk.GetArrayViewFromImage(image)
    seconds = time.perf_counter() - start
    return int(data[::50, 100, ::100].sum()), seconds


def _fetched_by_us(url: str) -> Path:
    from napari_medvlm.io.archive.base import Query
    from napari_medvlm.io.archive.dicomweb import DicomWeb
    from napari_medvlm.io.archive.servers import Login, keep_login
    from tests.io.orthanc import PASSWORD, USER

    keep_login(url, Login(USER, PASSWORD))
    pacs = DicomWeb(url)
    study = pacs.studies(Query(patient_id="1"), _silent)[0]
    return pacs.fetch(pacs.series(study)[0], _silent)


def _silent(fraction: float, message: str = "") -> None:
    pass


def _fetched_plainly(url: str) -> Path:
    import requests
    from dicomweb_client import DICOMwebClient

    from tests.io.orthanc import PASSWORD, USER

    session = requests.Session()
    session.trust_env, session.auth = False, (USER, PASSWORD)
    folder = Path(tempfile.mkdtemp())
    client = DICOMwebClient(url, session=session)
    came = client.iter_series(UIDS["StudyInstanceUID"], UIDS["SeriesInstanceUID"])
    for i, each in enumerate(came):
        each.save_as(folder / f"{i}.dcm")
    return folder


def one(reader: str, source: str) -> dict[str, float]:
    """What a process of its own measures."""
    with tempfile.TemporaryDirectory() as home:
        kept = {"NAPARI_MEDVLM_HOME": home, "TMPDIR": home, "PYTHON_KEYRING_BACKEND": NO_KEYRING}
        command = [sys.executable, "-m", "benchmarks.series_loading", "--load", reader, source]
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, env={**os.environ, **kept}
        )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def against(folder: Path, slices: int, pairs: int) -> str:
    """Opening by this package and by another checkout of it, in alternating pairs.

    Processor time of `read_volume` in a process of its own, which other work disturbs less than
    the time of day; the ratio is the median of the pairs.
    """
    found: list[tuple[dict[str, float], dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as series:
        write_series(Path(series), slices)
        for turn in range(pairs + 1):
            before, now = (_opened(root, series) for root in (folder, Path(__file__).parents[1]))
            assert before["sum"] == now["sum"]
            if turn:  # the first pair writes the bytecode of the modules
                found.append((before, now))
    lines = ["| CPU before, s | CPU now, s | ratio | MB before | MB now |", "|---|---|---|---|---|"]
    lines += [
        f"| {b['cpu']:.2f} | {n['cpu']:.2f} | {n['cpu'] / b['cpu']:.2f} | "
        f"{b['peak_mb']:.0f} | {n['peak_mb']:.0f} |"
        for b, n in found
    ]
    ratios = {
        key: statistics.median(n[key] / b[key] for b, n in found) for key in ("cpu", "peak_mb")
    }
    lines.append(f"\nMedians: CPU {ratios['cpu']:.2f}, memory {ratios['peak_mb']:.3f}.")
    return "\n".join(lines)


def _opened(root: Path, series: str) -> dict[str, float]:
    """Processor time and memory of opening a series by the package in `root`."""
    command = [sys.executable, __file__, "--open", series]
    environment = {
        **os.environ,
        "PYTHONPATH": str(root),
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "series-loading"),
    }
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment, cwd=root)
    opened: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return opened


def open_series(series: str) -> dict[str, float]:
    """Processor time of `read_volume` in this process, which has imported its libraries."""
    import pydicom.pixels  # noqa: F401
    import scipy  # noqa: F401
    import SimpleITK  # noqa: F401

    import napari_medvlm as nmv

    start = time.process_time()
    data = nmv.read_volume(Path(series)).data
    cpu = time.process_time() - start
    return {"sum": int(data[::50, 100, ::100].sum()), "cpu": cpu, "peak_mb": peak_mb()}


NO_KEYRING = "keyring.backends.fail.Keyring"


def compared(source: str, runs: int) -> dict[str, dict[str, float]]:
    """The medians of both, run in turns, after each has run once."""
    found: dict[str, list[dict[str, float]]] = {"ours": [], "itk": []}
    for turn in range(runs + 1):
        for reader, kept in found.items():
            measured = one(reader, source)
            if turn:
                kept.append(measured)
    assert {m["sum"] for kept in found.values() for m in kept} == {found["itk"][0]["sum"]}
    return {
        reader: {k: statistics.median(m[k] for m in kept) for k in ("seconds", "peak_mb")}
        for reader, kept in found.items()
    }


def peak_mb() -> float:
    """The most memory of this process that was ever resident, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def row(name: str, found: dict[str, dict[str, float]]) -> str:
    """A row of the table in Markdown."""
    ours, itk = found["ours"], found["itk"]
    return (
        f"| {name} | {ours['seconds']:.2f} | {itk['seconds']:.2f} | "
        f"{ours['seconds'] / itk['seconds']:.2f} | {ours['peak_mb']:.0f} | {itk['peak_mb']:.0f} |"
    )


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=SLICES)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--load", nargs=2, metavar=("READER", "SOURCE"), help="in this process")
    parser.add_argument("--disk", action="store_true", help="not from Orthanc; keep no figures")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout")
    parser.add_argument("--open", metavar="SERIES", help="in this process")
    given = parser.parse_args()
    if given.open:
        print(json.dumps(open_series(given.open)))
        return
    if given.against:
        print(against(given.against, given.slices, given.runs))
        return
    if given.load:
        total, seconds = load(*given.load)
        print(json.dumps({"sum": total, "seconds": seconds, "peak_mb": peak_mb()}))
        return
    from tests.io.orthanc import started

    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "series")
        write_series(files, given.slices)
        rows = [row("disk", compared(str(files), given.runs))]
        print(rows[0])
        if given.disk:
            return
        Path(folder, "pacs").mkdir()
        with started(Path(folder, "pacs")) as server:
            server.put(files)
            rows.append(row("Orthanc", compared(server.url, given.runs)))
    array = given.slices * SIZE * SIZE * 2 / 1e6
    head = HEAD.format(slices=given.slices, array=array, runs=given.runs, limit=1.2 * array + 200)
    print(rows[1])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "series-loading.md").write_text(head + "\n".join(rows) + "\n", "utf-8")


if __name__ == "__main__":
    main()
