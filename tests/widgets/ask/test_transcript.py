"""The parts of the Ask dock, each alone."""

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_medvlm.backends.embedded.measuring_qa import question_forms
from napari_medvlm.data.answer import Answer, AnswerKind, Claim
from napari_medvlm.data.conversation import Conversation, Mark, SentImage, State, Turn, Verdict
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.tool_call import ToolCall, ToolResult, ToolRound
from napari_medvlm.data.volume import Modality
from napari_medvlm.language import question_templates
from napari_medvlm.language.stated_confidence import ASKS_FOR_CHOICE, ASKS_FOR_OTHERS
from napari_medvlm.settings import allowed_hosts
from napari_medvlm.widgets.ask.attachments import ToolChoice
from napari_medvlm.widgets.ask.conversation_bar import ConversationRow
from napari_medvlm.widgets.ask.exchange_card import ExchangeCard, as_text
from napari_medvlm.widgets.ask.question_box import QuestionBox
from napari_medvlm.widgets.ask.sent_images import PictureStrip, covered
from napari_medvlm.widgets.ask.sentence_rows import ClaimRows
from napari_medvlm.widgets.ask.transcript import Transcript
from napari_medvlm.widgets.ask.transcript_signals import TranscriptSignals
from napari_medvlm.widgets.models.server_banner import ServerBanner, reach
from napari_medvlm.widgets.parts.markdown_view import MarkdownView

BOX = Box(corner_mm=(0, 0, 0), edges_mm=((4, 0, 0), (0, 5, 0), (0, 0, 6)))
LINKED = Claim("It is round.", (Region("it", BOX),), "a model")
UNLINKED = Claim("It is old.", problems=("The box has no size.",))
ANSWER = Answer("It is round. It is old.", (LINKED, UNLINKED))
EXCHANGE = Turn(7, "What is it?", "scripted", state=State.ANSWERED, answer=ANSWER)


@pytest.fixture
def shown(qtbot):
    def shown(widget):
        qtbot.addWidget(widget)
        widget.resize(400, 600)
        widget.show()
        qtbot.waitExposed(widget)
        return widget

    return shown


# The question.


def test_enter_asks_and_shift_enter_begins_a_line(shown, qtbot):
    box = shown(QuestionBox())
    box.write("What")
    QTest.keyClick(box.edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClicks(box.edit, "is it?")
    for modifier in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier):
        with qtbot.waitSignal(box.asked):
            QTest.keyClick(box.edit, Qt.Key.Key_Return, modifier)
    assert box.text == "What\nis it?"


def test_a_template_is_written_with_its_gap_selected(shown):
    box = shown(QuestionBox())
    box.offer({"CT": ["Where is {THING}?"]})
    *_, action = box.menu.actions()
    action.trigger()
    assert box.edit.textCursor().selectedText() == "{THING}"


def test_options_are_asked_for_only_where_one_is_to_be_chosen(shown):
    box = shown(QuestionBox())
    assert not box.options_edit.isVisible()
    box.kind_box.setCurrentIndex(1)
    box.options_edit.setPlainText("benign\n\nmalignant\nbenign")
    assert box.kind is AnswerKind.CHOICE
    assert box.options == ("benign", "malignant")
    box.allow_kinds(False, "It measures.")
    assert (box.kind, box.options) == (AnswerKind.OPEN, ())
    assert box.kind_box.toolTip() == "It measures."


def test_a_confidence_is_asked_for_in_words_that_can_be_edited(shown):
    box = shown(QuestionBox())
    box.offer({})
    assert box.ask_confidence in box.menu.actions()
    box.write("Is it a cyst?")
    assert (box.full_text, box.confidence_edit.isVisible()) == ("Is it a cyst?", False)
    box.ask_confidence.setChecked(True)
    assert box.confidence_edit.isVisible()
    assert box.full_text == f"Is it a cyst?\n\n{ASKS_FOR_OTHERS}"
    box.kind_box.setCurrentIndex(1)
    assert box.full_text == f"Is it a cyst?\n\n{ASKS_FOR_CHOICE}"
    box.confidence_edit.setPlainText("Hint: doubt yourself.")
    box.kind_box.setCurrentIndex(0)
    assert box.full_text == "Is it a cyst?\n\nHint: doubt yourself."
    box.change(3, box.full_text)
    assert box.full_text.count("Hint") == 1
    box.clear()
    assert box.full_text == ""
    box.allow_kinds(False, "It measures.")
    assert not box.ask_confidence.isChecked()
    assert not box.confidence_edit.isVisible()


