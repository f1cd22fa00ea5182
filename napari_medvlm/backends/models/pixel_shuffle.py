"""Version 1 of the pixel shuffle of InternVL, which transformers does not compute.

InternVL joins each square of four patches to a token. Version 1, of InternVL 1.2 and MedRegA,
leaves rows and columns of the tokens exchanged; version 2 exchanges them back
(https://github.com/OpenGVLab/InternVL, ``modeling_internvl_chat.py``, ``pixel_shuffle``).
"""

from __future__ import annotations

from typing import Any

SHUFFLE_VERSION = "ps_version"
"""The entry of a configuration, of authors and of converted models, with ``"v1"`` or ``"v2"``."""


def use_shuffle_version(model: Any) -> None:
    """Make a model of transformers compute the version of the shuffle that its configuration names.

    Without the entry, the model stays as it is.

    Parameters
    ----------
    model
        An `InternVLForConditionalGeneration`; other models have no such entry.
    """
    if getattr(model.config, SHUFFLE_VERSION, "v2") != "v1":
        return
    version_2 = model.model.pixel_shuffle

    def version_1(vision_features: Any, scale_factor: float = 0.5) -> Any:
        """Tokens ``(B, columns, rows, C)`` of patches ``(B, rows, columns, c)``."""
        return version_2(vision_features, scale_factor).permute(0, 2, 1, 3)

    model.model.pixel_shuffle = version_1
