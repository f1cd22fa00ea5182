"""The request behind an answer or a region, as the reliability checks need it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.worker.messages import AskRequest, GroundRequest
from napari_medvlm.worker.runner import Runner


@dataclass(frozen=True, eq=False)
class CheckContext:
    """The request to check, and where to store the results.

    Parameters
    ----------
    runner
        Carries out the requests of the checks.
    request
        The request that led to the answer or region.
    record
        Called with the result of each check; writes it to the ledger.
    """

    runner: Runner
    request: AskRequest | GroundRequest
    record: Callable[[CheckResult], None]
