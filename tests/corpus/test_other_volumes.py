from tests.corpus.itk_rows import OTHERS
from tests.corpus.metaimage_rows import METAIMAGE


@OTHERS.parametrized
def test_a_nrrd_file_is_read_as_simpleitk_reads_it(build, tmp_path):
    build(tmp_path).check()


@METAIMAGE.parametrized
def test_a_metaimage_file_is_read_as_simpleitk_reads_it(build, tmp_path):
    build(tmp_path).check()
