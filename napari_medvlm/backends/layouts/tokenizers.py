"""Tokenizers of checkpoints, loaded without running code that a folder brings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import BackendUnavailable


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

    try:
        stated = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    except (OSError, ValueError):
        stated = {}
    name = str(stated.get("tokenizer_class", ""))
    known = getattr(transformers, name, None) or getattr(transformers, f"{name}Fast", None)
    kinds = [known] if known is not None and "auto_map" not in stated else []
    if (folder / "tokenizer.json").is_file():
        kinds.append(transformers.PreTrainedTokenizerFast)
    problem = f"its class {name or 'is not named and'} is not one of transformers"
    for kind in kinds:
        try:
            return kind.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, **options
            )
        except (OSError, ValueError, TypeError, ImportError, KeyError, AttributeError) as error:
            problem = f"{type(error).__name__}: {str(error).splitlines()[0][:160]}"
    raise BackendUnavailable(
        f"The tokenizer in {folder} cannot be loaded: {problem}.",
        "Download the tokenizer's files again, or put a tokenizer.json of the same vocabulary "
        "into the folder.",
    )