def test_escape_leaves_the_changing_of_a_question(shown, qtbot):
    box = shown(QuestionBox())
    box.change(3, "What is it?")
    QTest.keyClick(box.edit, Qt.Key.Key_Escape)
    assert (box.editing, box.text) == (None, "")
    with qtbot.waitSignal(box.left):
        QTest.keyClick(box.edit, Qt.Key.Key_Escape)


def test_every_template_of_measuring_is_understood():
    words = {"{THING}": "the liver", "{OTHER THING}": "the spleen", "{VOXEL}": "1, 2, 3"}
    understood = []
    for question in question_templates.measured():
        for gap, filled in words.items():
            question = question.replace(gap, filled)
        understood.append(question_forms.read(question).form)
    assert set(understood) == set(question_forms.QuestionForm)


@pytest.mark.parametrize(
    ("modality", "titles"),
    [
        (Modality.CT, ["CT", "Any image"]),
        (Modality.MR, ["MR", "Any image"]),
        (Modality.DX, ["Radiograph", "Any image"]),
        (Modality.UNKNOWN, ["Any image"]),
    ],
)
def test_templates_follow_the_modality(modality, titles):
    offered = question_templates.questions(modality)
    assert list(offered) == titles
    assert all(offered.values())


# The answer.


def test_markdown_is_rendered_html_is_not_read_and_nothing_is_loaded(shown, tmp_path):
    view = shown(MarkdownView())
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"")
    asked = []
    load = view.loadResource
    view.loadResource = lambda kind, name: asked.append(name) or load(kind, name)
    view.show_markdown(f"**Bold** <img src='{picture}'> ![it]({picture}) [link](http://x.y)")
    text = view.toPlainText()
    assert text.startswith("Bold")
    assert "<img" in text
    assert view.loadResource(2, str(picture)).width() == 1
    assert not view.openLinks()


def test_a_view_is_as_high_as_its_text(shown):
    view = shown(MarkdownView())
    view.show_markdown("one line")
    low = view.height()
    view.show_markdown("\n\n".join(["a paragraph"] * 9))
    assert view.height() > 5 * low


@pytest.mark.parametrize(
    ("partial", "thinking", "text"),
    [
        ("It is", "", "It is"),
        ("<think>hm", "hm", "Thinking…"),
        ("<unused94>thought\nhm", "hm", "Thinking…"),
        ("<think>hm</think> It is", "hm", "It is"),
        ("hm</think>It is", "hm", "It is"),
    ],
)
def test_reasoning_is_folded_away_while_the_answer_is_streamed(shown, partial, thinking, text):
    running = replace(EXCHANGE, state=State.RUNNING, answer=None, partial="")
    card = shown(ExchangeCard(running, TranscriptSignals()))
    card.stream(partial)
    assert card.thinking_text.toPlainText().strip() == thinking
    assert card.text.toPlainText().strip() == text


def test_a_card_shows_the_state_of_its_exchange(shown):
    card = shown(ExchangeCard(EXCHANGE, TranscriptSignals()))
    waiting = replace(EXCHANGE, state=State.WAITING, answer=None)
    card.show_exchange(waiting, in_full=True)
    assert card.state.text() == "waiting"
    assert not card.again.isEnabled()
    failed = replace(waiting, state=State.FAILED, problem="Server down. Start it.", partial="It")
    card.show_exchange(failed, in_full=True)
    assert (card.state.text(), card.problem.text()) == ("failed", "Server down. Start it.")
    assert card.text.toPlainText() == "It"
    assert card.again.isEnabled()
    card.show_exchange(replace(EXCHANGE, seconds=1.25), in_full=True)
    assert card.state.text() == "scripted · 1.2 s"
    assert not card.problem.isVisible()


