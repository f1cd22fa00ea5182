"""Layouts of published data sets, each read from a few records in exactly that layout."""

import json

import numpy as np
import pytest

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.evaluation.ground.cases import Layout, load
from napari_medvlm.evaluation.ground.datasets import find_cases
from tests.evaluation.segment import data_sets
from tests.evaluation.text_runs import picture

MSCXR = (
    "dicom_id,category_name,label_text,path,x,y,w,h,image_width,image_height,split\n"
    '0a-1,Pneumonia,"opacity, left base",files/p10/p1/s5/0a-1.jpg,10,20,5,8,50,40,test\n'
    '0a-1,Pneumonia,"opacity, left base",files/p10/p1/s5/0a-1.jpg,30,20,5,8,50,40,test\n'
    "0a-2,Edema,mild edema,files/p10/p1/s6/0a-2.jpg,1,2,3,4,50,40,train\n"
)
VINDR = (
    "image_id,class_name,x_min,y_min,x_max,y_max\n"
    "9a,Cardiomegaly,10.5,12,30,31.25\n"
    "9a,Aortic enlargement,4,5,9,9\n"
    "9b,No finding,,,,\n"
    "9c,Cardiomegaly,1,1,20,20\n"
)
KAGGLE = (
    "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n"
    "9a,Cardiomegaly,3,R9,10,12,30,31\n"
)


def coco():
    return {
        "images": [
            {"id": 1, "file_name": "a.png", "width": 50, "height": 40},
            {"id": 2, "file_name": "b.png", "width": 50, "height": 40},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "bbox": [10, 20, 5, 8], "area": 40,
             "iscrowd": 0},
            {"id": 2, "image_id": 2, "category_id": 8, "bbox": [0, 0, 50, 40], "area": 2000,
             "iscrowd": 0},
        ],
        "categories": [{"id": 7, "name": "nodule"}, {"id": 8, "name": "mass"}],
    }  # fmt: skip


def index_boxes(case):
    loaded = load(case)
    bounds = [region.box.bounds(loaded.volume.grid) for region in loaded.wanted]
    return [(tuple(start.tolist()), tuple(stop.tolist())) for start, stop in bounds]


def test_coco(tmp_path):
    for name in "ab":
        picture(tmp_path / "images" / f"{name}.png")
    (tmp_path / "c.json").write_text(json.dumps(coco()))
    found = find_cases(Layout.COCO, tmp_path / "images", tmp_path / "c.json").cases
    assert [c.name for c in found] == ["a.png", "b.png"]
    assert index_boxes(found[0]) == [((0, 20, 10), (1, 28, 15))]
    assert load(found[0]).label_of == {"nodule": "nodule"}
    every = find_cases(Layout.COCO, tmp_path / "images", tmp_path / "c.json", every_class=True)
    assert [c.absent for c in every.cases] == [("mass",), ("nodule",)]


def test_a_crowd_of_coco_is_no_single_place(tmp_path):
    for name in "ab":
        picture(tmp_path / "images" / f"{name}.png")
    content = coco()
    content["annotations"][0]["iscrowd"] = 1
    (tmp_path / "c.json").write_text(json.dumps(content))
    found = find_cases(Layout.COCO, tmp_path / "images", tmp_path / "c.json").cases
    assert [c.name for c in found] == ["b.png"]


def test_ms_cxr(tmp_path):
    picture(tmp_path / "jpg" / "p10" / "p1" / "s5" / "0a-1.jpg")
    (tmp_path / "m.csv").write_text(MSCXR)
    found = find_cases(Layout.MSCXR, tmp_path / "jpg", tmp_path / "m.csv")
    (case,) = found.cases
    assert index_boxes(case) == [((0, 20, 10), (1, 28, 15)), ((0, 20, 30), (1, 28, 35))]
    assert load(case).label_of == {"opacity, left base": "Pneumonia"}
    (skipped,) = found.skipped
    assert "0a-2.jpg" in skipped.reason


def test_a_picture_of_another_size_is_refused(tmp_path):
    picture(tmp_path / "0a-1.jpg", size=(20, 25))
    (tmp_path / "m.csv").write_text(MSCXR)
    (case,) = find_cases(Layout.MSCXR, tmp_path, tmp_path / "m.csv").cases
    with pytest.raises(InvalidReference, match="20 pixels high and 25 wide"):
        load(case)


