from tests.corpus.itk_rows import OTHERS


@OTHERS.parametrized
def test_nrrd_and_metaimage_files_are_read_as_simpleitk_reads_them(build, tmp_path):
    build(tmp_path).check()
