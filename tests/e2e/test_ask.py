"""The sentences of an answer and their places, in a real window: from one to the other and back."""

import numpy as np
import pytest
from napari.layers import Labels
from numpy.testing import assert_allclose
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QApplication

from benchmarks.tasks import mni_truths
from napari_medvlm.data.conversation import Verdict
from napari_medvlm.data.geometry.display import display_grid, displayed
from napari_medvlm.layers.orientation import Plane, axis_across, show_plane
from tests.foreign.medvlm_foreign_answers import COUNTED, REFUSED

SHARES_WINDOWS = True

VENTRICLES = "Which lateral ventricle is larger, and by how much?"
LEFT, RIGHT, BOTH, UNLINKED, OUTSIDE = range(5)


def test_a_question_about_a_brain_is_answered_with_linked_regions(open_ask):
    volume, truths = mni_truths(2)
    asker = open_ask(volume)
    values = np.zeros(volume.shape, np.uint8)
    values[truths["left ventricle"]] = 1
    values[truths["right ventricle"]] = 2
    shown = displayed(values, volume.grid, order=0)
    names = ["none", "left lateral ventricle", "right lateral ventricle"]
    layer = Labels(
        shown,
        affine=display_grid(volume.grid).affine,
        features={"index": [0, 1, 2], "name": names},
        visible=False,
    )
    asker.viewer.add_layer(layer)
    asker.asks(VENTRICLES)
    answer = asker.last.answer
    assert answer.answered
    assert "mL" in answer.text
    assert len(asker.card.claims.rows) == 3
    left = next(n for n, c in enumerate(answer.claims) if c.text.startswith("The left") and n)
    asker.clicks(asker.card.claims.rows[left])
    (region,) = answer.claims[left].regions
    assert_allclose(asker.viewer.dims.point, region.center_mm, atol=2)
    framed, callouts = asker.lit()
    assert framed == [left]
    assert callouts == [f"1,{left + 1}"]
    masks = asker.layer("found answer masks")
    inside = np.argwhere(np.asarray(masks.data) == 1)
    worlds = np.array([masks.data_to_world(at) for at in inside[::50]])
    sides = {True: truths["left ventricle"], False: truths["right ventricle"]}
    zyx = np.round(volume.grid.to_index(worlds)).astype(int)
    assert sides[bool(worlds[0, 2] > 0)][tuple(zyx.T)].all()
    assert "Q: Which lateral" in asker.story
    assert "Axial" in asker.story
    assert np.array_equal(layer.data, shown)


@pytest.mark.parametrize("role", ["found answer boxes", "found answer callouts"])
def test_a_region_that_is_selected_lights_up_its_sentence(scripted, role):
    scripted.asks("What is bright?")
    place = list(scripted.layer(role).features["callout"]).index("2,3")
    scripted.layer(role).selected_data = {place}
    QApplication.processEvents()
    framed, callouts = scripted.lit()
    assert framed == [RIGHT]
    assert callouts == ["2,3"]
    scripted.layer(role).selected_data = {1 - place}
    QApplication.processEvents()
    scripted.waits(lambda: scripted.lit() == ([LEFT], ["1,3"]))


def test_a_sentence_about_a_slice_brings_its_plane(scripted):
    show_plane(scripted.viewer, Plane.SAGITTAL)
    volume = scripted.dock.session.volume
    scripted.viewer.dims.point = tuple(volume.grid.to_world((12, 20, 33)))
    scripted.asks("What is bright?")
    (sent,) = scripted.last.sent
    assert (sent.slice.axis, sent.slice.index) == (2, 33)
    show_plane(scripted.viewer, Plane.AXIAL)
    scripted.viewer.dims.point = tuple(volume.grid.to_world((2, 2, 2)))
    scripted.clicks(scripted.card.claims.rows[RIGHT])
    assert axis_across(scripted.viewer) == 2
    at = volume.grid.to_index(scripted.viewer.dims.point)
    assert round(float(at[2])) == 33
    scripted.waits(lambda: scripted.lit() == ([RIGHT], ["2,3"]))


def test_the_mouse_need_only_rest_on_a_sentence(scripted):
    scripted.asks("What is bright?")
    scripted.card.claims.rows[BOTH]._rested.start()
    scripted.waits(lambda: scripted.lit() == ([BOTH], ["1,3", "2,3"]))


