"""All checks, in the order in which they are shown and run."""

from __future__ import annotations

from napari_medvlm.checks.base import Check
from napari_medvlm.checks.changed_views import ChangedViews
from napari_medvlm.checks.perturbation_checks import (
    BlankedEvidence,
    BlankImage,
    ImageSwap,
    NegationCheck,
    Resampling,
)
from napari_medvlm.checks.second_model_check import SecondModel, SecondModelCheck
from napari_medvlm.checks.static_checks import Confidence, OutputFormat, Quality
from napari_medvlm.data.volume import Volume


def all_checks(
    second_model: SecondModel | None = None, count: int = 4, other: Volume | None = None
) -> tuple[Check, ...]:
    """All checks, those without model calls first.

    Parameters
    ----------
    second_model
        See `SecondModelCheck`.
    count
        Number of requests of `Resampling`.
    other
        See `ImageSwap`.
    """
    return (
        Quality(),
        OutputFormat(),
        Confidence(),
        NegationCheck(),
        Resampling(count),
        ChangedViews(),
        BlankedEvidence(),
        BlankImage(),
        ImageSwap(other),
        SecondModelCheck(second_model),
    )
