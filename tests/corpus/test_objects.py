from tests.corpus.structure_rows import OBJECTS


@OBJECTS.parametrized
def test_objects_are_read_with_all_voxels_as_their_library_wrote_them(build, tmp_path):
    build(tmp_path).check()
