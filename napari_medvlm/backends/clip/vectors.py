"""Unit vectors of what models encode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


def unit_vectors(encode: Callable[[], Any]) -> Vectors:
    """What a function encodes, ``(..., D)``, with length 1, computed without gradients."""
    import torch

    with torch.inference_mode():
        vectors = torch.nn.functional.normalize(encode().float(), dim=-1)
    result: Vectors = vectors.cpu().numpy()
    return result


def text_vectors(texts: Sequence[str], encode: Callable[[str], Any]) -> Vectors:
    """Unit vectors ``(N, D)`` of texts, encoded singly: none depends on what else is asked."""
    return np.concatenate([unit_vectors(partial(encode, text)) for text in texts])
