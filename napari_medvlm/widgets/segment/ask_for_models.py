"""Asking whether the models that a session file names may be used."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

from qtpy.QtWidgets import QWidget

from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import Predicted
from napari_medvlm.settings.chosen_models import is_chosen, remember
from napari_medvlm.widgets.parts import dialogs

SHOWN = 5
"""Models that the question lists."""
LONGEST = 200
"""Characters of a model's name that are shown."""
TITLE = "Use the models of this session?"


def ask_for_models(
    parent: QWidget, ledger: Ledger, journal: Path | None, action: Callable[[], None]
) -> None:
    """Do something with a session, after a question if it names models never chosen before.

    Without consent the session is opened all the same; masks by these models stay empty.

    Parameters
    ----------
    journal
        The user's own journal that the session comes from; its models were chosen.
    """
    recorded = [r for r in ledger.records if isinstance(r, Predicted)]
    models = {(r.backend, r.model): None for r in recorded if not is_chosen(r.backend, r.model)}

    def use() -> None:
        for backend, model in models:
            remember(backend, model)
        action()

    if not models or journal is not None:
        use()
    else:
        dialogs.ask(
            parent,
            TITLE,
            _question(list(models)),
            "Use models",
            use,
            ("Open without models", action),
        )


def _question(models: list[tuple[str, str | None]]) -> str:
    """The question in HTML."""
    names = [f"{backend}: {model or ''}"[:LONGEST] for backend, model in models]
    listed = [escape(name) for name in names[:SHOWN]]
    listed += ["…"] if len(names) > SHOWN else []
    return (
        "The session names models that you have not used before:<br><br>"
        + "<br>".join(listed)
        + "<br><br>A server gets the image. Use them only if you know where the session is from."
    )
