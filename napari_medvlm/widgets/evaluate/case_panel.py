"""The simulated user at the open image: the curve grows, and every step can be looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.errors import InvalidImage, InvalidReference
from napari_medvlm.data.mask import BoolArray, Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.runs.report import require_libraries
from napari_medvlm.evaluation.segment.cases import Structure
from napari_medvlm.evaluation.segment.outcomes import Attempt, Step
from napari_medvlm.evaluation.segment.plan import Plan, require_able
from napari_medvlm.evaluation.segment.single_case import write_single
from napari_medvlm.evaluation.segment.trial import OnStep, Trial
from napari_medvlm.layers import is_image, mask_of_label, volume_of
from napari_medvlm.layers.convert import KEY
from napari_medvlm.layers.simulated_layers import SimulatedLayers, SimulatedStep
from napari_medvlm.widgets.evaluate.curve import load_library
from napari_medvlm.widgets.evaluate.label_combo import LabelChoice, read_reference
from napari_medvlm.widgets.evaluate.steps import StepsView
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.job_bar import JobBar, TimeLeft
from napari_medvlm.widgets.parts.layer_combo import LayerChoice
from napari_medvlm.widgets.runtime.notify import guarded, show_message, warn
from napari_medvlm.widgets.runtime.threads import MainThreadQueue
from napari_medvlm.worker.environment_runner import RoutedRunner

if TYPE_CHECKING:
    from napari import Viewer

FILES = "Label images (*.nii *.nii.gz *.mgz *.nrrd *.nhdr *.mha *.mhd *.dcm *.png *.tif *.tiff)"


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured, for the files of it."""

    plan: Plan
    volume: Volume
    structure: Structure
    truth: BoolArray
    attempt: Attempt


