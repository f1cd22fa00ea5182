"""Reference boxes from files and labels."""

import json

import numpy as np
import pytest

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.metrics.region_agreement import agreement
from napari_medvlm.evaluation.references.read import read_references, references_of_labels
from tests.conftest import make_phantom

SHAPE = (24, 40, 44)


@pytest.fixture(scope="module")
def oblique():
    return make_phantom(shape=SHAPE, degrees=(20, -15, 35))[0]


@pytest.fixture(scope="module")
def picture():
    return Volume(np.zeros((1, 40, 44), np.uint8), np.diag([1, 0.5, 0.5, 1]), name="chest_7.png")


def written(folder, name, content):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def coco(images, annotations, categories=({"id": 1, "name": "nodule"},)):
    return {"images": images, "annotations": annotations, "categories": list(categories)}


def annotation(bbox, image_id=1, category_id=1, number=9):
    return {"id": number, "image_id": image_id, "category_id": category_id, "bbox": bbox}


def ends(region, volume):
    """The index box of a region, as edges."""
    corners = volume.grid.to_index(region.box.corners()) + 0.5
    return np.round([corners.min(axis=0), corners.max(axis=0)], 3).tolist()


def test_a_coco_box_lies_on_the_pixels_of_the_picture(tmp_path, picture):
    content = coco([{"id": 1, "file_name": "whatever.png"}], [annotation([3.5, 10, 6, 8])])
    (region,) = read_references(written(tmp_path, "boxes.json", content), picture)
    assert (region.phrase, region.score) == ("nodule", None)
    assert ends(region, picture) == [[0, 10, 3.5], [1, 18, 9.5]]


@pytest.mark.parametrize(
    "image",
    [{"slice": 12}, {"file_name": "012.png"}, {"file_name": "scan/slice_0012.png"}],
    ids=["field", "name", "folder"],
)
def test_a_coco_picture_states_its_slice_by_field_or_name(tmp_path, oblique, image):
    content = coco([{"id": "a"} | image], [annotation([3, 10, 6, 8], image_id="a")])
    (region,) = read_references(written(tmp_path, "boxes.json", content), oblique)
    assert ends(region, oblique) == [[12, 10, 3], [13, 18, 9]]
    assert region.slice == SliceRef(0, 12)
    assert region.box.is_flat(oblique.grid)


def test_of_several_pictures_the_one_named_like_the_image_is_taken(tmp_path, picture):
    images = [{"id": 1, "file_name": "chest_6.png"}, {"id": 2, "file_name": "a/chest_7.jpg"}]
    boxes = [annotation([1, 2, 3, 4], 1), annotation([5, 6, 7, 8], 2)]
    (region,) = read_references(written(tmp_path, "b.json", coco(images, boxes)), picture)
    assert ends(region, picture) == [[0, 6, 5], [1, 14, 12]]


def test_of_several_series_the_one_named_like_the_volume_is_taken(tmp_path, oblique):
    names = ("phantom_003.png", "phantom_004.png", "other_003.png")
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    boxes = [annotation([1, 2, 3, 4], number) for number in range(3)]
    regions = read_references(written(tmp_path, "b.json", coco(images, boxes)), oblique)
    assert [region.slice.index for region in regions] == [3, 4]


def test_of_several_volumes_the_one_of_that_name_is_taken(tmp_path):
    volume = Volume(np.zeros(SHAPE), name="brain_2")
    images = [{"id": n, "slice": 5, "file_name": f"brain_{n}.nii.gz"} for n in (1, 2)]
    boxes = [annotation([n, 2, 3, 4], n) for n in (1, 2)]
    (region,) = read_references(written(tmp_path, "b.json", coco(images, boxes)), volume)
    assert ends(region, volume) == [[5, 2, 2], [6, 6, 5]]


def test_slices_of_one_series_are_taken_whatever_its_name(tmp_path, oblique):
    images = [{"id": number, "file_name": f"export-{number}.png"} for number in (3, 4)]
    boxes = [annotation([1, 2, 3, 4], number) for number in (3, 4)]
    regions = read_references(written(tmp_path, "b.json", coco(images, boxes)), oblique)
    assert [region.slice.index for region in regions] == [3, 4]


def test_the_source_names_the_image_too(tmp_path):
    name = "1.2.840.113"
    volume = Volume(np.zeros((1, 40, 44)), name="CXR PA", source=tmp_path / f"{name}.dcm")
    text = (
        f"image_id,class_name,x_min,y_min,x_max,y_max\n{name},Mass,1,2,3,4\n1.2.840.7,Mass,0,0,9,9"
    )
    (region,) = read_references(written(tmp_path, "vindr.csv", text), volume)
    assert ends(region, volume) == [[0, 2, 1], [1, 4, 3]]


