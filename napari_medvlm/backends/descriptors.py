"""The table of what would be seen if a finding were there, for labels judged by descriptors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from napari_medvlm.errors import MedVLMError

PACKAGED = Path(__file__).parents[1] / "language" / "descriptors.yaml"


def load_descriptors(path: Path = PACKAGED) -> Mapping[str, tuple[str, ...]]:
    """The descriptors of each finding, as `napari_medvlm.labelling.LabelQuery` takes them.

    Raises
    ------
    MedVLMError
        If the file cannot be read, or is not a table of lists of texts.
    """
    import yaml

    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MedVLMError(f"{path.name} cannot be read: {error}.", f"Correct {path}.") from error
    if not isinstance(table, dict):
        raise _malformed(path, "the file")
    for finding, texts in table.items():
        listed = isinstance(texts, list) and texts and all(isinstance(t, str) for t in texts)
        if not (isinstance(finding, str) and listed):
            raise _malformed(path, f"{finding!r}")
    return {finding: tuple(texts) for finding, texts in table.items()}


def _malformed(path: Path, what: str) -> MedVLMError:
    return MedVLMError(
        f"{path.name} is not a table of findings and their descriptors: see {what}.",
        f"In {path}, put under each finding a list of texts.",
    )
