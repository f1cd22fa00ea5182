"""Cases of evaluations of places and of answers open next to the truth."""

import numpy as np
import pytest

from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.data.errors import SessionFileError
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.outcomes import Outcome as Answered
from napari_medvlm.evaluation.ground.cases import Case
from napari_medvlm.evaluation.ground.outcomes import Outcome as Grounded
from napari_medvlm.evaluation.ground.outcomes import PhraseResult, ScoredBox
from napari_medvlm.evaluation.runs.run_folder import RunFolder
from napari_medvlm.evaluation.runs.runner import write_outcome
from napari_medvlm.layers.convert import KEY
from napari_medvlm.widgets.evaluate.open_case import show
from tests.evaluation.text_runs import picture

SHARES_WINDOWS = True


def sought(phrase, wanted, found, iou):
    places = [
        tuple(ScoredBox(low=(k, y, x), high=(k + 1, y + 8, x + 8)) for k, y, x in ends)
        for ends in (wanted, found)
    ]
    return PhraseResult(phrase=phrase, label=phrase, iou=iou, pointed=None, wanted=places[0],
                  predicted=places[1], overlaps=())  # fmt: skip


@pytest.fixture
def grounded(tmp_path):
    """A run on one case of three slices, with two phrases."""
    images = tuple(picture(tmp_path / f"{n}.png", [(200, 5, 5, 13, 13)]) for n in range(3))
    case = Case(name="case a", images=images)
    places = (sought("nodule", [(2, 5, 5)], [(1, 20, 20), (2, 5, 6)], 0.7),
              sought("mass", [], [(0, 1, 1)], 0.0))  # fmt: skip
    folder = RunFolder(tmp_path / "out", {"task": "ground"})
    write_outcome(folder, case.model_dump(mode="json"), Grounded(case="case a", results=places))
    return folder.path


def boxes(viewer, what):
    layers = [la for la in viewer.layers if la.metadata.get(KEY, {}).get("role") == what]
    return [np.asarray(data) for layer in layers for data in layer.data]


def test_a_phrase_is_shown_with_its_true_and_its_found_places(make_napari_viewer, grounded):
    viewer = make_napari_viewer()
    panel = show(viewer, grounded, "case a", "nodule")
    texts = [panel.phrases.item(n).text() for n in range(panel.phrases.count())]
    assert texts == ["nodule: IoU 0.700, 2 found, 1 expected", "mass: 1 found, 0 expected"]
    (truth,) = boxes(viewer, "found truth boxes")
    assert truth[:, 1].min() == pytest.approx(4.5)
    assert truth[0, 0] == 2
    assert viewer.dims.point[0] == pytest.approx(2)
    assert len(boxes(viewer, "found boxes")) == 2
    panel.phrases.setCurrentRow(1)
    assert not boxes(viewer, "found truth boxes")
    assert len(boxes(viewer, "found boxes")) == 1
    assert viewer.dims.point[0] == pytest.approx(0)


def test_a_question_is_shown_with_the_right_answer_and_its_own(make_napari_viewer, tmp_path):
    images = (picture(tmp_path / "a.png"), picture(tmp_path / "b.png"))
    item = Item(name="q 1", images=images, captions=("before", "now"), question="Is it <b>?",
                answer="yes", kind=AnswerKind.YES_NO, boxes=((10, 10, 30, 30),))  # fmt: skip
    place = ((0.0, 10.0, 10.0), (1.0, 30.0, 30.0))
    outcome = Answered(case="q 1", text="No, 80 % sure.", choice="no", correct=False,
                       confidence=0.8, iou=0.0, wanted=(place,))  # fmt: skip
    folder = RunFolder(tmp_path / "out", {"task": "ask"})
    write_outcome(folder, item.model_dump(mode="json"), outcome)
    viewer = make_napari_viewer()
    panel = show(viewer, folder.path, "q 1")
    for text in ("Is it &lt;b&gt;?", ">yes<", "No, 80 % sure.", "wrong, IoU 0.000, confidence"):
        assert text in panel.text()
    assert {"before", "now"} <= {layer.name for layer in viewer.layers}
    assert len(boxes(viewer, "found truth boxes")) == 1


def test_words_that_differ_are_not_called_wrong(make_napari_viewer, tmp_path):
    item = Item(name="q", images=(picture(tmp_path / "a.png"),), question="Where?", answer="left")
    outcome = Answered(case="q", text="On the left.", correct=False, exact=False, f1=0.5)
    folder = RunFolder(tmp_path / "out", {"task": "ask"})
    write_outcome(folder, item.model_dump(mode="json"), outcome)
    panel = show(make_napari_viewer(), folder.path, "q")
    assert "different text, F1 0.500" in panel.text()


def test_what_is_not_there_is_reported(make_napari_viewer, grounded):
    viewer = make_napari_viewer()
    with pytest.raises(SessionFileError, match="no case 'nobody'"):
        show(viewer, grounded, "nobody")
    with pytest.raises(SessionFileError, match=r"no phrase 'spleen'"):
        show(viewer, grounded, "case a", "spleen")
    RunFolder(grounded, {"task": "ground"}).keep({"case": "case a"})
    with pytest.raises(SessionFileError, match="does not store the input"):
        show(viewer, grounded, "case a")
