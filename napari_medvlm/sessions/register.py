"""Register a prior to a current volume: by their headers if possible, else by intensities."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.registration.engine import check_volumes, quality_of
from napari_medvlm.data.errors import Cancelled, InvalidImage
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.volume import Modality, Volume
from napari_medvlm.io.dicom.header import text
from napari_medvlm.io.dicom_objects.frame_of_reference import FRAME, PATIENT, header_of
from napari_medvlm.io.dicom_objects.spatial_registration import read_spatial_registration
from napari_medvlm.worker.messages import RegisterReply, RegisterRequest, Reply
from napari_medvlm.worker.runner import InlineRunner, Runner

Kind = Literal["rigid", "affine", "deformable", "identity"]
NAME = "registration"
"""Name of the requests in the worker."""
POLL_S = 0.1
OTHER_PATIENT = "The prior has another Patient ID than the current image."
OTHER_MODALITY = "The images are of different modalities, {} and {}."
SAME_FRAME = "Both images have the same frame of reference: the identity is used."
NO_FRAME = "No frame of reference in {}: only the intensities are used."
ASSUMED_SPACING = "The voxel spacing of {} is assumed; millimetres depend on it."


@dataclass(frozen=True)
class HeaderFacts:
    """What the headers of two images say about each other.

    Attributes
    ----------
    current_frame, prior_frame
        Their FrameOfReferenceUID; empty if not known.
    other_patient
        Whether both have a Patient ID, and these differ.
    """

    current_frame: str
    prior_frame: str
    other_patient: bool

    @property
    def same_frame(self) -> bool:
        """Whether both have the same frame of reference."""
        return self.current_frame != "" and self.current_frame == self.prior_frame


def header_facts(current: Volume, prior: Volume) -> HeaderFacts:
    """Frames of reference and patients of two images, read from their DICOM files."""
    headers = [header_of(volume) for volume in (current, prior)]
    frames = ["" if header is None else text(header, FRAME) for header in headers]
    patients = {text(h, PATIENT) for h in headers if h is not None} - {""}
    return HeaderFacts(frames[0], frames[1], len(patients) > 1)


def register(  # noqa: PLR0913  # all but the first three are rarely needed
    current: Volume,
    prior: Volume,
    kind: Kind | PairingKind = PairingKind.RIGID,
    *,
    spatial_registration: str | Path | None = None,
    other_patient: bool = False,
    ignore_frame: bool = False,
    progress: Progress | None = None,
    runner: Runner | None = None,
) -> Pairing:
    """Register a prior to a current volume of the same patient.

    A registration that does not improve the agreement is rejected: the pairing is the identity and
    its notes say so.

    Parameters
    ----------
    kind
        "rigid", "affine" or "deformable" (needs the extra ``register``); "identity" uses the
        positions as they are.
    spatial_registration
        A DICOM Spatial Registration of the two frames of reference, used instead of intensities.
    other_patient
        Register also if the Patient IDs differ.
    ignore_frame
        Register also if both images have the same frame of reference. A deformable registration
        always does.
    progress
        Called with the fraction done and a message; raises `Cancelled` to stop.
    runner
        Where it is computed; by default in this thread.

    Returns
    -------
    Pairing
        ``affine_mm`` is from the prior's to the current volume's millimetres ``(S, P, L)``.

    Raises
    ------
    InvalidImage
        If one is a single slice or has no contrast, the patients differ, or the Spatial
        Registration does not fit.
    BackendUnavailable
        If greedy is not installed for a deformable registration.
    """
    wanted = PairingKind(kind)
    check_volumes(current, prior)
    facts = require_same_patient(current, prior, other_patient)
    notes = _notes(current, prior, facts)
    if spatial_registration is not None:
        pairing = _of_file(current, prior, Path(spatial_registration), facts)
    else:
        if facts.same_frame and not ignore_frame and wanted is not PairingKind.DEFORMABLE:
            wanted, notes = PairingKind.IDENTITY, (*notes, SAME_FRAME)
        pairing = _computed(current, prior, wanted, progress, runner or InlineRunner())
    return replace(pairing, notes=(*notes, *pairing.notes))


def require_same_patient(current: Volume, prior: Volume, other_patient: bool) -> HeaderFacts:
    """The facts of the headers; `InvalidImage` for another patient that is not confirmed."""
    facts = header_facts(current, prior)
    if facts.other_patient and not other_patient:
        raise InvalidImage(
            OTHER_PATIENT,
            "Check that both are of the same patient; confirm (--other-patient) to go on.",
        )
    return facts


def _of_file(current: Volume, prior: Volume, path: Path, facts: HeaderFacts) -> Pairing:
    """The pairing of a DICOM Spatial Registration, with its quality."""
    start_s = time.perf_counter()
    affine_mm = read_spatial_registration(path, facts.current_frame, facts.prior_frame)
    pairing = Pairing(PairingKind.SPATIAL_REGISTRATION, affine_mm)
    pairing = quality_of(current, prior, pairing)
    return replace(pairing, seconds=time.perf_counter() - start_s)


def corrected(pairing: Pairing, change_mm: np.ndarray) -> Pairing:
    """A pairing corrected by hand.

    Parameters
    ----------
    change_mm : ndarray, shape (4, 4)
        What is done after the present transform, in the current volume's ``(S, P, L)`` mm. Drops
        a displacement.
    """
    return Pairing(
        PairingKind.MANUAL,
        np.asarray(change_mm, np.float64) @ pairing.affine_mm,
        pairing.metric_before,
        notes=("Corrected by hand.",),
    )


def quality_after(current: Volume, prior: Volume, pairing: Pairing) -> Pairing:
    """A pairing with its agreement, overlap and warnings computed again."""
    return quality_of(current, prior, pairing)


def _computed(
    current: Volume, prior: Volume, kind: PairingKind, progress: Progress | None, runner: Runner
) -> Pairing:
    """The pairing that a runner computes; a cancel reaches it also between two progress reports."""
    request = RegisterRequest(NAME, current, prior=prior, kind=kind)
    if progress is None or isinstance(runner, InlineRunner):
        return _pairing(runner.submit(request, progress).result())
    latest: list[tuple[float, str]] = [(0.0, "Starting")]
    job = runner.submit(request, lambda *update: latest.append(update))
    while True:
        try:
            return _pairing(job.result(POLL_S))
        except TimeoutError:
            try:
                progress(*latest[-1])
            except Cancelled:
                job.cancel()
                raise


def _pairing(reply: Reply) -> Pairing:
    assert isinstance(reply, RegisterReply)
    return reply.pairing


def _notes(current: Volume, prior: Volume, facts: HeaderFacts) -> tuple[str, ...]:
    """What is assumed of two images, a sentence each."""
    notes = [OTHER_PATIENT] if facts.other_patient else []
    modalities = (current.modality, prior.modality)
    if len(set(modalities)) > 1 and Modality.UNKNOWN not in modalities:
        notes.append(OTHER_MODALITY.format(*modalities))
    frames = zip((current, prior), (facts.current_frame, facts.prior_frame), strict=True)
    without = [volume.name for volume, frame in frames if not frame]
    notes += [NO_FRAME.format(" and ".join(without))] if without else []
    notes += [ASSUMED_SPACING.format(v.name) for v in (current, prior) if v.spacing_is_assumed]
    return tuple(notes)
