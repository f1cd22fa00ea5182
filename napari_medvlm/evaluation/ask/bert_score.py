"""BERTScore of the open answers of a run (Zhang et al., ICLR 2020), by the package bert-score."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from napari_medvlm.data.errors import BackendUnavailable, InvalidReference
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.outcomes import Outcome
from napari_medvlm.evaluation.ask.summary import right_of
from napari_medvlm.evaluation.metrics.confidence_intervals import interval_by_case
from napari_medvlm.evaluation.runs.run_folder import alone_in, case_contents, write_json
from napari_medvlm.evaluation.runs.tables import write_csv

Json = dict[str, Any]
NAMES = ("precision", "recall", "f1")


def bert_score_run(run: Path, model: Path, layers: int | None = None, device: str = "cpu") -> Json:
    """Compute BERTScore of the open answers; write ``bertscore.csv`` and ``bertscore.json``.

    Scores are not rescaled with a baseline and not weighted by inverse document frequency. An
    answer without text has a score of 0.

    Parameters
    ----------
    run
        Folder of a run of questions.
    model
        Folder of a transformers encoder: ``config.json``, its tokenizer and ``model.safetensors``.
    layers
        Number of the layer whose embeddings are compared; `None`: the last. The authors of
        bert-score recommend one for each published model, as 17 for ``roberta-large``.
    device
        As torch names it.

    Returns
    -------
    ``answers``, their number; ``precision``, ``recall`` and ``f1``, means, 0 to 1; ``interval``,
    95 % of the mean F1 over images, or `None`; ``model`` and ``layers``.

    Raises
    ------
    BackendUnavailable
        If bert-score is not installed, or the folder has no such model.
    InvalidReference
        If the run has no open answer.
    CannotSave
        If the files cannot be written, or the run is being written to.
    """
    _require_library()
    last = _layers(model)
    layers = last if layers is None else min(layers, last)
    with alone_in(run):
        contents = [content for content in case_contents(run) if "source" in content]
        scored = [(Item.model_validate(c["source"]), Outcome.model_validate(c)) for c in contents]
        is_open = [pair for pair in scored if pair[1].exact is not None]
        if not is_open:
            raise InvalidReference(f"{run} has no answers to open questions.")
        texts = [(outcome.text, right_of(item)) for item, outcome in is_open]
        table = _table(is_open, _scores(texts, model, layers, device))
        f1 = [
            (_image_of(item), "", row["f1"]) for (item, _), row in zip(is_open, table, strict=True)
        ]
        result: Json = {
            "answers": len(table),
            **{name: float(np.mean([row[name] for row in table])) for name in NAMES},
            "interval": interval_by_case(f1),
            "model": model.name,
            "layers": layers,
        }
        write_csv(run / "bertscore.csv", ["case", *NAMES], table)
        write_json(run / "bertscore.json", result)
    return result


def _require_library() -> None:
    if find_spec("bert_score") is None:
        raise BackendUnavailable(
            "BERTScore needs bert-score, which is not installed.",
            f'Install it with: {sys.executable} -m pip install "napari-medvlm[bertscore]"',
        )


def _table(scored: Sequence[tuple[Item, Outcome]], scores: Sequence[Sequence[float]]) -> list[Json]:
    return [
        {"case": item.name, **dict(zip(NAMES, row, strict=True))}
        for (item, _), row in zip(scored, scores, strict=True)
    ]


def _scores(
    texts: Sequence[tuple[str, str]], model: Path, layers: int, device: str
) -> list[tuple[float, ...]]:
    """Precision, recall and F1 of each (answer, reference)."""
    known = [index for index, (answer, _) in enumerate(texts) if answer.strip()]
    rows: list[tuple[float, ...]] = [(0.0, 0.0, 0.0)] * len(texts)
    if known:
        scores = import_module("bert_score").score(
            [texts[i][0] for i in known], [texts[i][1] for i in known],
            model_type=str(model.resolve()), num_layers=layers, device=device,
        )  # fmt: skip
        for index, *values in zip(known, *(tensor.tolist() for tensor in scores), strict=True):
            rows[index] = tuple(map(float, values))
    return rows


def _layers(model: Path) -> int:
    """The number of layers of a model, from its configuration."""
    config = model / "config.json"
    if not config.is_file() or not (model / "model.safetensors").is_file():
        raise BackendUnavailable(
            f"{model} has no config.json and model.safetensors.",
            "Give the folder of an encoder as transformers saves it. Nothing is downloaded.",
        )
    return int(json.loads(config.read_text("utf-8"))["num_hidden_layers"])


def _image_of(item: Item) -> str:
    return str(item.images[0]) if item.images else item.name