def test_pictures_of_other_images_only_are_refused(tmp_path, picture):
    images = [{"id": n, "file_name": f"knee_{n}.png"} for n in (1, 2)]
    with pytest.raises(InvalidReference, match=r"2 images.*'knee_1.png'.*chest_7.*Rename"):
        read_references(written(tmp_path, "b.json", coco(images, [])), picture)


def test_a_table_in_millimetres_lies_in_the_patient_however_the_image_lies(tmp_path, oblique):
    center = oblique.grid.to_world([12, 20, 22])
    low, high = center - [4, 5, 6], center + [4, 5, 6]
    row = ",".join(map(repr, [*high.tolist(), *low.tolist()]))
    path = written(tmp_path, "boxes.csv", f"Phrase,S0,P0,L0,S1,P1,L1\nleft kidney,{row}\n")
    (region,) = read_references(path, oblique)
    assert region.phrase == "left kidney"
    np.testing.assert_allclose(region.bounds_mm, [low, high], atol=1e-6)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_of_voxels_in_any_delimiter(tmp_path, oblique, delimiter):
    text = "label,z0,y0,x0,z1,y1,x1\n\nspleen,3,10,12,9,20.5,30\n".replace(",", delimiter)
    (region,) = read_references(written(tmp_path, "boxes.tsv", "\ufeff" + text), oblique)
    assert region.phrase == "spleen"
    assert ends(region, oblique) == [[3, 10, 12], [9, 20.5, 30]]


def test_a_table_of_pixels_is_on_the_first_slice_unless_it_names_one(tmp_path, oblique):
    text = 'name,x0,y0,x1,y1,slice\n"cyst, left",1,2,5,9,7\ncyst,1,2,5,9,\n'
    regions = read_references(written(tmp_path, "boxes.csv", text), oblique)
    assert [region.phrase for region in regions] == ["cyst, left", "cyst"]
    assert [ends(region, oblique) for region in regions] == [
        [[7, 2, 1], [8, 9, 5]],
        [[0, 2, 1], [1, 9, 5]],
    ]


def test_findings_without_a_box_are_left_out(tmp_path, picture):
    text = "class,x_min,y_min,x_max,y_max\nNo finding,,,,\nMass,1,2,3,4\n"
    (region,) = read_references(written(tmp_path, "vindr.csv", text), picture)
    assert region.phrase == "Mass"


def test_a_box_drawn_a_pixel_over_the_edge_is_cut_off(tmp_path, picture):
    text = "name,x0,y0,x1,y1\nheart,-0.5,2,44.8,9\n"
    (region,) = read_references(written(tmp_path, "b.csv", text), picture)
    assert ends(region, picture) == [[0, 2, 0], [1, 9, 44]]


IMAGES = [{"id": 1, "file_name": "chest_7.png"}]
HEAD = "name,x0,y0,x1,y1,slice\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"images": [],\n"annotations": [}', "b.json, line 2 is not JSON"),
        ([1, 2], 'b.json has no list "images".*COCO'),
        ({"images": [], "categories": []}, 'no list "annotations"'),
        (coco(IMAGES, [{"id": 9, "image_id": 1, "category_id": 1}]), 'n 9 has no field "bbox"'),
        (coco(IMAGES, [annotation([1, 2, "a", 4])]), "annotation 9.*not four numbers"),
        (coco(IMAGES, [annotation([1, 2, float("inf"), 4])]), "annotation 9.*not four numbers"),
        (coco(IMAGES, [annotation([1, 2, 3])]), "annotation 9.*not four numbers"),
        (coco(IMAGES, [annotation([1, 2, 0, 4])]), "annotation 9.*no size"),
        (coco(IMAGES, [annotation([1, 2, 60, 4])]), "annotation 9.*outside.*full size"),
        (coco(IMAGES, [annotation([1, -0.8, 3, 0.5])]), "annotation 9.*outside"),
        (coco(IMAGES, [annotation([1, 2, 3, 4], 5)]), 'annotation 9 speaks of 5.*1 "images"'),
        (coco(IMAGES, [annotation([1, 2, 3, 4], [5])]), 'annotation 9.*"image_id" is \\[5\\]'),
        (coco(IMAGES, [annotation([1, 2, 3, 4], 1, 5)]), '5, which is not.*"categories"'),
        (coco(IMAGES, [annotation([1, 2, 3, 4])], [{"id": 1}]), 'category has no field "name"'),
        (coco([{"id": 1, "width": 512, "height": 512}], []), "image 1 is 512 pixels high.*40"),
    ],
)
def test_an_invalid_coco_file_is_reported_with_position_and_remedy(
    tmp_path, picture, content, message
):
    with pytest.raises(InvalidReference, match=message) as raised:
        read_references(written(tmp_path, "b.json", content), picture)
    assert raised.value.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1 has no column.*only nothing"),
        ("name,left,top\na,1,2\n", "line 1 has no column.*only name, left, top.*s0,p0,l0"),
        ("x0,y0,x1,y1\n1,2,3,4\n", "line 1 has no column of phrases.*only x0, y0, x1, y1"),
        (HEAD + "a,1,2,3,4\nb,1,2,3,four\n", "b.csv, line 3: 'four' in column y1 is not a number"),
        (HEAD + "a,1,2,3\n", "line 2: '' in column y1 is not a number"),
        (HEAD + "a,1,2,3,nan\n", "line 2: 'nan' in column y1 is not a finite number"),
        (HEAD + "a,1,2,3,4,0.5\n", "line 2: '0.5' in column slice is not a whole number"),
        (HEAD + "a,1,2,3,4,1\n", "line 2: the box on slice 1 lies outside"),
        (HEAD + ",1,2,3,4\n", "line 2 has a box and nothing in column name"),
        (HEAD + "a,3,2,1,4\n", "line 2: the box has no size"),
        (HEAD + 'a,"1"2,2,1,4\n', "line 2 cannot be read"),
        ("name,z0,y0,x0,z1,y1,x1\na,0,0,0,5,9,9\n", "line 2.*outside.*\\(1, 40, 44\\)"),
        ("name,s0,p0,l0,s1,p1,l1\na,90,0,0,95,9,9\n", "line 2.*mm.*outside"),
        ("name,s0,p0,l0,s1,p1,l1\na,-9,0,0,-1,9,9\n", "line 2.*mm.*outside"),
        ("name,s0,p0,l0,s1,p1,l1\na,0,0,0,0,9,9\n", "line 2: the box has no size"),
    ],
)
def test_an_invalid_table_is_reported_with_position_and_remedy(tmp_path, picture, content, message):
    with pytest.raises(InvalidReference, match=message) as raised:
        read_references(written(tmp_path, "b.csv", content), picture)
    assert raised.value.hint


