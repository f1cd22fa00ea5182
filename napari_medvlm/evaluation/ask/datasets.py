"""Finding the questions of a data set, by its layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.evaluation.ask import closed_datasets, open_datasets, paired_datasets
from napari_medvlm.evaluation.ask.dataset_records import Source
from napari_medvlm.evaluation.ask.items import Item, Layout
from napari_medvlm.evaluation.references.dataset_files import ImageIndex, report_damage
from napari_medvlm.evaluation.runs.cases import Cases

READERS: dict[Layout, Callable[[Source], None]] = {
    Layout.PLAIN: open_datasets.plain,
    Layout.VQARAD: open_datasets.vqa_rad,
    Layout.SLAKE: open_datasets.slake,
    Layout.PATHVQA: open_datasets.path_vqa,
    Layout.KVASIR: open_datasets.kvasir,
    Layout.GMAI: closed_datasets.gmai_mmbench,
    Layout.MEDFRAMEQA: closed_datasets.medframeqa,
    Layout.REXVQA: closed_datasets.rexvqa,
    Layout.GEMEX: paired_datasets.gemex,
    Layout.PROBMED: paired_datasets.probmed,
    Layout.MEDICONFUSION: paired_datasets.mediconfusion,
    Layout.MMXU: closed_datasets.mmxu,
    Layout.TEMMED: paired_datasets.temmed,
    Layout.DEEPTUMOR: closed_datasets.deeptumorvqa,
}


def find_items(layout: Layout, images: Path, references: Path, store: Path) -> Cases[Item]:
    """The questions of a data set, in its order.

    Parameters
    ----------
    layout
        How it lies on disk.
    images
        The folder of the images; a path or file name in the questions is looked for in it.
    references
        The file of the questions.
    store
        Folder for images that stand in the file of questions itself.

    Raises
    ------
    InvalidReference
        If the file is not of that layout, or there is no question at all.
    """
    if not references.exists():
        raise InvalidReference(f"There is no {references}.", "Check the path.")
    source = Source(references, ImageIndex(images), store)
    with report_damage(references, layout):
        READERS[layout](source)
    names = [item.name for item in source.items]
    if len(set(names)) < len(names):
        source.items = [
            item.model_copy(update={"name": f"{number:06d} {item.name}"})
            for number, item in enumerate(source.items, 1)
        ]
    dataset = Cases(tuple(source.items), tuple(source.skipped), tuple(source.notes))
    dataset.require_any("question", references, layout)
    return dataset