class CasePanel(QWidget):
    """Image, truth, Run, curve, slider, figures and Export.

    Parameters
    ----------
    plan
        Gives what the user is to do.
    runner
        Who does the work.

    Attributes
    ----------
    steps
        The scores after each interaction, as far as the user has come.
    measured
        What came of it when it was done; `None` before.
    """

    def __init__(self, viewer: Viewer, plan: Callable[[], Plan], runner: RoutedRunner) -> None:
        super().__init__()
        self._viewer = viewer
        self._plan = plan
        self._runner = runner
        self._trial: Trial | None = None
        self._running: Plan | None = None
        self._layers: SimulatedLayers | None = None
        self._simulated_steps: list[SimulatedStep] = []
        self.steps: list[Step] = []
        self.measured: Measured | None = None
        self.image = LayerChoice(viewer, is_image)
        self.truth = LabelChoice(
            viewer, "Reference mask: a labels layer on the image, and a label."
        )
        self.file_button = button("File…", "Open a reference label image from disk.")
        self.run_button = button("Run", "Run the simulated user on this structure.")
        self.export_button = button(
            "Export…", "Save report, table, summary and session, as the command line does."
        )
        self.job = JobBar("Stop the simulated user; finished interactions remain.")
        self.view = StepsView()
        self._stepped = MainThreadQueue(self._on_steps, self)
        self._lay_out()
        self._connect()
        self._show_state()

    def run(self) -> None:
        """Let the simulated user begin."""
        image = self.image.layer
        if image is None:
            raise InvalidImage("No image is open.", "Open an image and choose it in the dock.")
        layer, value = self.truth.chosen()
        plan, name = self._plan(), self.truth.name
        require_able(plan)
        require_libraries("surface_distance")
        self.clear()
        self._running = plan
        trial = self._trial = Trial(plan, self._runner)

        def work(progress: Progress) -> Measured:
            load_library()
            volume = volume_of(image)
            truth = mask_of_label(layer, value, volume).full()
            if not truth.any():
                raise InvalidReference(
                    f"Layer {layer.name} has no voxels of {name}.", "Choose another label."
                )
            progress(0.0, "Loading the backend")
            structure = Structure(name=name, values=(value,))
            report_step = self._step_reporter(trial, volume, name, plan.interactions, progress)
            attempt = trial.run(volume.name, volume, structure, truth, report_step)
            return Measured(plan, volume, structure, truth, attempt)

        self.job.start(work, self._on_measured, "Reading the image")

    def cancel(self) -> None:
        """Stop the simulated user; what it found stays to be looked at."""
        if self.job.busy:
            self.job.cancel()
        if self._trial is not None:
            self._trial.cancel()

    def clear(self) -> None:
        """Forget what was found and take its layers away."""
        self.cancel()
        self._trial = None
        if self._layers is not None:
            self._layers.close()
        self._layers = self.measured = None
        self._simulated_steps, self.steps = [], []
        self.view.clear()
        self._show_state()

    def show_step(self, number: int) -> None:
        """Show the mask and the prompts after an interaction, from 1, and go there."""
        self._draw(number)
        if self._layers is not None:
            self._layers.look_at(self._simulated_steps[number - 1])

    def export(self, out: Path) -> None:
        """Write what was measured into a folder, in the background."""
        measured_run = self.measured
        if measured_run is None:
            raise InvalidReference("There are no results yet.", "Press Run first.")

        def work(_: Progress) -> Path:
            write_single(
                out,
                measured_run.plan,
                measured_run.volume,
                measured_run.structure,
                measured_run.truth,
                measured_run.attempt,
            )
            return out / "report.html"

        self.job.start(work, lambda path: show_message(f"Saved: {path}"), "Writing files")

    # Signals of the simulated user.

    def _step_reporter(
        self, trial: Trial, volume: Volume, name: str, planned: int, progress: Progress
    ) -> OnStep:
        """What is called after each interaction, away from the window's thread."""
        left, counter = TimeLeft(), count(1)

        def report_step(step: Step, mask: Mask) -> None:
            number = next(counter)
            words = f"{number} of {planned} interactions", left.words(number / planned)
            progress(number / planned, ", ".join(filter(None, words)))
            self._stepped(trial, volume, name, step, mask)

        return report_step

    def _on_steps(self, updates: list[Any]) -> None:
        """Show the newest step, unless the person looks at an earlier one."""
        follows = not self.steps or self.view.at == len(self.steps)
        for trial, volume, name, step, mask in updates:
            if trial is not self._trial:
                continue
            if self._layers is None:
                self._layers = SimulatedLayers(self._viewer, volume, name)
            self.steps.append(step)
            self._simulated_steps.append(SimulatedStep(step.zyx, step.positive, mask))
        if self.steps:
            self._draw(len(self.steps) if follows else self.view.at)

    def _on_measured(self, measured_run: Measured) -> None:
        self.measured = measured_run
        self._draw(self.view.at)
        self._show_state()

    def _draw(self, number: int) -> None:
        """Bring figures and layers to an interaction."""
        assert self._running is not None
        attempt = None if self.measured is None else self.measured.attempt
        self.view.show_steps(self.steps, self._running, number, attempt)
        if self._layers is not None:
            self._layers.show(self._simulated_steps[:number])

    # Wiring.

    def _lay_out(self) -> None:
        reference = QWidget()
        row = QHBoxLayout(reference)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.truth, 1)
        row.addWidget(self.file_button)
        form = QFormLayout()
        form.addRow("Image", self.image)
        form.addRow("Reference", reference)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button)
        buttons.addWidget(self.export_button)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addLayout(buttons)
        layout.addWidget(self.job)
        layout.addWidget(self.view)
        layout.addStretch()

    def _connect(self) -> None:
        on_click(self.run_button, self.run)
        on_click(self.export_button, self._ask_where)
        on_click(self.file_button, self._ask_file)
        on_click(self.job.cancel_button, self.cancel)
        self.job.busy_changed.connect(self._show_state)
        self.view.chosen.connect(guarded(self.show_step))

    def _show_state(self) -> None:
        self.run_button.setEnabled(not self.job.busy)
        self.export_button.setEnabled(self.measured is not None and not self.job.busy)

    def _ask_where(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Folder for the evaluation files")
        if path:
            self.export(Path(path))

    def _ask_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open reference labels", "", FILES)
        if path:
            self.open_truth(Path(path))

    def open_truth(self, path: Path) -> None:
        """Open a label image as a layer, in the background, and choose it."""

        def work(_: Progress) -> Any:
            return read_reference(path)

        def show_labels(data: Any) -> None:
            from napari.layers import Layer

            layer = Layer.create(*data)
            layer.contour = 1  # the mask that is measured against it stays to be seen
            self._viewer.add_layer(layer)  # napari may return a proxy of the layer
            self.truth.choose(layer)
            if notes := layer.metadata[KEY]["notes"]:
                warn("\n".join(notes))

        self.job.start(work, show_labels, "Reading the labels")
