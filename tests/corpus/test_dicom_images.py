from tests.corpus.dicom_rows import DICOM


@DICOM.parametrized
def test_a_dicom_image_is_read_as_it_was_written(build, tmp_path):
    build(tmp_path).check()
