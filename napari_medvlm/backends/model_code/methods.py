"""The methods by which models with their own code are asked: ``chat`` and ``predict_forward``.

``chat`` returns a text. ``predict_forward`` of Sa2VA and UniBiomed returns a text with ``[SEG]``
and a mask for each of them. ``generate`` is asked as for models of transformers.
"""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.model_code.tiles import tiles_of
from napari_medvlm.backends.models.transformers_loader import Loaded
from napari_medvlm.data.errors import BackendFailed, BackendUnavailable

METHODS = ("predict_forward", "chat", "generate")
"""In the order in which they are looked for, where the catalogue names none."""
TICK_S = 0.2
_NO_GPU = re.compile("no NVIDIA driver|not compiled with CUDA|No CUDA GPUs")
"""What torch writes of a computer without an NVIDIA GPU."""
_CONTROL = re.compile(r"<\|[^<>|]*\|>|</?s>")


@dataclass(frozen=True, eq=False)
class CodeReply:
    """What a method of a model returned.

    Parameters
    ----------
    text
        The text, with ``[SEG]`` where a mask belongs.
    masks
        For each ``[SEG]`` in their order, a mask ``(rows, columns)`` of each image.
    """

    text: str
    masks: tuple[tuple[NDArray[np.bool_], ...], ...] = ()


def method_of(loaded: Loaded, named: str) -> str:
    """The method by which a model is asked.

    Parameters
    ----------
    named
        As the catalogue has it; empty: the first of `METHODS` that the model has.

    Raises
    ------
    BackendUnavailable
        If the model does not have it.
    """
    if not loaded.own_code:
        return "generate"
    names = (named,) if named else METHODS
    method = next((n for n in names if callable(getattr(loaded.model, n, None))), "")
    if not method:
        raise BackendUnavailable(
            f"The code of the {loaded.kind} model has no method {' or '.join(names)}.",
            "It cannot be asked here.",
        )
    return method


def call(loaded: Loaded, method: str, text: str, images: Sequence[Any], longest: int) -> CodeReply:
    """Ask a model by one of its methods.

    Parameters
    ----------
    text
        The whole question.
    images
        PIL images in RGB.
    longest
        Number of tokens that the answer may have.

    Raises
    ------
    BackendFailed
        If the method returns neither a text nor a mapping with one.
    BackendUnavailable
        If the code of the model needs an NVIDIA GPU and there is none.
    """
    import torch

    function = getattr(loaded.model, method)
    offered = set(inspect.signature(function).parameters)
    make = _segmenting if method == "predict_forward" else _chatting
    try:
        with torch.inference_mode():
            reply = function(**make(loaded, offered, text, images, longest))
    except (AssertionError, RuntimeError) as error:
        if torch.cuda.is_available() or not _NO_GPU.search(str(error)):
            raise
        raise BackendUnavailable(
            f"The code of the {loaded.kind} model computes on an NVIDIA GPU only, and there is "
            "none here.",
            "Use a computer with an NVIDIA GPU and choose the device cuda.",
        ) from error
    return _read(reply, method)


@contextmanager
def ticking(tick: Callable[[], object]) -> Iterator[None]:
    """Within, ``tick`` is called while layers of a model compute; what it raises stops the model.

    At most once in `TICK_S` seconds.
    """
    from torch.nn.modules.module import register_module_forward_pre_hook

    last_s = 0.0

    def before_layer(*_: Any) -> None:
        nonlocal last_s
        if time.monotonic() - last_s >= TICK_S:
            tick()
            last_s = time.monotonic()

    handle = register_module_forward_pre_hook(before_layer)
    try:
        yield
    finally:
        handle.remove()


def _segmenting(
    loaded: Loaded, offered: set[str], text: str, images: Sequence[Any], longest: int
) -> Mapping[str, Any]:
    """Arguments of Sa2VA's ``predict_forward``; several images are frames of a video."""
    shown: dict[str, Any] = {"image": images[0]} if len(images) == 1 else {"video": list(images)}
    values = {
        **(shown if images else {}),
        "text": f"<image>{text}" if images else text,
        "tokenizer": _tokenizer(loaded),
        "processor": loaded.processor,
    }
    return {name: value for name, value in values.items() if name in offered}


def _chatting(
    loaded: Loaded, offered: set[str], text: str, images: Sequence[Any], longest: int
) -> Mapping[str, Any]:
    """Arguments of ``chat`` as InternVL, as MiniCPM-V, or by the names of its parameters."""
    values: dict[str, Any] = {"tokenizer": _tokenizer(loaded), "processor": loaded.processor}
    if "pixel_values" in offered:
        tiles = [tiles_of(image, loaded.model.config) for image in images]
        values |= _tiled(loaded, text, tiles, longest)
    elif "msgs" in offered:
        values |= {"msgs": [{"role": "user", "content": [*images, text]}], "image": None}
        values |= {"sampling": False, "max_new_tokens": longest}
    else:
        values |= dict.fromkeys(("text", "question", "query", "prompt"), text)
        values |= {"images": list(images), "image": images[0] if images else None}
        values |= {"max_new_tokens": longest}
    return {name: value for name, value in values.items() if name in offered}


def _tiled(loaded: Loaded, text: str, tiles: Sequence[Any], longest: int) -> Mapping[str, Any]:
    import torch

    signs = [
        "<image>\n" if len(tiles) == 1 else f"Image-{number}: <image>\n"
        for number in range(1, len(tiles) + 1)
    ]
    pixels = torch.cat(list(tiles)).to(loaded.device, loaded.model.dtype) if tiles else None
    return {
        "pixel_values": pixels,
        "num_patches_list": [len(tile) for tile in tiles] or None,
        "question": "".join([*signs, text]),
        "generation_config": {"max_new_tokens": longest, "do_sample": False},
    }


def _tokenizer(loaded: Loaded) -> Any:
    return getattr(loaded.processor, "tokenizer", loaded.processor)


def _read(reply: Any, method: str) -> CodeReply:
    masks: Any = ()
    if isinstance(reply, Mapping):
        reply, masks = reply.get("prediction", reply.get("text")), reply.get("prediction_masks", ())
    elif isinstance(reply, tuple) and reply:
        reply = reply[0]
    if not isinstance(reply, str):
        raise BackendFailed(
            f"{method} of the model returned no text, but {type(reply).__name__}.",
            "This model cannot be asked by this method.",
        )
    arrays = [np.asarray(_array(mask), bool) for mask in masks or ()]
    frames = [array if array.ndim > 2 else array[None] for array in arrays]
    return CodeReply(_CONTROL.sub("", reply).strip(), tuple(tuple(f) for f in frames))


def _array(mask: Any) -> Any:
    return mask.detach().cpu().numpy() if hasattr(mask, "detach") else mask