def test_sentences_stand_for_a_text_that_they_say_in_full(shown):
    card = shown(ExchangeCard(EXCHANGE, TranscriptSignals()))
    card.show_exchange(EXCHANGE, in_full=True)
    assert not card.text.isVisible()
    assert len(card.claims.rows) == 2
    card.show_exchange(EXCHANGE, in_full=False)
    assert card.text.toPlainText() == "It is round. It is old."
    assert not card.claims.isVisible()


def test_an_unanswered_question_gives_the_reason(shown):
    card = shown(ExchangeCard(EXCHANGE, TranscriptSignals()))
    refused = Answer("No.", answered=False, reason="Nothing was segmented.")
    card.show_exchange(replace(EXCHANGE, answer=refused), in_full=True)
    assert "Nothing was segmented." in card.text.toPlainText()
    assert card.state.text().startswith("not answered")


def test_steps_show_calls_and_what_came_of_them(shown):
    card = shown(ExchangeCard(EXCHANGE, TranscriptSignals()))
    good = ToolResult(ToolCall("segment", {"phrase": "liver"}), "1 object, 80 mL")
    bad = ToolResult(ToolCall("zoom", {}), "There is no such region.", failed=True)
    steps = (ToolRound("I outline the liver.", (good, bad)),)
    card.show_exchange(replace(EXCHANGE, steps=steps), in_full=True)
    assert "1 tool step" in card.steps.text()
    card.steps.expand()
    text = card.steps_text.toPlainText()
    assert "segment(phrase=liver) → 1 object, 80 mL" in text
    assert "⚠ There is no such region." in text


def test_a_long_question_does_not_widen_the_card(shown):
    card = shown(ExchangeCard(EXCHANGE, TranscriptSignals()))
    card.show_exchange(replace(EXCHANGE, question="word " * 80), in_full=True)
    assert card.minimumSizeHint().width() <= 400


def test_a_copied_answer_states_links_and_marks(shown):
    card = shown(ExchangeCard(EXCHANGE, TranscriptSignals()))
    card.show_exchange(EXCHANGE, in_full=True)
    card.copy.click()
    assert QGuiApplication.clipboard().text().startswith("What is it?")
    text = as_text(replace(EXCHANGE, marks={0: Mark(Verdict.UNSURE)}))
    assert "1. It is round. [unsure]" in text
    assert "2. It is old. (not linked to a region)" in text


def test_rows_emit_what_is_done_with_them(shown, qtbot):
    signals = TranscriptSignals()
    rows = shown(ClaimRows(7, signals))
    rows.show_claims((LINKED, UNLINKED), [("#ff0000",), ()], {0: Mark(Verdict.RIGHT, "yes")})
    first, second = rows.rows
    assert first.marks[Verdict.RIGHT].isChecked()
    assert first.note.text() == "yes"
    assert not second.note.isVisible()
    assert "The box has no size." in second.problems.text()
    with qtbot.waitSignal(signals.claim_chosen) as chosen:
        QTest.mouseClick(first, Qt.MouseButton.LeftButton)
    assert chosen.args == [7, 0]
    with qtbot.waitSignal(signals.find_requested) as wanted:
        second.find.click()
    assert wanted.args == [7, 1]
    with qtbot.waitSignal(signals.marked) as marked:
        second.marks[Verdict.WRONG].click()
    assert marked.args == [7, 1, Mark(Verdict.WRONG)]
    rows.show_claims((LINKED,), [("#ff0000",)], {})
    assert len(rows.rows) == 1


def test_a_lit_sentence_is_drawn_otherwise(shown):
    rows = shown(ClaimRows(7, TranscriptSignals()))
    rows.show_claims((LINKED, LINKED), [("#ff0000",), ("#ff0000", "#00ff00")], {})
    QApplication.processEvents()
    before = rows.grab().toImage()
    rows.light(1)
    assert rows.grab().toImage() != before
    assert [row.lit for row in rows.rows] == [False, True]


