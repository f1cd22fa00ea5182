"""The tokens of single patches in a vision tower.

How a patch gets a place in that space, which the models were trained for whole images only: the
last attention that mixes patches is given each patch alone. It then has nothing else to attend to,
so what it gives is its value path; all that follows is done as for the whole image. This is
MaskCLIP (Zhou et al. 2022, https://arxiv.org/abs/2112.01071). That attention is the last block of
CLIP's vision tower and of others that read out a class token or a mean, and SigLIP's pooling head.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def deferred_run(module: Any, pixels: Any) -> Callable[[], Any]:
    """A call of a module with an image batch ``(B, C, H, W)``, to be made later."""
    return lambda: module(pixels)


def captured_inputs(module: Any, run: Callable[[], Any]) -> Any:
    """The tokens ``(B, N, C)`` that a part of a model is given while the model runs."""
    inputs: list[Any] = []
    hook = module.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    try:
        run()
    finally:
        hook.remove()
    return inputs[0]


def singles(tokens: Any) -> Any:
    """Tokens ``(B, N, C)`` as sequences of one, ``(B * N, 1, C)``."""
    return tokens.reshape(-1, 1, tokens.shape[-1])
