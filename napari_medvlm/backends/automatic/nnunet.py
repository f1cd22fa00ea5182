"""nnU-Net v2: trained folders of ``plans.json``, ``dataset.json`` and folds, as their library runs
them.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.automatic.base import (
    LabelledBackend,
    masks_of_values,
    require_shape,
)
from napari_medvlm.backends.automatic.monai_io import state_of, teller
from napari_medvlm.backends.automatic.nnunet_folder import NNUNetFolder, nnunet_folder
from napari_medvlm.backends.base import BackendInfo, Progress, Task
from napari_medvlm.backends.memory.fallback import Fallback, MemoryFallbacks
from napari_medvlm.backends.models.network_plans import require_known_classes
from napari_medvlm.backends.models.transformers_loader import torch_device
from napari_medvlm.data.errors import BackendUnavailable, InvalidImage
from napari_medvlm.data.geometry.frames import Reorientation
from napari_medvlm.data.mask import Mask

Spacing = tuple[float, float, float]
STEP = 0.5
"""The distance of neighbouring windows as a share of their size: nnU-Net's own."""
_DAMAGED = (KeyError, ValueError, RuntimeError, TypeError, AssertionError, ImportError)
"""What a folder that does not fit the installed nnU-Net raises."""


class NNUNetBackend(LabelledBackend):
    """The labels of a trained folder of nnU-Net v2, by the predictor of nnunetv2.

    Model: the folder, see `nnunet_folder` for its options. Preprocessing, windows, mirroring, the
    mean of folds and the way back to the image's voxels are the library's. Images are given in the
    order of their array, or turned to RAS if the reader of the training does so.

    Method: Isensee et al., nnU-Net: a self-configuring method for deep learning-based biomedical
    image segmentation. Nature Methods 18, 203-211 (2021).
    """

    info = BackendInfo(
        name="nnunet",
        title="nnU-Net",
        code_licence="Apache-2.0",
        tasks=frozenset({Task.GROUND}),
        weights_licence="see the model's page",
        modules=("torch", "nnunetv2"),
        memory_mib=6000,
    )

    @classmethod
    def vocabulary(cls, model: str | None) -> tuple[str, ...]:
        """The names of the labels and regions, from ``dataset.json``."""
        return tuple(nnunet_folder(model).labels)

    @classmethod
    def channels(cls, model: str | None) -> tuple[str, ...]:
        """The names of the channels, from ``dataset.json``."""
        return nnunet_folder(model).channels

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the loaded model's labels and regions."""
        return tuple(self._folder.labels)

    def load(self, model: str | None, device: str) -> None:
        """Read the plans and the weights, as numbers only, and make the network.

        Raises
        ------
        BackendUnavailable
            If the folder is incomplete or damaged, a file holds more than weights, or the plans
            name code that is not trusted.
        """
        folder = nnunet_folder(model)
        require_known_classes(folder.path)
        self._folder, self.channel_names = folder, folder.channels
        usual = torch_device(device)
        with _quiet():
            try:
                self._predictor = _predictor(folder, usual)
            except _DAMAGED as error:
                first = (str(error).strip().splitlines() or [""])[0][:200]
                raise BackendUnavailable(
                    f"nnU-Net cannot read the model in {folder.path}: {first}",
                    "Download it again, or install the nnunetv2 that it was trained with.",
                ) from error
        self._ladder = self._new_ladder(usual)
        self._cached.clear()

    def masks(self, names: Sequence[str], progress: Progress) -> Mapping[str, Mask]:
        """The masks of all labels: the network gives them together."""
        image, spacing = self._input()
        turn = Reorientation.to_ras(self._volume.affine) if self._folder.turns_to_ras else None
        if turn is not None:
            image = np.stack([turn.there(channel) for channel in image])
            z, y, x = turn.axes
            spacing = spacing[z], spacing[y], spacing[x]
        with _quiet():
            values = self._values(np.ascontiguousarray(image), spacing, progress)
        values = values if turn is None else turn.back(values)
        require_shape(values.shape, self._volume, f"The model in {self._folder.path}")
        return _named(values, self._folder.labels)

    def _values(
        self, image: NDArray[np.float32], spacing: Spacing, progress: Progress
    ) -> NDArray[Any]:
        """The label image ``(z, y, x)`` of an image ``(channel, z, y, x)``."""
        from nnunetv2.inference.data_iterators import PreprocessAdapterFromNpy
        from nnunetv2.inference.export_prediction import (
            convert_predicted_logits_to_segmentation_with_correct_shape as to_labels,
        )

        predictor = self._predictor
        plans, configuration = predictor.plans_manager, predictor.configuration_manager
        progress(0.0, "preparing the image")
        settings = plans, predictor.dataset_json, configuration
        item = next(
            PreprocessAdapterFromNpy([image], [None], [{"spacing": spacing}], [None], *settings)
        )
        with _stoppable(predictor, teller(self._passes(item["data"].shape[1:]), progress)):
            logits = predictor.predict_logits_from_preprocessed_data(item["data"]).cpu()
        progress(0.9, "resampling the labels")
        values: NDArray[Any] = to_labels(
            logits, plans, configuration, predictor.label_manager, item["data_properties"]
        )
        return values

    def _input(self) -> tuple[NDArray[np.float32], Spacing]:
        """The image ``(channel, z, y, x)`` as the reader of the training gives it, and its spacing.

        Raises
        ------
        InvalidImage
            If a model of colour pictures is given something else.
        """
        spacing = (999.0, 1.0, 1.0) if self._folder.takes_pictures else self._volume.spacing
        if self._folder.takes_pictures and len(self._folder.inputs) == 3:
            if not self._volume.is_color:
                raise InvalidImage(
                    "The model segments colour pictures, and the image has no colours.",
                    "Choose a colour picture, such as a photograph.",
                )
            return np.moveaxis(self._volume.data, -1, 0).astype(np.float32), spacing
        images = [np.asarray(image.intensity(), np.float32) for image in self._images]
        return np.stack(images), spacing

    def _passes(self, shape: Sequence[int]) -> int:
        """How often the network runs for a preprocessed image ``(z, y, x)``."""
        from nnunetv2.inference.sliding_window_prediction import compute_steps_for_sliding_window

        patch = self._predictor.configuration_manager.patch_size
        padded = [max(a, b) for a, b in zip(shape[-len(patch) :], patch, strict=True)]
        steps = compute_steps_for_sliding_window(padded, patch, STEP)
        windows = int(np.prod([len(along) for along in steps])) * int(
            np.prod(shape[: -len(patch)], dtype=int)
        )
        axes = self._predictor.allowed_mirroring_axes if self._folder.mirrors else None
        return windows * (1 << len(axes or ())) * len(self._folder.folds)

    def _new_ladder(self, usual: Any) -> MemoryFallbacks:
        """The fallbacks for too little memory, mildest first."""

        def work(device: Any, sums_there: bool) -> None:
            self._predictor.device = device
            self._predictor.perform_everything_on_device = sums_there

        rungs = []
        if usual.type != "cpu":
            together = "merging windows on the CPU"
            rungs.append(Fallback(together, lambda: work(usual, sums_there=False)))
            cpu = torch_device("cpu")
            rungs.append(Fallback("on the CPU", lambda: work(cpu, sums_there=False)))
        return MemoryFallbacks(
            self.info.title,
            str(usual),
            rungs,
            usual=lambda: work(usual, sums_there=usual.type == "cuda"),
        )


