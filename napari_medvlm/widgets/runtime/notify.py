"""The one place where errors are shown to a person."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from napari_medvlm.data.errors import Cancelled, MedVLMError
from napari_medvlm.settings.log_file import log_path
from napari_medvlm.settings.privacy import for_log
from napari_medvlm.widgets.parts.plain_text import plain

logger = logging.getLogger(__name__)
P = ParamSpec("P")


def show(error: Exception) -> None:
    """Show an error in one sentence with its remedy; the traceback goes to the log."""
    from napari.utils.notifications import show_error, show_warning

    if isinstance(error, Cancelled):
        return
    if isinstance(error, MedVLMError):
        logger.info("Shown to the user: %s", for_log(error))
        show_warning(plain(str(error)))
        return
    logger.error("Unexpected error: %s", for_log(error))
    message = (
        f"{type(error).__name__}: {error} No work is lost; please report this with the log: "
        f"{log_path()}"
    )
    show_error(plain(message))


def show_all(errors: list[Any]) -> None:
    """Show several errors."""
    for error in errors:
        show(error)


def show_message(message: str) -> None:
    """Show a message that is not an error."""
    from napari.utils.notifications import show_info

    show_info(plain(message))


def warn(message: str) -> None:
    """Show a warning."""
    from napari.utils.notifications import show_warning

    show_warning(plain(message))


def guarded(slot: Callable[P, object]) -> Callable[P, None]:
    """A slot whose errors are shown instead of raised: the border of the widgets."""

    @wraps(slot)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            slot(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  # the widgets' border
            show(error)

    return run
