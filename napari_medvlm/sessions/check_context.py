"""What checks of an answer or a region rest on, and where they leave what they come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.worker.messages import AskRequest, GroundRequest
from napari_medvlm.worker.runner import Runner


@dataclass(frozen=True, eq=False)
class CheckContext:
    """What is checked, as it was asked.

    Parameters
    ----------
    runner
        Who carries requests.
    request
        What led to it.
    keep
        Called with what a check came to; writes it into the ledger.
    """

    runner: Runner
    request: AskRequest | GroundRequest
    keep: Callable[[CheckResult], None]
