"""VoxTell: free text to masks in a whole volume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.automatic.base import reaches
from napari_medvlm.backends.base import Backend, BackendInfo, Progress, Task
from napari_medvlm.backends.memory.fallback import Fallback, MemoryFallbacks
from napari_medvlm.backends.models import transformers_loader
from napari_medvlm.backends.models.network_plans import require_known_classes
from napari_medvlm.backends.models.trust import only_weights
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.geometry.frames import Reorientation
from napari_medvlm.data.grounding import Grounding, GroundQuery, NotFound
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume, require_contrast

TEXT_MODEL = "Qwen/Qwen3-Embedding-4B"
"""What reads phrases for which no vector is kept."""
VECTORS = "text_embeddings.npz"
FILES = ("plans.json", "fold_0/checkpoint_final.pth")


class VoxTellBackend(Backend):
    """A mask for each phrase, by the authors' own predictor.

    Model: the folder of one, ``voxtell_v1.1``. Phrases are read from ``text_embeddings.npz`` next
    to it (in it, or where the authors keep it: ``../embeddings/voxtell_v1.1``), others by the text
    model in its folder ``text_model``, or by the downloaded Qwen3-Embedding-4B.

    Phrases that are asked together are seen together, and change each other's masks a little. The
    volume is turned to its nearest RAS order and not resampled, as the model was trained.
    """

    info = BackendInfo(
        name="voxtell",
        title="VoxTell",
        code_licence="Apache-2.0",
        tasks=frozenset({Task.GROUND}),
        weights_licence="CC-BY-NC-SA-4.0",
        modules=("torch", "voxtell"),
        memory_mib=12000,
    )

    @classmethod
    def vocabulary(cls, model: str | None) -> tuple[str, ...]:
        """The phrases with precomputed vectors; others need the text model."""
        vectors = _vectors(_folder(model))
        if vectors is None:
            return ()
        with np.load(vectors, allow_pickle=False) as archive:
            return tuple(map(str, archive["labels"]))

    def load(self, model: str | None, device: str) -> None:
        """Read the model; nothing is downloaded.

        Raises
        ------
        BackendUnavailable
            If it is not there, is damaged, its file holds more than weights, or its plans name
            code that is not trusted.
        """
        folder = _folder(model)
        torch_device = transformers_loader.torch_device(device)
        require_known_classes(folder)
        from voxtell.inference.predictor import VoxTellPredictor

        vectors, self._reader = _vectors(folder), _text_model(folder)
        with only_weights(folder / FILES[1]):
            try:
                self._predictor = VoxTellPredictor(
                    str(folder),
                    torch_device,
                    text_encoding_model=str(self._reader or TEXT_MODEL),
                    embedding_bank={} if vectors is None else str(vectors),
                )
            except (KeyError, ValueError, RuntimeError, EOFError) as error:
                raise BackendUnavailable(
                    f"VoxTell cannot read the model in {folder}: {type(error).__name__}.",
                    "Download it again, or update voxtell for newer models.",
                ) from error

        self._ladder = self._new_ladder(torch_device)

    def set_volume(self, volume: Volume) -> None:
        """Take the volume."""
        self._ladder.renew()
        self._volume = volume

    def ground(self, query: GroundQuery, progress: Progress) -> Grounding:
        """A region for each phrase of which the model marks a voxel."""
        grounding, notes = self._ladder.tried(lambda: self._grounded(query, progress), progress)
        return replace(grounding, notes=(*grounding.notes, *notes))

    def _new_ladder(self, usual: Any) -> MemoryFallbacks:
        """The fallbacks for too little memory, mildest first."""

        def work(device: Any, sums_there: bool) -> None:
            self._predictor.device = device
            self._predictor.perform_everything_on_device = sums_there

        rungs = []
        if usual.type != "cpu":
            cpu = transformers_loader.torch_device("cpu")
            together = "merging windows on the CPU"
            rungs.append(Fallback(together, lambda: work(usual, sums_there=False)))
            rungs.append(Fallback("on the CPU", lambda: work(cpu, sums_there=False)))
        return MemoryFallbacks(
            self.info.title, str(usual), rungs, usual=lambda: work(usual, sums_there=True)
        )

    def _grounded(self, query: GroundQuery, progress: Progress) -> Grounding:
        progress(0.0, "encoding the phrases")
        sent = {phrase: query.prompt_of(phrase).strip().lower() for phrase in query.phrases}
        read = [p for p in sent if self._reader is not None or self._known(sent[p])]
        missing = [NotFound(p, self._unread(sent[p])) for p in sent if p not in read]
        regions: list[Region] = []
        for phrase, mask in zip(read, self._masks([sent[p] for p in read], progress), strict=True):
            if not mask.voxels:
                missing.append(NotFound(phrase, "The model did not find it in the image."))
            elif not reaches(mask, query.scope, self._volume):
                reason = "It lies outside the selected slices."
                missing.append(NotFound(phrase, reason))
            else:
                grid = self._volume.grid
                regions.append(Region.of_mask(phrase, mask, grid, None, sent[phrase]))
        progress(1.0, "done")
        return Grounding(tuple(regions), tuple(missing), prompts=sent)

    def _masks(self, texts: list[str], progress: Progress) -> list[Mask]:
        """The mask of each text, all asked together."""
        if not texts:
            return []
        require_contrast(self._volume)

        def report(done: int, total: int) -> bool:
            progress(0.1 + 0.85 * done / total, f"window {done} of {total}")
            return True

        turn = Reorientation.to_ras(self._volume.affine)
        seen = np.ascontiguousarray(turn.there(self._volume.intensity()), np.float32)[None]
        vectors = self._predictor.embed_text_prompts(texts)
        progress(0.1, "encoding the image")
        answer: NDArray[np.uint8] = self._predictor.predict_single_image(
            seen, text_embeddings=vectors, progress_callback=report
        )
        return [Mask.of(turn.back(array)) for array in answer]

    def _known(self, text: str) -> bool:
        return text in (self._predictor.embedding_bank or {})

    def _unread(self, text: str) -> str:
        count = len(self._predictor.embedding_bank or {})
        return (
            f"None of the {count} stored phrases is {text!r}, and the text model is not on this "
            f"computer; download {TEXT_MODEL} for any phrase."
        )


def _folder(model: str | None) -> Path:
    folder = Path(model or "").expanduser()
    lacking = [name for name in FILES if not (folder / name).is_file()]
    if not model or lacking:
        raise BackendUnavailable(
            f"There is no {lacking[0]} in {folder}." if model else "VoxTell needs a model.",
            "Name the folder of a downloaded model, voxtell_v1.1 of mrokuss/VoxTell.",
        )
    return folder.resolve()


def _vectors(folder: Path) -> Path | None:
    """The file of vectors of known phrases."""
    candidates = (folder / VECTORS, folder.parent / "embeddings" / folder.name / VECTORS)
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _text_model(folder: Path) -> Path | None:
    """The folder of the text model, if it is on this computer."""
    if (folder / "text_model" / "config.json").is_file():
        transformers_loader.refuse_kernels(folder / "text_model")
        return folder / "text_model"
    try:
        return transformers_loader.model_folder(TEXT_MODEL, "VoxTell", TEXT_MODEL)
    except BackendUnavailable:
        return None
