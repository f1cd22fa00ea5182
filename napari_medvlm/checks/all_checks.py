"""All checks in the order in which they are shown and run."""

from __future__ import annotations

from napari_medvlm.checks.base import Check
from napari_medvlm.checks.perturbation_checks import (
    BlankedEvidence,
    BlankImage,
    ImageSwap,
    NegationTwin,
    Resampling,
)
from napari_medvlm.checks.second_model_check import IndependentWitness, SecondModel
from napari_medvlm.checks.static_checks import Confidence, OutputFormat, Quality
from napari_medvlm.data.volume import Volume


def all_checks(
    witness: SecondModel | None = None, count: int = 4, other: Volume | None = None
) -> tuple[Check, ...]:
    """Every check, those that cost nothing first.

    Parameters
    ----------
    witness
        See `witness.IndependentWitness`.
    count
        How often resampling asks.
    other
        See `asking.ImageSwap`.
    """
    return (
        Quality(),
        OutputFormat(),
        Confidence(),
        NegationTwin(),
        Resampling(count),
        BlankedEvidence(),
        BlankImage(),
        ImageSwap(other),
        IndependentWitness(witness),
    )