@pytest.mark.parametrize("text", [VINDR, KAGGLE])
def test_vindr(tmp_path, text):
    for name in ("9a", "9b", "9c"):
        picture(tmp_path / f"{name}.png")
    (tmp_path / "v.csv").write_text(text)
    first, *rest = find_cases(Layout.VINDR, tmp_path, tmp_path / "v.csv").cases
    assert first.name == "9a"
    assert {r.phrase for r in first.references} >= {"Cardiomegaly"}
    if text is VINDR:
        assert [c.name for c in rest] == ["9c"], "nothing is to be found where nothing was seen"
        every = find_cases(Layout.VINDR, tmp_path, tmp_path / "v.csv", every_class=True).cases
        assert every[1].absent == ("Aortic enlargement", "Cardiomegaly")


def test_medsg_bench(tmp_path):
    names = [f"Task8/one_{i}.png" for i in range(3)]
    for name in names:
        picture(tmp_path / name)
    question = "Find the area: <|object_ref_start|>RightVentricle<|object_ref_end|>."
    record = {"task": "referring", "images": [f"MedSG-Bench/MedSG-Bench/{n}" for n in names],
              "question": question, "answer": [9, 15, 16, 22]}  # fmt: skip
    (tmp_path / "t.json").write_text(json.dumps([record]))
    (case,) = find_cases(Layout.MEDSG, tmp_path, tmp_path / "t.json").cases
    loaded = load(case)
    assert loaded.volume.shape == (3, 40, 50)
    (reference,) = loaded.floating
    assert (reference.phrase, reference.label) == ("RightVentricle", "referring")
    start, stop = reference.region(loaded.volume, "", 2).box.bounds(loaded.volume.grid)
    assert (start.tolist(), stop.tolist()) == ([2, 15, 9], [3, 22, 16])


def test_boxes_in_space(tmp_path):
    _, volume, _ = next(data_sets.cases(1))
    data_sets.save_image(tmp_path / "one.nii.gz", volume.data, volume.affine)
    (tmp_path / "b.csv").write_text("image,phrase,z0,y0,x0,z1,y1,x1\none,left,2,3,4,8,9,10\n")
    (case,) = find_cases(Layout.BOXES, tmp_path, tmp_path / "b.csv").cases
    assert index_boxes(case) == [((2, 3, 4), (8, 9, 10))]


def test_a_table_with_semicolons(tmp_path):
    picture(tmp_path / "one.png")
    (tmp_path / "b.csv").write_text("image;phrase;x0;y0;x1;y1\none.png;left;1;2;9;8\n")
    (case,) = find_cases(Layout.BOXES, tmp_path, tmp_path / "b.csv").cases
    assert index_boxes(case) == [((0, 2, 1), (1, 8, 9))]


def test_masks(tmp_path):
    images, labels = data_sets.write_pairs(tmp_path, 1)
    (case,) = find_cases(Layout.MASKS, images, labels, names={1: "left", 2: "right"}).cases
    loaded = load(case)
    assert [r.phrase for r in loaded.wanted] == ["left", "right"]
    _, _, drawn = next(data_sets.cases(1))
    found = np.stack([r.mask.full() for r in loaded.wanted])
    assert (found == np.stack([drawn == 1, drawn == 2])).all()


COCO_WITHOUT_WIDTH = """{"images": [{"id": 1, "file_name": "a.png", "height": 5}],
    "annotations": [], "categories": [{"id": 1, "name": "a"}]}"""


@pytest.mark.parametrize(
    ("layout", "text", "message"),
    [
        (Layout.COCO, "{", "is not JSON"),
        (Layout.COCO, "{}", 'no field "images"'),
        (Layout.MSCXR, "a,b\n1,2\n", "no column dicom_id"),
        (Layout.VINDR, VINDR.replace("10.5", "ten"), "'ten' is no number"),
        (Layout.COCO, '{"images": [], "annotations": null, "categories": []}', "no list"),
        (Layout.COCO, COCO_WITHOUT_WIDTH, "as coco: 'width' is missing"),
        (Layout.BOXES, "image,phrase\n", "corners"),
        (Layout.BOXES, "image,phrase,x,y\na,b,1,2\n", "corners"),
        (Layout.MEDSG, "[]", "no list of records"),
    ],
)
def test_what_is_wrong_is_reported(tmp_path, layout, text, message):
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(InvalidReference, match=message):
        find_cases(layout, tmp_path, tmp_path / "r.csv")
