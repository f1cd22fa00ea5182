"""Labels are judged by a real model, and a person may switch off what they rest on."""

import numpy as np
import pytest

from napari_medvlm.data.classification import LabelQuery
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.grounding import Scope
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.sessions.classify import LabellingSession
from tests.backends.clip.tiny_clip import save_clip
from tests.conftest import make_phantom

QUERY = LabelQuery(
    ("effusion", "nodule"),
    exclusive=False,
    descriptors={"effusion": ("blunt angle", "fluid level", "meniscus")},
    scope=Scope.of_slice(0, 12),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(save_clip(tmp_path_factory.mktemp("clip")))


def test_a_descriptor_that_is_switched_off_no_longer_counts(model, tmp_path):
    path = tmp_path / "labels.jsonl"
    with LabellingSession(make_phantom()[0], "inline", journal=path) as session:
        session.ask(QUERY, "similarity", model)
        session.wait()
        parts = session.labelling.descriptors["effusion"]
        assert list(parts) == list(QUERY.descriptors["effusion"])
        before = session.probabilities["effusion"]
        assert before == pytest.approx(float(np.exp(np.mean(np.log(list(parts.values()))))))
        session.override("effusion", "fluid level", used=False)
        left = [parts["blunt angle"], parts["meniscus"]]
        wanted = float(np.exp(np.mean(np.log(left))))
        assert session.probabilities["effusion"] == pytest.approx(wanted)
        nodule = session.probabilities["nodule"]
        session.ask(QUERY, "similarity", model)
        session.wait()
        assert session.probabilities["effusion"] == pytest.approx(wanted), "the override is kept"
        assert session.probabilities["nodule"] == pytest.approx(nodule)
        for text in ("blunt angle", "meniscus"):
            session.override("effusion", text, used=False)
        assert session.probabilities["effusion"] is None
        session.override("effusion", "meniscus", used=True)
        assert session.probabilities["effusion"] == pytest.approx(parts["meniscus"])
    kinds = [record.record for record in Ledger.load(path).records]
    assert kinds == ["classified", "descriptor_toggled", "classified", *["descriptor_toggled"] * 3]


def test_a_worker_judges_as_well(model):
    with LabellingSession(make_phantom()[0]) as session:
        session.ask(QUERY, "similarity", model)
        session.wait(120)
        assert all(0 <= p <= 1 for p in session.probabilities.values())


def test_a_backend_without_labels_is_refused():
    with (
        LabellingSession(make_phantom()[0], "inline") as session,
        pytest.raises(BackendUnavailable, match="does not classify labels"),
    ):
        session.ask(QUERY, "embedded")


def test_a_model_that_is_not_there_is_reported_with_the_remedy():
    with LabellingSession(make_phantom()[0], "inline") as session:
        session.ask(QUERY, "similarity", "no/such/model")
        with pytest.raises(BackendUnavailable) as reported:
            session.wait()
        assert reported.value.hint
        assert not session.pending