def test_keys_lead_from_sentence_to_sentence(scripted):
    from napari_medvlm.widgets.ask import commands

    scripted.asks("What is bright?")
    commands.next_sentence(scripted.viewer)
    commands.next_sentence(scripted.viewer)
    scripted.waits(lambda: scripted.lit()[0] == [RIGHT])
    commands.previous_sentence(scripted.viewer)
    scripted.waits(lambda: scripted.lit()[0] == [LEFT])


def test_a_sent_image_is_shown_and_navigates_to_its_slice(scripted):
    view = scripted.dock.along.view
    view.where.setCurrentIndex(2)
    view.every.setValue(12)
    scripted.asks("What is bright?")
    card, volume = scripted.card, scripted.dock.session.volume
    assert card.strip.isVisible()
    assert card.strip.count() == len(scripted.last.sent) == 4
    assert "4 images sent, covering 17 %" in card.coverage.text()
    item = card.strip.item(3)
    card.strip.itemClicked.emit(item)
    at = volume.grid.to_index(scripted.viewer.dims.point)
    assert round(float(at[0])) == scripted.last.sent[3].slice.index


def test_unlinked_sentences_and_refused_regions_are_marked(scripted):
    scripted.asks("What is bright?")
    rows = scripted.card.claims.rows
    assert "not linked" in rows[UNLINKED].state.text()
    assert rows[UNLINKED].find.isVisible()
    assert not rows[LEFT].find.isVisible()
    assert REFUSED in rows[OUTSIDE].problems.text()
    assert len(scripted.layer("found answer boxes").data) == 2
    assert COUNTED in scripted.card.notes.text()


def test_a_sentence_is_located_later_with_its_author(scripted):
    values = np.zeros(scripted.dock.session.volume.shape, np.uint8)
    values[10:14, 18:22, 20:24] = 1
    affine = scripted.dock.session.volume.affine
    scripted.viewer.add_layer(Labels(values, name="liver", affine=affine))
    scripted.asks("What is bright?")
    scripted.card.claims.rows[UNLINKED].find.click()
    scripted.waits(lambda: not scripted.dock.session.pending)
    scripted.sees_all()
    row = scripted.card.claims.rows[UNLINKED]
    assert row.state.text().startswith("1 region · grounded afterwards by Embedded")
    assert not row.find.isVisible()
    scripted.clicks(row)
    scripted.waits(lambda: scripted.lit() == ([UNLINKED], ["4"]))
    index = scripted.dock.session.volume.grid.to_index(scripted.viewer.dims.point)
    assert values[tuple(np.round(index).astype(int))]


def test_marks_and_notes_are_kept(scripted):
    scripted.asks("What is bright?")
    row = scripted.card.claims.rows[LEFT]
    scripted.clicks(row)
    row.marks[Verdict.WRONG].click()
    scripted.sees_all()
    row.note.setText("it is dark")
    row.note.editingFinished.emit()
    scripted.sees_all()
    mark = scripted.last.marks[LEFT]
    assert (mark.verdict, mark.note) == (Verdict.WRONG, "it is dark")
    scripted.waits(lambda: scripted.lit()[0] == [LEFT])
    scripted.card.copy.click()
    assert "[wrong: it is dark]" in QGuiApplication.clipboard().text()
    row.marks[Verdict.WRONG].click()
    scripted.sees_all()
    assert scripted.last.marks == {}


def test_one_switch_hides_all_of_an_answer(scripted):
    scripted.asks("What is bright?")
    scripted.dock.reading.in_picture.setChecked(False)
    ours = [x for x in scripted.viewer.layers if x.name.startswith("Answer")]
    assert ours
    assert not any(layer.visible for layer in ours)
    assert "Q:" not in scripted.story
    scripted.dock.reading.in_picture.setChecked(True)
    assert all(layer.visible for layer in ours)
    assert "Q: What is bright?" in scripted.story


def test_a_sentence_goes_on_as_objects_of_the_segment_dock(scripted):
    from napari_medvlm.widgets.segment.commands import dock_of

    scripted.asks("What is bright?")
    scripted.clicks(scripted.card.claims.rows[LEFT])
    scripted.dock.reading.segment_button.click()
    segment = dock_of(scripted.viewer)
    scripted.waits(lambda: segment.session is not None and bool(segment.session.now.objects))
    scripted.waits(lambda: not segment.session.pending_prompts())
    (live,) = segment.session.now.objects.values()
    assert live.info.name == "left"
    segment.close_dock()
