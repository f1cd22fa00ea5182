from tests.corpus.variants.codec_variants import CODECS
from tests.corpus.variants.frame_variants import MULTI
from tests.corpus.variants.kind_variants import KINDS
from tests.corpus.variants.pet_variants import PET
from tests.corpus.variants.picture_variants import LAYOUTS
from tests.corpus.variants.volume_variants import VOLUMES


@LAYOUTS.parametrized
def test_a_picture_of_a_rarer_layout_is_read_as_its_library_shows_it(build, tmp_path):
    build(tmp_path).check()


@PET.parametrized
def test_uptake_is_that_of_the_time_between_injection_and_scan(build, tmp_path):
    build(tmp_path).check()


@CODECS.parametrized
def test_pixels_are_read_as_they_were_before_compression(build, tmp_path):
    build(tmp_path).check()


@KINDS.parametrized
def test_images_that_are_no_plain_series_are_read_or_refused(build, tmp_path):
    build(tmp_path).check()


@VOLUMES.parametrized
def test_a_volume_is_read_as_the_library_that_wrote_it_reads_it(build, tmp_path):
    build(tmp_path).check()


@MULTI.parametrized
def test_frames_are_placed_by_their_groups_and_vectors(build, tmp_path):
    build(tmp_path).check()
