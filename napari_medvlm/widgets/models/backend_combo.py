"""Choosing who does the work."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.worker.environments import obstacle

DEFAULT = "embedded"


class BackendChoice(QComboBox):
    """The backends that can do a task; one that cannot be used is greyed, with the reason.

    Parameters
    ----------
    task
        What they are wanted for.

    Attributes
    ----------
    chosen
        Name of the backend.
    """

    chosen = Signal(str)

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.setToolTip("Backend: the method or model that computes the result.")
        for name in registry.names():
            if task in registry.info(name).tasks:
                self._offer(name)
        for name, reason in registry.problems().items():
            self._offer_greyed(name, reason)
        self.setCurrentIndex(max(self.findData(DEFAULT), 0))
        self.activated.connect(lambda _: self.chosen.emit(self.name))

    @property
    def name(self) -> str:
        """Name of the backend chosen."""
        return str(self.currentData())

    def offers(self, name: str) -> bool:
        """Whether a backend is there and can be used."""
        index = self.findData(name)
        return index >= 0 and bool(self.model().item(index).isEnabled())

    def choose(self, name: str) -> None:
        """Choose a backend without emitting a signal.

        Raises
        ------
        BackendUnavailable
            If it is not offered, or cannot be used.
        """
        index = self.findData(name)
        if not self.offers(name):
            reason = self.itemData(index, Qt.ItemDataRole.ToolTipRole) if index >= 0 else ""
            raise BackendUnavailable(
                f"{name} is not available. {reason or ''}".strip(),
                "Install its requirements in the Models dock, then reopen this dock.",
            )
        self.setCurrentIndex(index)

    def _offer(self, name: str) -> None:
        info = registry.info(name)
        reason = obstacle(name)
        if reason is not None:
            self._offer_greyed(name, reason)
            return
        self.addItem(info.title, name)
        licence = f"Code: {info.code_licence}. Weights: {info.weights_licence}."
        self.setItemData(self.count() - 1, licence, Qt.ItemDataRole.ToolTipRole)

    def _offer_greyed(self, name: str, reason: str) -> None:
        self.addItem(name, name)
        self.setItemData(self.count() - 1, reason, Qt.ItemDataRole.ToolTipRole)
        self.model().item(self.count() - 1).setEnabled(False)
