"""The Evaluate dock: how well a backend does on labelled images, and how two masks differ."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QTabWidget, QVBoxLayout

from napari_medvlm.widgets.commands import bind_keys
from napari_medvlm.widgets.evaluate.case_panel import CasePanel
from napari_medvlm.widgets.evaluate.compare_panel import ComparePanel
from napari_medvlm.widgets.evaluate.folder_panel import FolderPanel
from napari_medvlm.widgets.evaluate.plan_form import PlanForm
from napari_medvlm.widgets.runtime.dock import Dock
from napari_medvlm.widgets.runtime.resources import close_all
from napari_medvlm.worker.environment_runner import RoutedRunner

if TYPE_CHECKING:
    from napari import Viewer

COMMANDS = "napari_medvlm.widgets.evaluate.commands"


class EvaluateDock(Dock):
    """What the simulated user does, and where: at this image, or at a folder of cases; Compare."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self._runner = RoutedRunner()
        self.form = PlanForm()
        self.case = CasePanel(napari_viewer, lambda: self.form.plan, self._runner)
        self.folder = FolderPanel(napari_viewer, lambda: self.form.plan)
        self.compare = ComparePanel(napari_viewer)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.case, "This image")
        self.tabs.addTab(self.folder, "Folder")
        self.tabs.addTab(self.compare, "Compare")
        self.tabs.setTabToolTip(0, "Segment one structure of the open image with a simulated user.")
        self.tabs.setTabToolTip(1, "Segment all cases of a data set with a simulated user.")
        self.tabs.setTabToolTip(2, "Measure the agreement of any two masks in the viewer.")
        layout = QVBoxLayout(self.body)
        layout.addWidget(self.form)
        layout.addWidget(self.tabs, 1)
        self.tabs.currentChanged.connect(lambda _: self._show_form())
        bind_keys(napari_viewer, napari_viewer, COMMANDS)
        self.destroyed.connect(partial(close_all, [], self._runner))

    def show_compare(self) -> None:
        """Bring the comparison of two masks to the front."""
        self.tabs.setCurrentWidget(self.compare)

    def close_dock(self) -> None:
        """Stop what is running, take all layers away and end the worker."""
        self.form.model.download_bar.cancel()
        self.case.clear()
        self.folder.cancel()
        self.compare.close_layer()
        self._runner.stop()

    def _show_form(self) -> None:
        """A comparison needs no backend."""
        self.form.setVisible(self.tabs.currentWidget() is not self.compare)