def test_a_slice_that_a_name_does_not_tell_is_asked_for(tmp_path, oblique):
    content = coco([{"id": 1, "file_name": "axial.png"}], [])
    with pytest.raises(InvalidReference, match='image 1.*which of 24 slices.*field "slice"'):
        read_references(written(tmp_path, "b.json", content), oblique)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path, picture):
    with pytest.raises(InvalidReference, match="none.csv cannot be read"):
        read_references(tmp_path / "none.csv", picture)
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00n")
    with pytest.raises(InvalidReference, match="b.csv cannot be read.*UTF-8"):
        read_references(tmp_path / "b.csv", picture)


def test_labels_give_a_mask_and_a_box_for_each_value():
    volume, left, right = make_phantom(degrees=(20, -15, 35))
    values = np.zeros(volume.shape, np.uint16)
    values[left], values[right] = 2035, 4
    labels = NamedLabels(values, volume.grid, {2035: "left lobe"})
    first, second = references_of_labels(labels, volume)
    assert [r.phrase for r in (first, second)] == ["label 4", "left lobe"]
    assert (first.mask.full() == right).all()
    assert (second.mask.full() == left).all()
    assert second.score is None
    around = [[int(i.min()), int(i.max()) + 1] for i in np.nonzero(left)]
    assert ends(second, volume) == np.transpose(around).tolist()


def test_labels_on_another_grid_are_put_on_the_images():
    volume, left, _ = make_phantom()
    affine = volume.affine.copy()
    affine[:3, 0] *= -1
    affine[:3, 3] += volume.affine[:3, 0] * (volume.shape[0] - 1)
    labels = NamedLabels(left[::-1].astype(np.int32), Grid(volume.shape, affine), {1: "left"})
    (region,) = references_of_labels(labels, volume)
    assert (region.mask.full() == left).all()


def test_labels_beside_the_image_are_refused():
    volume, left, _ = make_phantom()
    far = volume.affine.copy()
    far[:3, 3] += 1000
    labels = NamedLabels(left.astype(np.uint8), Grid(volume.shape, far), {}, "lobes")
    with pytest.raises(InvalidReference, match="lobes has no label in the image"):
        references_of_labels(labels, volume)


def test_a_box_found_on_a_slice_of_an_oblique_volume_agrees_with_its_reference(tmp_path, oblique):
    content = coco([{"id": 1, "slice": 12}], [annotation([4, 10, 8, 10])])
    wanted = read_references(written(tmp_path, "b.json", content), oblique)
    found = Region("Nodule", Box.at_index(oblique, (12, 10, 4), (13, 20, 10)), 0.8)
    result = agreement([found], wanted, oblique.grid)
    assert result.mean_iou == pytest.approx(0.75, abs=1e-5)
    assert result.average_precision == pytest.approx(1)
