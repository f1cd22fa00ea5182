"""``rows.tsv`` names the tests of each situation that was reported; all of them exist."""

import ast
import csv
from functools import cache
from pathlib import Path

from tests.corpus.dicom_frame_rows import FRAMES
from tests.corpus.dicom_place_rows import PLACES
from tests.corpus.dicom_series_rows import SERIES
from tests.corpus.dicom_value_rows import VALUES
from tests.corpus.enhanced_rows import ENHANCED
from tests.corpus.itk_rows import OTHERS
from tests.corpus.metaimage_rows import METAIMAGE
from tests.corpus.nifti_kind_rows import KINDS
from tests.corpus.nifti_rows import NIFTI
from tests.corpus.picture_rows import PICTURES
from tests.corpus.raster_rows import RASTERS
from tests.corpus.structure_rows import OBJECTS

TABLE = Path(__file__).with_name("rows.tsv")
ROOT = Path(__file__).parents[2]
LEAST_ROWS = 65
CORPUS = (
    *(FRAMES, PLACES, SERIES, VALUES, ENHANCED, OTHERS, METAIMAGE, KINDS, NIFTI, OBJECTS),
    *(PICTURES, RASTERS),
)


@cache
def functions(module):
    tree = ast.parse((ROOT / module).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_reported_situation_has_a_test_that_exists():
    rows = list(csv.DictReader(TABLE.read_text("utf-8").splitlines(), delimiter="\t"))
    ids = {name for rows in CORPUS for name in rows.builders}
    assert len({row["row"] for row in rows}) >= LEAST_ROWS
    for row in rows:
        module, _, test = row["test"].partition("::")
        name, _, case = test.rstrip("]").partition("[")
        assert name in functions(module), row
        assert not case or case in ids, row
