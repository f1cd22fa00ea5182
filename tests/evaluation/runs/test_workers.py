"""Cases go to processes, and a process that dies costs one case."""

from pathlib import Path

import psutil
import pytest

from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.evaluation.runs import workers
from napari_medvlm.evaluation.runs.ray_workers import Ray
from napari_medvlm.evaluation.runs.workers import Processes, WorkerSpec

MAKING = WorkerSpec("tests.evaluation.scripted:Scripted", {"x": 1})
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def worker_imports_the_tests(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def crashed(case, error):
    return {"case": case["name"], "problem": str(error)}


def outcomes(number, cases):
    return [one for one in Processes(number, crashed)(MAKING, cases) if one is not None]


def cases(count):
    return [{"name": f"case {k}"} for k in range(count)]


@pytest.mark.parametrize("number", [1, 3])
def test_every_case_is_worked_on_once_whatever_models_print(number):
    found = outcomes(number, cases(7))
    assert sorted(one["case"] for one in found) == [one["name"] for one in cases(7)]
    assert all(one["plan"] == {"x": 1} for one in found)
    assert 1 <= len({one["pid"] for one in found}) <= number


def test_workers_share_the_processors(monkeypatch):
    monkeypatch.setattr(workers, "_processors", lambda: 6)
    for name in workers.THREADS:
        monkeypatch.delenv(name, raising=False)
    assert {one["threads"] for one in outcomes(3, cases(3))} == {"2"}
    assert {one["threads"] for one in outcomes(8, cases(8))} == {"1"}


def test_a_worker_that_dies_costs_its_case_and_no_other():
    given = cases(4)
    given[1]["dies"] = True
    found = {one["case"]: one for one in outcomes(1, given)}
    assert len(found) == 4
    assert "status 3" in found["case 1"]["problem"]
    assert len({found[name]["pid"] for name in ("case 0", "case 2", "case 3")}) == 2


def test_a_worker_imports_nothing_from_the_current_folder(monkeypatch, tmp_path):
    (tmp_path / "queue.py").write_text("raise ImportError('planted')")
    monkeypatch.chdir(tmp_path)
    assert [one["case"] for one in outcomes(1, cases(1))] == ["case 0"]


def test_no_case_is_no_work():
    assert outcomes(2, []) == []


def test_whoever_stops_leaves_no_process_behind():
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    running = Processes(2, crashed)(MAKING, cases(50))
    while next(running) is None:
        pass
    running.close()
    after = {child.pid for child in psutil.Process().children(recursive=True)}
    assert after <= before


def test_a_cluster_that_is_not_there_is_reported():
    with pytest.raises(BackendUnavailable, match="no Ray cluster at 127.0.0.1:1"):
        list(Ray("127.0.0.1:1", 1)(MAKING, cases(1)))
