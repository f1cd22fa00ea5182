"""What the backend adds to Segment Anything's own calls: ``python -m benchmarks.sam``.

Embedding all slices of a volume is timed beside bare calls of the encoder on the same slices, eight
of one and eight of the other in turn, since machines are noisy; the seconds that the encoder took
within our run are reported too. A click on a slice whose embedding is kept is timed beside the
decoder's call within it. Without a checkpoint the network is a small one with random weights, of
the full size in pixels.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.sam import SAMBackend
from napari_medvlm.backends.sam.checkpoint import Layout
from napari_medvlm.backends.sam.embedding_store import EmbeddingStore
from napari_medvlm.backends.sam.embeddings import Embeddings
from napari_medvlm.data.prompts import Point
from napari_medvlm.data.volume import Modality, Volume

RESULTS = Path(__file__).parent / "results"
SMALL = Layout(
    width=256, depth=4, heads=4, side=1024, patch=16, window=14, everywhere=(1, 3), channels=256,
    mask_channels=16, masks=3, decoder_depth=2, decoder_width=2048, score_depth=3,
    score_width=256,
)  # fmt: skip
IN_TURN = 8
CLICKS = 15


def quiet(fraction: float, message: str = "") -> None:
    """Progress that nobody looks at."""


def checkpoint(named: str | None, folder: Path) -> Path:
    """The checkpoint that was named, or a small one with random weights."""
    if named:
        return Path(named)
    torch.manual_seed(0)
    path = folder / "small.pth"
    torch.save(SMALL.build().state_dict(), path)
    return path


def volume_of(slices: int, side: int) -> Volume:
    """Noise, as a CT."""
    data = np.random.default_rng(0).normal(0, 200, (slices, side, side)).astype(np.int16)
    return Volume(data, np.diag([2.5, 0.8, 0.8, 1.0]), Modality.CT)


def loaded(path: Path, device: str, volume: Volume) -> SAMBackend:
    """A fresh backend."""
    backend = SAMBackend()
    backend.load(str(path), device)
    backend.set_volume(volume)
    return backend


def timed(call: Callable[[], object]) -> float:
    """Seconds."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def watched(owner: object, name: str) -> list[float]:
    """The seconds of each call of a method from now on."""
    method, seconds = getattr(owner, name), []

    def call(*args: object, **how: object) -> object:
        result = []
        seconds.append(timed(lambda: result.append(method(*args, **how))))
        return result[0]

    setattr(owner, name, call)
    return seconds


def embedding(path: Path, device: str, volume: Volume) -> dict[str, float]:
    """Seconds to embed all slices, and of the encoder alone."""
    backend = loaded(path, device, volume)
    model, plane, count = backend._model, backend.plane(0), volume.shape[0]
    shown = [model.prepared(plane.picture(i).pixels) for i in range(count)]
    model.embed(shown[:1])
    inside = watched(model, "embed")
    ours = bare = 0.0
    for first in range(0, count, IN_TURN):
        now = range(first, min(first + IN_TURN, count))
        step = backend.embeddings.batch
        batches = [shown[k : min(k + step, now.stop)] for k in range(now.start, now.stop, step)]
        bare += timed(lambda batches=batches: [type(model).embed(model, b) for b in batches])
        ours += timed(lambda now=now: backend.embeddings.prepare(plane, now, quiet))
    return {
        "embedding_s": ours,
        "encoder_alone_s": bare,
        "encoder_inside_s": sum(inside),
        "ratio_to_alone": ours / bare,
        "ratio_to_inside": ours / sum(inside),
    }


def clicks(path: Path, device: str, side: int) -> dict[str, float]:
    """Milliseconds of a click on a slice that is kept, and what of it is not the decoder's."""
    volume = volume_of(1, side)
    backend = loaded(path, device, volume)
    backend.prepare(0, quiet)
    places = np.random.default_rng(1).integers(20, side - 20, (CLICKS, 2))
    asked = [ObjectPrompts((Point.at_index(volume, (0, y, x)),), (1,)) for x, y in places]
    figures = {}
    for kept in ("memory", "disk"):
        whole, rest = [], []
        for prompts in asked:
            if kept == "disk":
                backend.embeddings = Embeddings(backend._model, EmbeddingStore())
            decoder = watched(backend._model._predictor, "predict")
            whole.append(timed(lambda b=backend, p=prompts: b.segment(p, quiet)))
            rest.append(whole[-1] - sum(decoder))
            del backend._model._predictor.predict
        figures[f"click_{kept}_ms"] = 1000 * statistics.median(whole)
        figures[f"click_{kept}_besides_decoder_ms"] = 1000 * statistics.median(rest)
    return figures


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="a checkpoint; else small random weights")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--slices", type=int, default=64)
    parser.add_argument("--side", type=int, default=256, help="voxels along a slice's edge")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_MEDVLM_HOME"] = folder
        path = checkpoint(given.model, Path(folder))
        figures: dict[str, object] = {
            "device": torch.cuda.get_device_name() if given.device != "cpu" else "cpu",
            "network": path.stem,
            "slices": given.slices,
        }
        figures |= embedding(path, given.device, volume_of(given.slices, given.side))
        figures |= clicks(path, given.device, given.side)
    rounded = {k: round(v, 3) if isinstance(v, float) else v for k, v in figures.items()}
    print(json.dumps(rounded, indent=1))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "sam.json").write_text(json.dumps(rounded, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
