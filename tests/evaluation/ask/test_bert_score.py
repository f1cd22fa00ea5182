"""BERTScore of a run is that of its definition, worked with the encoder's own embeddings."""

import csv
import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_medvlm.cli import app
from napari_medvlm.data.errors import BackendUnavailable, InvalidReference
from napari_medvlm.evaluation.ask import bert_score
from napari_medvlm.evaluation.ask.bert_score import bert_score_run
from napari_medvlm.evaluation.ask.outcomes import Outcome
from tests.evaluation.studies.test_compare import write_answers

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "yes",
    "no",
    "a",
    "small",
    "left",
    "right",
    "pleural",
    "effusion",
]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A BERT of two layers with random weights: its folder."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("encoder")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    tokenizer = BertTokenizer(str(folder / "vocab.txt"))
    tokenizer.model_max_length = 64
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def run(tmp_path):
    """Three open answers, one of them empty, and a closed one; the references are 'yes'."""
    texts = ("yes", "small left effusion", "")
    free = [Outcome(case=f"o{n}", text=text, exact=False, correct=False, f1=0.0)
            for n, text in enumerate(texts)]  # fmt: skip
    closed = Outcome(case="c", text="yes", correct=True)
    write_answers(tmp_path / "run", [(Path(f"{o.case}.png"), o) for o in (*free, closed)])
    return tmp_path / "run"


def by_definition(encoder, answer, reference, layer):
    """Precision, recall and F1 of Zhang et al. 2020: the best cosine of each token.

    The special tokens of both texts take part in the matching and have no weight.
    """
    import torch
    from transformers import BertModel, BertTokenizer

    model = BertModel.from_pretrained(encoder).eval()
    tokenizer = BertTokenizer.from_pretrained(encoder)

    def embedded(text):
        with torch.no_grad():
            states = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        vectors = states.hidden_states[layer][0].numpy()
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    cosines = embedded(answer) @ embedded(reference).T
    precision = cosines.max(axis=1)[1:-1].mean()
    recall = cosines.max(axis=0)[1:-1].mean()
    return precision, recall, 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize("layer", [1, 2])
def test_scores_are_those_of_the_definition(run, encoder, layer):
    result = bert_score_run(run, encoder, layer)
    with (run / "bertscore.csv").open(newline="") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert sorted(rows) == ["o0", "o1", "o2"], "closed questions have no text to compare"
    for case, text in (("o0", "yes"), ("o1", "small left effusion")):
        expected = by_definition(encoder, text, "yes", layer)
        found = [float(rows[case][name]) for name in ("precision", "recall", "f1")]
        assert found == pytest.approx(expected, abs=1e-5)
    assert float(rows["o0"]["f1"]) == pytest.approx(1)
    assert float(rows["o2"]["f1"]) == 0, "an answer without text"
    assert result["f1"] == pytest.approx(np.mean([float(row["f1"]) for row in rows.values()]))
    assert result["interval"][0] <= result["f1"] <= result["interval"][1]
    assert json.loads((run / "bertscore.json").read_text()) == result


def test_the_command_prints_the_mean(run, encoder):
    done = CliRunner().invoke(app, ["evaluate", "bertscore", str(run), "--model", str(encoder)])
    assert done.exit_code == 0, done.output
    assert "3 open answers" in done.stdout
    assert "layer 2" in done.stdout, "the last, by default"


def test_a_folder_without_an_encoder_is_refused(run, tmp_path):
    with pytest.raises(BackendUnavailable, match=r"no config\.json and model\.safetensors"):
        bert_score_run(run, tmp_path)


def test_a_run_without_open_answers_is_refused(tmp_path, encoder):
    write_answers(tmp_path / "run", [(Path("a.png"), Outcome(case="c", text="yes", correct=True))])
    with pytest.raises(InvalidReference, match="no answers to open questions"):
        bert_score_run(tmp_path / "run", encoder)


def test_a_missing_package_is_named_with_its_extra(run, encoder, monkeypatch):
    assert find_spec("bert_score") is not None
    monkeypatch.setattr(bert_score, "find_spec", lambda _: None)
    with pytest.raises(BackendUnavailable, match="bert-score") as caught:
        bert_score_run(run, encoder)
    assert "napari-medvlm[bertscore]" in caught.value.hint
