import pytest

from tests.corpus.nifti_kind_rows import KINDS
from tests.corpus.nifti_rows import NIFTI


@NIFTI.parametrized
def test_a_nifti_file_is_read_as_nibabel_writes_it(build, tmp_path):
    build(tmp_path).check()


# nibabel leaves the file of an MGH header to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@KINDS.parametrized
def test_every_orientation_type_and_kind_is_read_as_nibabel_writes_it(build, tmp_path):
    build(tmp_path).check()
