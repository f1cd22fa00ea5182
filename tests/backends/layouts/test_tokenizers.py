"""Vocabularies of SentencePiece give the tokens that byte-pair encoding by their scores gives."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import transformers as hf

from napari_medvlm.backends.layouts.convert import convert
from napari_medvlm.backends.layouts.sentencepiece_model import merges_of, read_pieces
from napari_medvlm.backends.layouts.tokenizers import local_tokenizer
from napari_medvlm.data.errors import BackendUnavailable
from tests.backends.layouts.published import llava_authors, llava_tokenizer

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
WORDS = [SPACE, "a", "b", "c", "ab", f"{SPACE}ab", "bc", "[", "]"]
PIECES = ["<unk>", "<s>", "</s>", *BYTES, *WORDS]
AB, BC = PIECES.index("ab"), PIECES.index("bc")


def field(number: int, content: bytes) -> bytes:
    """A field of bytes as protocol buffers encode it; lengths below 128."""
    return bytes([number << 3 | 2, len(content)]) + content


def vocabulary(pieces=PIECES) -> bytes:
    """A ``tokenizer.model`` whose scores decrease, as those of LLaMA."""
    messages = [
        field(1, text.encode()) + b"\x15" + struct.pack("<f", -number) + b"\x18\x01"
        for number, text in enumerate(pieces)
    ]
    trainer = field(2, b"\x18\x02")  # the type of the model: byte-pair encoding
    return b"".join(field(1, message) for message in messages) + trainer


def folder_with(path: Path, name: str = "LlamaTokenizer", **stated) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "tokenizer.model").write_bytes(vocabulary())
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": name, "legacy": True, **names, **stated})
    )
    return path


def test_pieces_and_scores_are_those_of_the_file(tmp_path):
    pieces = read_pieces(folder_with(tmp_path) / "tokenizer.model")
    assert [piece.text for piece in pieces] == PIECES
    assert [piece.score for piece in pieces] == [-float(n) for n in range(len(PIECES))]


def test_pairs_are_merged_by_the_scores_of_what_they_make(tmp_path):
    merges = merges_of(read_pieces(folder_with(tmp_path) / "tokenizer.model"))
    assert merges == [("a", "b"), (SPACE, "ab"), ("b", "c")]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("ab", [f"{SPACE}ab"]),
        ("abc", [f"{SPACE}ab", "c"]),  # "ab" has a higher score than "bc"
        ("bc ab", [SPACE, "bc", f"{SPACE}ab"]),
        ("a\nb", [SPACE, "a", "<0x0A>", "b"]),
        ("é", [SPACE, "<0xC3>", "<0xA9>"]),
    ],
)
def test_texts_are_tokens_as_of_llama(tmp_path, text, tokens):
    tokenizer = local_tokenizer(folder_with(tmp_path))
    numbers = [PIECES.index(token) for token in tokens]
    assert tokenizer(text)["input_ids"] == [1, *numbers]
    assert tokenizer.decode(numbers) == text


def test_internlm_puts_no_space_before_a_text_and_names_tokens_by_number(tmp_path):
    added = {
        str(len(PIECES) - 1): {"content": "<|im_end|>"},
        str(len(PIECES)): {"content": "<img>"},
    }
    folder = folder_with(
        tmp_path,
        "InternLM2Tokenizer",
        added_tokens_decoder=added,
        auto_map={"AutoTokenizer": ["x"]},
    )
    tokenizer = local_tokenizer(folder)
    numbers = [AB, len(PIECES) - 1, len(PIECES), BC]
    assert tokenizer("ab<|im_end|><img>bc")["input_ids"] == [1, *numbers]


def test_a_file_that_is_no_vocabulary_is_refused(tmp_path):
    (folder_with(tmp_path) / "tokenizer.model").write_bytes(b"<html>")
    with pytest.raises(BackendUnavailable, match="cannot be read as a vocabulary"):
        local_tokenizer(tmp_path)


def test_a_tokenizer_with_code_of_its_own_is_refused(tmp_path):
    folder_with(tmp_path, "MyTokenizer", auto_map={"AutoTokenizer": ["mine.MyTokenizer", None]})
    with pytest.raises(BackendUnavailable, match="MyTokenizer is not one of transformers"):
        local_tokenizer(tmp_path)


def test_llava_with_a_vocabulary_of_sentencepiece_is_converted(tmp_path):
    source = llava_authors(tmp_path / "llava-med", "mistral")
    count = len(llava_tokenizer())
    (source / "tokenizer.json").unlink()
    folder_with(source)
    pieces = [*PIECES[:3], "<0x0A>", *WORDS, *(f"word{n}" for n in range(count))][:count]
    (source / "tokenizer.model").write_bytes(vocabulary(pieces))
    folder = convert(source).folder
    processor = hf.AutoProcessor.from_pretrained(folder)
    tokens = processor.tokenizer("<s>[ab] <image>\nab", add_special_tokens=False)["input_ids"]
    wanted = ["<s>", SPACE, "[", "ab", "]", SPACE, "<image>", SPACE, "<0x0A>", "ab"]
    assert tokens == [count if text == "<image>" else pieces.index(text) for text in wanted]