def test_pictures_are_shown_as_sent(shown, qtbot):
    strip = shown(PictureStrip())
    pixels = np.zeros((20, 30, 3), np.uint8)
    sent = (
        SentImage(pixels, SliceRef(0, 4), "axial slice 4 of 9, window 40/80"),
        SentImage(pixels, SliceRef(0, 6), of="prior"),
    )
    strip.show_sent(sent)
    assert strip.item(0).text() == "axial slice 4 of 9"
    assert "window 40/80" in strip.item(0).toolTip()
    assert "of prior: 30 x 20 pixels" in strip.item(1).toolTip()
    with qtbot.waitSignal(strip.chosen) as chosen:
        strip.itemClicked.emit(strip.item(1))
    assert chosen.args == [sent[1]]
    strip.show_sent(())
    assert not strip.isVisible()


def test_the_share_that_was_sent_is_reported():
    assert covered(0.5, 3) == "3 images sent, covering 50 % of the slices."
    assert covered(0.002, 1).startswith("1 image sent, covering less than 1 %")
    assert covered(None, 0) == ""


def test_the_transcript_updates_only_cards_that_changed(shown, qtbot):
    transcript = shown(Transcript())
    assert transcript.empty.isVisible()
    other = replace(EXCHANGE, id=8, question="And this?")
    transcript.show_exchanges((EXCHANGE, other), 8)
    first = transcript.cards[7]
    transcript.show_exchanges((EXCHANGE, replace(other, question="And that?")), 8)
    assert transcript.cards[7] is first
    with qtbot.waitSignal(transcript.signals.turn_chosen) as chosen:
        QTest.mouseClick(first, Qt.MouseButton.LeftButton)
    assert chosen.args == [7]
    with qtbot.waitSignal(transcript.signals.regenerate_requested) as again:
        transcript.cards[8].again.click()
    assert again.args == [8]
    assert transcript.cards[8].question.text() == "And that?"
    assert not transcript.empty.isVisible()
    transcript.show_exchanges((), None)
    assert not transcript.cards


# Where it goes.


def test_nothing_is_reported_as_long_as_nothing_leaves_this_machine(shown):
    banner = ServerBanner()
    for model in (None, "some/model", "http://127.0.0.1:8000/v1#m"):
        assert reach(model).here
        banner.look_up(model)
        assert not banner.isVisibleTo(None)
    assert not reach("http://10.0.0.7:8000/v1#m").here


def test_another_machine_is_reported_and_one_outside_asks_first(shown, qtbot, monkeypatch):
    banner = ServerBanner()
    qtbot.addWidget(banner)
    banner.look_up("http://10.0.0.7:8000/v1#m")
    qtbot.waitUntil(lambda: "10.0.0.7:8000, another computer" in banner.text.text())
    assert not banner.allow.isVisibleTo(banner)
    banner.look_up("https://8.8.8.8/v1#m")
    qtbot.waitUntil(lambda: "until you allow it" in banner.text.text())
    assert banner.allow.isVisibleTo(banner)
    answers = iter([QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes])
    monkeypatch.setattr(QMessageBox, "warning", lambda *_: next(answers))
    banner.allow.click()
    assert not allowed_hosts.allowed()
    banner.allow.click()
    assert allowed_hosts.allowed() == {"https://8.8.8.8:443"}
    qtbot.waitUntil(lambda: "You allowed it" in banner.text.text())


def test_no_address_is_reported_in_words(shown, qtbot):
    banner = ServerBanner()
    qtbot.addWidget(banner)
    banner.look_up("ftp://somewhere#m")
    qtbot.waitUntil(lambda: "is not the address of a server" in banner.text.text())


def test_tools_are_chosen_by_name(shown):
    tools = ToolChoice()
    tools.boxes["zoom"].setChecked(True)
    assert (tools.chosen, tools.title) == (("zoom",), "Tools: zoom")
    tools.setEnabled(False)
    assert tools.chosen == ()


def test_a_conversation_without_a_title_is_called_after_its_question(shown, qtbot):
    row = shown(ConversationRow())
    assert not row.remove.isEnabled()
    talks = (Conversation(1, "", (EXCHANGE,)), Conversation(2, "", ()), Conversation(3, "Third"))
    row.show_conversations(talks, 2)
    titles = [row.choice.itemText(k) for k in range(3)]
    assert titles == ["What is it?", "New conversation", "Third"]
    assert row.current == 2
    with qtbot.waitSignal(row.new_requested):
        row.new.click()
