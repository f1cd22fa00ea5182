"""Names of devices, which every backend takes."""

from __future__ import annotations

import re

from napari_medvlm.data.errors import BackendUnavailable

DEVICE = re.compile(r"cpu|mps|cuda(:\d{1,3})?|xpu(:\d{1,3})?")
"""Names of devices, as of torch."""


def require_device(device: str) -> None:
    """Raise `BackendUnavailable` unless a text is the name of a device.

    Whether the computer has that device is checked by the backend.
    """
    if DEVICE.fullmatch(device):
        return
    graphics = "gpu" in device.casefold()
    raise BackendUnavailable(
        f"{device!r} is not the name of a device.",
        "Graphics cards are named cuda or cuda:1 (NVIDIA) and mps (Apple)."
        if graphics
        else "Choose cpu, cuda, cuda:1 or mps.",
    )
