"""Tokenizers of checkpoints, loaded without running code that a folder brings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_medvlm.backends.layouts.sentencepiece_model import Piece, merges_of, read_pieces
from napari_medvlm.data.errors import DAMAGED, BackendUnavailable

LLAMA = ("LlamaTokenizer", "LlamaTokenizerFast", "CodeLlamaTokenizer")
INTERNLM = ("InternLM2Tokenizer", "InternLM2TokenizerFast", "InternLMTokenizer")
"""Classes whose vocabulary is a ``tokenizer.model`` with byte-pair encoding."""


def local_tokenizer(folder: Path, **options: Any) -> Any:
    """The tokenizer of a folder.

    Parameters
    ----------
    options
        Of the tokenizer, such as names of special tokens; they go before those of the folder.

    Raises
    ------
    BackendUnavailable
        If there is none, or it needs code of the folder.
    """
    import transformers

    stated = _stated(folder)
    name = str(stated.get("tokenizer_class", ""))
    whole = (folder / "tokenizer.json").is_file()
    if not whole and name in (*LLAMA, *INTERNLM) and (folder / "tokenizer.model").is_file():
        return _from_pieces(folder, stated, options)
    known = getattr(transformers, name, None) or getattr(transformers, f"{name}Fast", None)
    kinds = [known] if known is not None and "auto_map" not in stated else []
    if whole:
        kinds.append(transformers.PreTrainedTokenizerFast)
    problem = f"its class {name or 'is not named and'} is not one of transformers"
    for kind in kinds:
        try:
            return kind.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, **options
            )
        except (OSError, ValueError, TypeError, ImportError, KeyError, AttributeError) as error:
            problem = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:160]}"
    raise BackendUnavailable(
        f"The tokenizer in {folder} cannot be loaded: {problem}.",
        "Download the tokenizer's files again, or put a tokenizer.json of the same vocabulary "
        "into the folder.",
    )


def _from_pieces(folder: Path, stated: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """A tokenizer of LLaMA or InternLM2 from its vocabulary of SentencePiece.

    InternLM2 puts no space before a text. Tokens that its configuration names by a number of the
    vocabulary take the place of the pieces there.
    """
    import transformers

    pieces = read_pieces(folder / "tokenizer.model")
    added = _added(folder, stated)
    pieces = [Piece(added.get(n, p.text), p.score) for n, p in enumerate(pieces)]
    names = {
        key: _text(stated[key])
        for key in ("bos_token", "eos_token", "unk_token", "pad_token")
        if stated.get(key)
    }
    internlm = stated.get("tokenizer_class") in INTERNLM
    tokenizer = transformers.LlamaTokenizer(
        vocab={piece.text: number for number, piece in enumerate(pieces)},
        merges=merges_of(pieces),
        legacy=not internlm and bool(stated.get("legacy", True)),
        add_prefix_space=not internlm,
        add_bos_token=bool(stated.get("add_bos_token", True)),
        **names,
    )
    tokenizer.add_tokens([added[n] for n in sorted(added)], special_tokens=True)
    wrong = [text for n, text in added.items() if tokenizer.convert_tokens_to_ids(text) != n]
    if wrong:
        raise BackendUnavailable(
            f"The tokens {', '.join(wrong[:5])} of {folder} do not follow its vocabulary.",
            "Download the tokenizer's files again.",
        )
    if options:
        tokenizer.add_tokens(list(options["extra_special_tokens"].values()), special_tokens=True)
        for name, text in options["extra_special_tokens"].items():
            setattr(tokenizer, name, text)
    return tokenizer


def _added(folder: Path, stated: Mapping[str, Any]) -> dict[int, str]:
    """Tokens that are added to a vocabulary, by their numbers."""
    decoder = stated.get("added_tokens_decoder")
    try:
        if isinstance(decoder, Mapping):
            return {int(number): _text(token) for number, token in decoder.items()}
        tokens = json.loads((folder / "added_tokens.json").read_text("utf-8"))
        return {int(number): str(text) for text, number in tokens.items()}
    except DAMAGED:
        return {}


def _text(token: Any) -> str:
    """The text of a token, which may be described by a dictionary."""
    return str(token["content"] if isinstance(token, Mapping) else token)


def _stated(folder: Path) -> Mapping[str, Any]:
    try:
        stated = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    except DAMAGED:
        return {}
    return stated if isinstance(stated, Mapping) else {}
