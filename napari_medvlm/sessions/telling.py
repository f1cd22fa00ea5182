"""Telling others of what happened, whatever they do with it."""

from __future__ import annotations

import logging
from typing import Any

from psygnal import EmitLoopError, SignalInstance

logger = logging.getLogger(__name__)


def tell(signal: SignalInstance, *values: Any) -> None:
    """Emit a signal; an error of a listener goes to the log and stops nothing."""
    try:
        signal.emit(*values)
    except (EmitLoopError, RuntimeError):  # a window that is gone raises RuntimeError
        logger.exception("A listener of %s failed", signal.name)
