"""Find phrases in a volume with one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_medvlm.data.grounding import Grounding, Scope
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.ground.session import GroundingSession


def ground(  # noqa: PLR0913  # the parts of a request
    volume: Volume,
    phrases: Sequence[str],
    backend: str = "embedded",
    *,
    scope: Scope | None = None,
    labels: Sequence[NamedLabels] = (),
    model: str | None = None,
    device: str = "cpu",
    channels: Mapping[str, Volume] | None = None,
    resample: bool = False,
    report: str = "",
) -> Grounding:
    """Find phrases in a volume, in the caller's thread.

    Parameters
    ----------
    volume
        The image.
    phrases
        The phrases to find.
    backend, model, device
        The model to use; see ``napari-medvlm backends``.
    scope
        The slices to search; `None`: all.
    labels
        Label images of this patient whose names may match a phrase.
    channels
        The images of a model that takes several, such as ``{"T1": ..., "FLAIR": ...}``; see
        ``napari-medvlm ground --help``. The masks lie on the grid of `volume`.
    resample
        Resample channels on other grids to that of `volume`; otherwise they are an error.
    report
        The text of the report, for a model that sees it, too.

    Returns
    -------
    `Grounding`. A phrase that is not found is no error: see ``not_found``.

    Raises
    ------
    MedVLMError
        If the backend fails.
    """
    with GroundingSession(volume, backend, "inline", model=model, device=device) as session:
        session.ask(
            phrases, scope, labels=labels, channels=channels, resample=resample, report=report
        )
        session.wait()
        return session.grounding
