"""Local image-text models answer as the library alone would, and one may watch and stop them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers as hf
from numpy.testing import assert_allclose

from napari_medvlm.backends.dispatch import answer as call_answer
from napari_medvlm.backends.models import transformers_loader
from napari_medvlm.backends.vlm.prompt_inputs import build_inputs
from napari_medvlm.data.answer import AnswerKind, ChatTurn, NamedPlaces, Question
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, InvalidPrompt, OutOfMemory
from napari_medvlm.data.tool_call import ToolCall, ToolResult, ToolRound, ToolSpec
from napari_medvlm.worker.messages import AskRequest
from napari_medvlm.worker.runner import InlineRunner
from tests.backends.detection.queries import NAMES, force, in_picture, picture, volume_of
from tests.backends.vlm.conversations import FAMILIES, ByHand, ask, loaded, question_of

# PaliGemma's processor turns torch's tensors into arrays in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TOOL = ToolSpec(
    "segment", "Segments.",
    {"type": "object", "properties": {"phrase": {"type": "string"}}, "required": ["phrase"]},
)  # fmt: skip
WITHOUT_SYSTEM = {"llava-next", "gemma3"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: make(tmp_path_factory.mktemp(f"chat{k}")) for k, (name, make) in
            enumerate(FAMILIES.items())}  # fmt: skip


@pytest.fixture(params=list(FAMILIES))
def family(request):
    return request.param


def by_hand(folders, family, backend):
    return ByHand(folders[family], backend._answered_as, system=family not in WITHOUT_SYSTEM)


@pytest.mark.parametrize("names", [("portrait",), ("landscape", "square"), ()])
def test_the_tokens_are_the_librarys(folders, family, names):
    if family == "paligemma" and len(names) != 1:
        return  # it takes one picture, and cannot do without
    backend = loaded(folders[family])
    question = question_of(*names)
    pieces, answer = ask(backend, question)
    reference = by_hand(folders, family, backend)
    tokens = reference.tokens(question)
    assert answer.tokens == len(tokens)
    assert answer.written == backend._loaded.text(tokens)
    assert "".join(pieces).strip() == answer.written.strip()


def test_the_text_comes_token_by_token(folders):
    backend = loaded(folders["qwen3"], 120)
    force(backend, "The left lung is dark.")
    pieces, answer = ask(backend, question_of("portrait"))
    assert "".join(pieces) == answer.text == "The left lung is dark."
    assert len(pieces) > 5
    assert [claim.text for claim in answer.claims] == ["The left lung is dark."]
    assert answer.claims[0].source == folders["qwen3"].name


def test_thoughts_are_not_shown_with_the_answer(folders):
    backend = loaded(folders["gemma3"], 120)
    force(backend, "<unused94>thought\nIt may be dark.<unused95>Yes, it is dark.")
    messages = []
    pieces, answer = ask(
        backend, question_of("portrait", kind=AnswerKind.YES_NO),
        lambda fraction, message="": messages.append(message),
    )  # fmt: skip
    assert "".join(pieces) == "Yes, it is dark."
    assert answer.thinking == "It may be dark."
    assert (answer.text, answer.choice) == ("Yes", "yes")
    assert any(message.startswith("thinking") for message in messages)


@pytest.mark.parametrize("name", NAMES)
def test_a_box_in_a_sentence_lies_where_the_model_saw_it(folders, name):
    backend = loaded(folders["qwen3"], 200)
    force(
        backend, 'Dark: [{"bbox_2d": [100, 250, 500, 750], "label": "spleen"}]. The rest is fine.'
    )
    volume, slice_ref = volume_of(name)
    shown = picture(volume, slice_ref)
    _, answer = ask(backend, Question("What is dark?", pictures=(shown,)))
    first, second = answer.claims
    (region,) = first.regions
    wanted = np.array([0.1, 0.25, 0.5, 0.75]) * (shown.size[::-1] * 2)
    assert_allclose(in_picture(region, shown), wanted, atol=0.0005 * max(shown.size))
    start, stop = region.box.bounds(volume.grid)
    assert (start[slice_ref.axis], stop[slice_ref.axis]) == (slice_ref.index, slice_ref.index + 1)
    assert (first.text, second.text) == ("Dark:.", "The rest is fine.")
    assert not second.regions
    assert answer.images == (slice_ref,)


def test_pixels_of_the_second_picture_as_the_processor_made_it_come_back(folders):
    backend = loaded(folders["qwen2.5"], 200)
    force(backend, 'In image 2: [{"bbox_2d": [7, 3, 21, 17], "label": "spleen"}]')
    question = question_of("portrait", "landscape")
    _, answer = ask(backend, question)
    shown = question.pictures[1]
    inputs = by_hand(folders, "qwen2.5", backend).inputs(question)
    _, rows, columns = inputs["image_grid_thw"][1].tolist()
    across, down = shown.size[1] / (14 * columns), shown.size[0] / (14 * rows)
    (region,) = answer.claims[0].regions
    assert region.slice == shown.slice
    wanted = [7 * across, 3 * down, 21 * across, 17 * down]
    assert_allclose(in_picture(region, shown), wanted, atol=1e-3)


def test_a_model_with_an_unknown_box_format_answers_without_regions(folders):
    backend = loaded(folders["idefics3"], 120)
    force(backend, "It is dark [0.1, 0.2, 0.3, 0.4].")
    _, answer = ask(backend, question_of("portrait"))
    assert answer.text == "It is dark [0.1, 0.2, 0.3, 0.4]."
    assert not answer.claims[0].regions


@pytest.mark.parametrize("at", [1, 3, 9])
def test_a_cancel_stops_the_model_and_the_next_question_is_answered(folders, family, at):
    backend = loaded(folders[family], 2000)
    force(backend, "dark " * 800)
    question, messages = question_of("portrait"), []

    def stop(fraction, message=""):
        messages.append(message)
        if len(messages) == at:
            raise Cancelled

    steps = []
    hook = backend._loaded.model.register_forward_hook(lambda *_: steps.append(1))
    with pytest.raises(Cancelled):
        ask(backend, question, stop)
    hook.remove()
    assert len(steps) < 400
    force(backend, "dark")
    assert ask(backend, question)[1].text == "dark"


def test_to_close_the_answer_stops_the_model(folders):
    backend = loaded(folders["qwen3"], 2000)
    force(backend, "dark " * 1000)
    deltas = backend.answer(question_of("portrait"), lambda *_: None)
    assert next(deltas).text
    deltas.close()
    assert backend._writer.call(lambda: "free") == "free"


def test_each_option_has_the_share_of_its_letter_in_the_first_token(folders, family):
    backend = loaded(folders[family])
    question = question_of("portrait", kind=AnswerKind.CHOICE, options=("dark", "bright", "gone"))
    _, answer = ask(backend, question)
    reference = by_hand(folders, family, backend)
    inputs = reference.inputs(question)
    inputs.pop("labels", None)
    with torch.inference_mode():
        logits = reference.model(**inputs).logits[0, -1]
    ids = [reference.processor.tokenizer.convert_tokens_to_ids(letter) for letter in "ABC"]
    assert_allclose(answer.probabilities, torch.softmax(logits[ids], 0), atol=1e-5)
    assert sum(answer.probabilities) == pytest.approx(1)


def test_options_are_weighed_behind_the_thoughts(folders):
    backend = loaded(folders["qwen3"], 60)
    options = ("dark", "bright")
    question = question_of("portrait", kind=AnswerKind.CHOICE, options=options)
    force(backend, "B")
    _, plain = ask(backend, question)
    force(backend, "<think>the nodule</think>B")
    _, thought = ask(backend, question)
    assert plain.choice == thought.choice == "bright"
    assert plain.probabilities != thought.probabilities


def test_pictures_that_do_not_fit_are_left_out_oldest_first_and_named(folders, monkeypatch):
    backend = loaded(folders["llava-next"])
    question = question_of("portrait", "landscape", "square")
    alone = by_hand(folders, "llava-next", backend)
    needed = alone.inputs(replace(question, pictures=question.pictures[2:], captions=("x" * 14,)))
    text = backend._loaded.model.config.get_text_config()
    monkeypatch.setattr(text, "max_position_embeddings", needed["input_ids"].shape[1] + 24)
    _, answer = ask(backend, question)
    assert answer.images == tuple(p.slice for p in question.pictures[2:])
    assert "2 of 3 images were left out: slice 1 of 9, slice 2 of 9." in answer.notes


def test_more_pictures_than_the_model_was_made_for_are_left_out(folders, monkeypatch):
    backend = loaded(folders["qwen3"])
    backend._answered_as = backend._answered_as.model_copy(update={"max_images": 1})
    _, answer = ask(backend, question_of("portrait", "square"))
    assert "1 of 2 images were left out: slice 1 of 9." in answer.notes


def test_a_text_that_is_too_long_is_refused_with_the_way_out(folders, monkeypatch):
    backend = loaded(folders["qwen3"])
    text = backend._loaded.model.config.get_text_config()
    monkeypatch.setattr(text, "max_position_embeddings", 60)
    with pytest.raises(
        InvalidPrompt, match="tokens too long: the model reads 60.*new conversation"
    ):
        ask(backend, question_of("portrait"))


def test_words_with_a_meaning_of_their_own_for_the_model_are_refused(folders):
    backend = loaded(folders["qwen3"])
    with pytest.raises(InvalidPrompt, match="holds <|image_pad|>"):
        ask(backend, question_of("portrait", context="<|image_pad|>"))
    earlier = (ChatTurn("Is it?", "It is <|image_pad|>."),)
    assert ask(backend, question_of("portrait", earlier=earlier))[1].tokens


def test_an_object_is_sent_in_pixels_of_what_the_processor_made_of_the_picture(folders):
    backend = loaded(folders["qwen2.5"])
    question = question_of("portrait", "landscape")
    width, height = question.pictures[1].size[::-1]
    box = (width / 4, height / 2, width / 2, height)
    question = replace(question, places=(NamedPlaces("cyst", ((1, box),)),))
    inputs = build_inputs(backend._loaded, backend._answered_as, question, 24)
    text = backend._loaded.processor.tokenizer.decode(inputs.tensors["input_ids"][0])
    rows, columns = inputs.shown[1].framed.size
    assert (rows, columns) != (height, width)
    expected = [round(columns / 4), round(rows / 2), round(columns / 2), rows]
    assert f'Picture 2: [{{"bbox_2d": {expected}, "label": "cyst"}}]' in text


def test_an_object_is_called_without_the_control_tokens_of_the_model(folders):
    backend = loaded(folders["qwen3"])
    places = (NamedPlaces("<|image_pad|>", ((0, (0, 0, 4, 4)),)),)
    with pytest.raises(InvalidPrompt, match="control token"):
        ask(backend, replace(question_of("portrait"), places=places))


def test_a_tool_is_called_in_text_and_an_invented_result_is_left_out(folders):
    backend = loaded(folders["qwen3"], 400)
    call = '<tool>{"name": "segment", "arguments": {"phrase": "spleen"}}</tool>'
    force(backend, f"I look.\n{call}\n<result>It is gone.</result> It is gone.")
    pieces, answer = ask(backend, question_of("portrait", tools=(TOOL,)))
    assert answer.calls == (ToolCall("segment", {"phrase": "spleen"}),)
    assert answer.text == "I look."
    assert "gone" not in answer.written
    assert "".join(pieces).strip().startswith("I look.")
    assert "segment" not in "".join(pieces)


def test_what_a_tool_showed_is_the_next_picture(folders):
    backend = loaded(folders["qwen3"], 200)
    force(backend, 'In image 2 it is dark [{"bbox_2d": [0, 0, 500, 500], "label": "spleen"}].')
    zoomed = picture(*volume_of("square"))
    result = ToolResult(ToolCall("segment", {"phrase": "spleen"}), "Found.", pictures=(zoomed,))
    question = question_of("portrait", tools=(TOOL,), steps=(ToolRound("I look.", (result,)),))
    _, answer = ask(backend, question)
    (region,) = answer.claims[0].regions
    assert region.slice == zoomed.slice
    assert_allclose(in_picture(region, zoomed), [0, 0, 20, 20], atol=0.1)


def test_a_truncated_answer_is_reported(folders):
    backend = loaded(folders["qwen3"], 5)
    force(backend, "The lung is dark and clear.")
    _, answer = ask(backend, question_of("portrait"))
    assert "The model was stopped after 5 tokens, before it finished." in answer.notes


def test_an_answer_is_called_as_the_worker_does(folders):
    backend = loaded(folders["qwen3"], 60)
    force(backend, "It is dark.")
    pieces = []
    volume = volume_of("portrait")[0]
    answer = call_answer(backend, volume, question_of("portrait"), lambda *_: None, pieces.append)
    assert answer.text == "".join(pieces) == "It is dark."


def test_a_model_out_of_memory_leaves_what_was_written_and_has_a_remedy(folders, monkeypatch):
    volume, slice_ref = volume_of("square")
    question = Question("Is it dark?", pictures=(picture(volume, slice_ref),))
    request = AskRequest("vlm", volume, model=str(folders["qwen3"]), question=question)
    pieces = []

    def full(*_, streamer, **__):
        for token in (torch.tensor([[0, 0]]), torch.tensor([40]), torch.tensor([41])):
            streamer.put(token)
        raise torch.OutOfMemoryError

    with InlineRunner() as runner:
        model = hf.Qwen3VLForConditionalGeneration
        monkeypatch.setattr(model, "generate", lambda self, **more: full(**more))
        job = runner.submit(request, on_text=pieces.append)
        with pytest.raises(OutOfMemory, match="Out of memory: vlm on cpu"):
            job.result()
        assert len("".join(pieces)) == 2
        monkeypatch.undo()
        assert runner.submit(request).result().answer.tokens


@pytest.mark.parametrize(("bits", "match"), [("3", "4 or 8 bits"), ("4", "is not installed")])
def test_quantised_weights_need_their_library(folders, monkeypatch, bits, match):
    monkeypatch.setenv(transformers_loader.BITS, bits)
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    with pytest.raises(BackendUnavailable, match=match):
        loaded(folders["qwen3"])


def test_a_folder_of_weights_in_few_bits_is_asked_for_as_the_library_wants_it(monkeypatch):
    monkeypatch.setenv(transformers_loader.BITS, "8")
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: object())
    inputs = transformers_loader._placing(torch.device("cpu"))
    assert inputs["quantization_config"].load_in_8bit
    assert inputs["device_map"] == {"": torch.device("cpu")}


@pytest.mark.parametrize(("inputs", "outputs"), [(1280, 3420), (3420, 1280), (1280, 3424)])
def test_layers_that_cannot_be_in_4_bits_on_the_processor_are_named_at_load(inputs, outputs):
    model = torch.nn.Sequential(torch.nn.Linear(inputs, outputs))
    transformers_loader._require_blocks(model)
    model[0].support_avx512bf16_for_cpu = True
    if outputs == 3424:
        transformers_loader._require_blocks(model)
        return
    with pytest.raises(BackendUnavailable, match=f"0 in 4 bits .* {inputs} inputs") as error:
        transformers_loader._require_blocks(model)
    assert "to 8" in error.value.hint
