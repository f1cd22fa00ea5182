"""Maps of evidence: what they are made of, what is kept, and when there is none."""

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.data.conversation import State
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.sessions.ask.explain import obstacle
from napari_medvlm.sessions.ask.image_selection import ImageSelection
from napari_medvlm.sessions.ask.other_images import NamedVolume
from napari_medvlm.sessions.ask.session import AskSession
from tests.sessions.ask.conversations import script

SLICES = ImageSelection(nmv.Scope(0, 3, 5))


def asked(session, view=SLICES):
    return session.ask("bright?", selection=view, context=script({"say": "It is bright."}))


def test_a_map_lies_on_the_slice_of_its_picture_and_is_kept(inline, scene, scripted, tmp_path):
    reported = []
    inline.progressed.connect(lambda _, text: reported.append(text))
    number = asked(inline)
    inline.explain(number, 1)
    exchange = inline.turn(number)
    found = exchange.evidence
    assert (found.image, exchange.state) == (1, State.ANSWERED)
    assert "pass 3 of 5" in reported
    full = found.heatmap.full()
    assert {int(z) for z in np.nonzero(full)[0]} == {4}
    file = tmp_path / "session.json"
    inline.ledger.save(file)
    with AskSession(scene[0], scripted, "inline", ledger=Ledger.load(file)) as again:
        kept = again.turn(number).evidence
        assert (kept.image, kept.seconds) == (1, found.seconds)
        np.testing.assert_allclose(kept.heatmap.full(), full, atol=1 / 255)
        again.explain(number, 0)
        assert again.turn(number).evidence.image == 0


def test_a_map_of_an_answer_after_tools_is_asked_with_their_rounds(inline):
    look = {"say": "look", "calls": [["zoom", {"picture": 1, "box": [0, 0, 500, 500]}]]}
    number = inline.ask(
        "bright?", selection=SLICES, tools=["zoom"], context=script(look, {"say": "It is bright."})
    )
    assert inline.turn(number).steps
    inline.explain(number)
    assert inline.turn(number).evidence.image == 0


def test_there_is_no_evidence_map_without_images_or_of_another_image(inline, scene):
    blind = inline.ask("bright?", context=script({"say": "It is bright."}))
    with pytest.raises(InvalidPrompt, match="No slice of this image was sent"):
        inline.explain(blind)
    other = NamedVolume("prior", scene[0])
    both = asked(inline, ImageSelection(nmv.Scope(0, 3, 4), others=(other,)))
    inline.explain(both, 0)
    with pytest.raises(InvalidPrompt, match="Image 2 of 2 does not show this image"):
        inline.explain(both, 1)


def test_measuring_needs_no_evidence(scene):
    volume, masks = scene
    with AskSession(volume, runner="inline") as session:
        number = session.ask("Which kidney is larger?", masks=masks)
        assert "reports no token probabilities" in obstacle(session.turn(number))


def test_pictures_that_cannot_be_made_again_are_reported(inline, scene, scripted):
    both = asked(
        inline, ImageSelection(nmv.Scope(0, 3, 4), others=(NamedVolume("prior", scene[0]),))
    )
    with AskSession(scene[0], scripted, "inline", ledger=inline.ledger) as again:
        again.explain(both)
        with pytest.raises(InvalidPrompt, match="cannot be rendered again"):
            again.wait()
        assert again.turn(both).evidence is None
