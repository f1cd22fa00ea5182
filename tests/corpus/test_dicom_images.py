from tests.corpus.dicom_frame_rows import FRAMES
from tests.corpus.dicom_place_rows import PLACES
from tests.corpus.dicom_series_rows import SERIES
from tests.corpus.dicom_value_rows import VALUES
from tests.corpus.enhanced_rows import ENHANCED


@SERIES.parametrized
def test_a_series_is_read_as_it_was_written(build, tmp_path):
    build(tmp_path).check()


@VALUES.parametrized
def test_intensities_are_read_as_they_were_written(build, tmp_path):
    build(tmp_path).check()


@FRAMES.parametrized
def test_frames_and_texts_are_read_as_they_were_written(build, tmp_path):
    build(tmp_path).check()


@ENHANCED.parametrized
def test_frames_are_read_where_their_groups_place_them(build, tmp_path):
    build(tmp_path).check()


@PLACES.parametrized
def test_files_are_read_as_other_libraries_read_them(build, tmp_path):
    build(tmp_path).check()