def _predictor(folder: NNUNetFolder, device: Any) -> Any:
    """The library's predictor with the network and the weights of the folds.

    A trainer that the library does not have, such as one that only trains longer, is replaced by
    its usual one; weights of another network are then refused.
    """
    import nnunetv2
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.utilities.find_class_by_name import recursive_find_python_class
    from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    states = [state_of(folder.checkpoint(fold), "nnU-Net") for fold in folder.folds]
    plans, dataset = PlansManager(dict(folder.plans)), dict(folder.dataset)
    configuration = plans.get_configuration(str(states[0]["init_args"]["configuration"]))
    if configuration.previous_stage_name is not None:
        raise BackendUnavailable(
            f"The model in {folder.path} is the second stage of a cascade.",
            "Choose the folder of a 2d, 3d_fullres or 3d_lowres configuration.",
        )
    trainer, module = str(states[0]["trainer_name"]), "nnunetv2.training.nnUNetTrainer"
    root = f"{nnunetv2.__path__[0]}/training/nnUNetTrainer"
    known = recursive_find_python_class(root, trainer, module)
    is_trainer = isinstance(known, type) and issubclass(known, nnUNetTrainer)
    network = (known if is_trainer else nnUNetTrainer).build_network_architecture(
        plans,
        configuration,
        determine_num_input_channels(plans, configuration, dataset),
        plans.get_label_manager(dataset).num_segmentation_heads,
        enable_deep_supervision=False,
    )
    weights = [state["network_weights"] for state in states]
    network.load_state_dict(weights[0])
    predictor = nnUNetPredictor(
        tile_step_size=STEP,
        use_mirroring=folder.mirrors,
        perform_everything_on_device=device.type == "cuda",
        device=device,
        allow_tqdm=False,
    )
    mirrored = states[0].get("inference_allowed_mirroring_axes")
    predictor.manual_initialization(
        network, plans, configuration, weights, dataset, trainer, mirrored
    )
    return predictor


@contextlib.contextmanager
def _stoppable(predictor: Any, report: Any) -> Iterator[None]:
    """Report before each run of the network, and let its errors end the prediction.

    The predictor fills a queue on a thread that would wait for ever if the network raised an error:
    after one, the rest of the windows is passed through as zeros, and the error is raised at the
    end.
    """
    network, heads = predictor.network, predictor.label_manager.num_segmentation_heads
    forward = network.forward
    errors: list[Exception] = []

    def stoppable(image: Any) -> Any:
        try:
            if not errors:
                report()
                return forward(image)
        except Exception as error:  # noqa: BLE001  # any error is raised again at the end
            errors.append(error)
        return image.new_zeros((len(image), heads, *image.shape[2:]))

    network.forward = stoppable
    try:
        yield
    finally:
        network.forward = forward
        if errors:
            raise errors[0]


def _named(values: NDArray[Any], labels: Mapping[str, tuple[int, ...]]) -> dict[str, Mask]:
    """The masks of a label image ``(z, y, x)``: of a value, or of the values of a region."""
    single = {numbers[0]: name for name, numbers in labels.items() if len(numbers) == 1}
    masks = masks_of_values(values, single)
    for name, numbers in labels.items():
        if len(numbers) > 1:
            masks[name] = Mask.of(np.isin(values, numbers))
    return masks


def _quiet() -> contextlib.redirect_stdout[Any]:
    """Redirect the library's prints to standard error, since standard output may carry data."""
    return contextlib.redirect_stdout(sys.stderr)
