"""2D networks on volumes: slice by slice, in windows or resized as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from napari_medvlm.backends.automatic.network_card import NetworkCard

Predictor = Callable[[Any], Any]
"""From windows ``(n, channel, x, y, z)`` to answers ``(n, label, x, y, z)``, both tensors."""


def window_of(card: NetworkCard, shape: Sequence[int]) -> tuple[int, ...]:
    """The size of the windows ``(x, y, z)`` of an image of a shape ``(x, y, z)``.

    Those of 2D networks are a slice thick, and hold all of it if it is resized.
    """
    if not card.is_flat:
        return card.patch
    x, y = shape[:2] if card.resize else card.patch
    return int(x), int(y), 1


def sliced(predict: Predictor, size: Sequence[int] | None) -> Predictor:
    """A 2D network, from ``(n, channel, y, x)`` to ``(n, label, y, x)``, for windows of a slice.

    Parameters
    ----------
    predict
        The network.
    size
        To what slices are resized for it, x and y, linearly and without antialiasing; the answer is
        resized back. `None`: not resized.
    """
    from torch.nn.functional import interpolate

    def predict_slice(window: Any) -> Any:
        rows = window[..., 0].transpose(2, 3)
        shape = rows.shape[2:]
        if size is not None:
            x, y = size
            rows = interpolate(rows, (y, x), mode="bilinear", align_corners=False)
        answer = predict(rows.contiguous())
        if size is not None:
            answer = interpolate(answer, shape, mode="bilinear", align_corners=False)
        return answer.transpose(2, 3)[..., None]

    return predict_slice
