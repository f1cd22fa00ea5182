"""Checks of the reliability of answers and regions.

The names in ``__all__`` are public and are loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_medvlm.checks.check_list import all_checks
    from napari_medvlm.checks.runner import answer_subject, run_checks
    from napari_medvlm.checks.second_model_check import SecondModel

_HOMES = {
    "SecondModel": "second_model_check",
    "all_checks": "check_list",
    "answer_subject": "runner",
    "run_checks": "runner",
}

__all__ = [
    "SecondModel",
    "all_checks",
    "answer_subject",
    "run_checks",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
