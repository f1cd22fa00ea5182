"""Runs of the command line, each made once."""

import sys
from pathlib import Path

import pytest

from tests.evaluation.segment import data_sets
from tests.evaluation.text_runs import evaluate

ROOT = Path(__file__).resolve().parents[3]
INTERACTIONS = 3


def command(*arguments):
    program = "from napari_medvlm.cli import app; app()"
    return [sys.executable, "-c", program, "evaluate", *map(str, arguments)]


def segment_options(root, out, *more):
    return (
        *("segment", "--images", root / "images", "--labels", root / "labels", "--out", out),
        *("--interactions", INTERACTIONS, *more),
    )


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    """A folder of pairs: four good ones, one on another grid, one without labels."""
    root = tmp_path_factory.mktemp("data")
    data_sets.write_pairs(root, 4)
    _, volume, labels = next(data_sets.cases(1))
    data_sets.save_image(root / "images" / "shifted.nii.gz", volume.data, volume.affine)
    cut = type(volume)(volume.data[1:], volume.affine)
    data_sets.save_labels(root / "labels" / "shifted.nii.gz", labels[1:], cut)
    data_sets.save_image(root / "images" / "lonely.nii.gz", volume.data, volume.affine)
    return root


@pytest.fixture(scope="session")
def finished(pairs, tmp_path_factory):
    """A run by one worker: its folder and what it printed."""
    out = tmp_path_factory.mktemp("runs") / "one"
    return out, evaluate(*segment_options(pairs, out))
