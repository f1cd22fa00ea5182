"""Layouts of published questions, each read from a few records in exactly that layout."""

import base64
import json
from io import BytesIO

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.evaluation.ask.datasets import find_items
from napari_medvlm.evaluation.ask.items import Layout
from napari_medvlm.evaluation.ask.outcomes import Outcome
from napari_medvlm.evaluation.ask.plan import Plan
from napari_medvlm.evaluation.ask.summary import summary
from tests.evaluation.segment import data_sets
from tests.evaluation.text_runs import picture


def png(shade=100):
    file = BytesIO()
    Image.fromarray(np.full((6, 8), shade, np.uint8)).save(file, "PNG")
    return file.getvalue()


def find(layout, root, name, content):
    """The questions of a file in ``root``, whose images lie below it."""
    path = root / name
    lines = path.suffix == ".jsonl"
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text("\n".join(map(json.dumps, content)) if lines else text)
    return find_items(layout, root, path, root / "store")


def table(root, rows):
    parquet.write_table(pyarrow.Table.from_pylist(rows), root / "test-00000.parquet")
    return root / "test-00000.parquet"


def vqa_rad(qid, phrase_type, answer, answer_type):
    return {
        "qid": qid, "phrase_type": phrase_type, "qid_linked_id": "03f451ca", "evaluation":
        "not evaluated", "image_case_url": "https://medpix/1", "image_name": "synpic54610.jpg",
        "image_organ": "HEAD", "question": "Is it left?", "question_rephrase": "NULL",
        "question_relation": "NULL", "question_frame": "NULL", "question_type": "POS",
        "answer": answer, "answer_type": answer_type,
    }  # fmt: skip


def test_vqa_rad(tmp_path):
    picture(tmp_path / "VQA_RAD Image Folder" / "synpic54610.jpg")
    content = [
        vqa_rad("0", "freeform", "Yes", "CLOSED"),
        vqa_rad("1", "test_freeform", "No", "CLOSED"),
        vqa_rad("2", "test_para", "left lobe", "OPEN"),
    ]
    dataset = find(Layout.VQARAD, tmp_path, "VQA_RAD Dataset Public.json", content)
    first, second = dataset.cases
    left_out = "1 of 3 questions were left out: they are not of the test set (phrase_type)."
    assert dataset.notes == (left_out,)
    scored_items = [(item, Outcome(case=item.name, correct=True)) for item in dataset.cases]
    assert summary(scored_items, (), Plan(), dataset.notes)["notes"] == [left_out]
    assert (first.name, first.kind, first.answer, first.type) == ("1", "yes/no", "No", "closed")
    assert (second.kind, second.answer, second.type) == ("open", "left lobe", "open")
    assert first.images[0].name == "synpic54610.jpg"


def slake(img, lang, qid, answer):
    return {
        "img_id": 102, "img_name": f"{img}/source.jpg", "question": "What modality?", "answer":
        answer, "q_lang": lang, "location": "Lung", "modality": "CT", "answer_type": "OPEN",
        "base_type": "vqa", "content_type": "Modality", "triple": ["vhead", "_", "_"], "qid": qid,
    }  # fmt: skip


def test_slake(tmp_path):
    picture(tmp_path / "imgs" / "xmlab102" / "source.jpg")
    content = [slake("xmlab102", "en", 11934, "CT"), slake("xmlab102", "zh", 11935, "CT"),
               slake("xmlab7", "en", 11936, "CT")]  # fmt: skip
    found = find(Layout.SLAKE, tmp_path, "test.json", content)
    assert [i.name for i in found.cases] == ["11934"]
    assert found.notes == ("1 of 3 questions were left out: they are not in English (q_lang).",)
    assert [u.case for u in found.skipped] == ["11936"], "another folder's source.jpg is no image"


@pytest.mark.parametrize("layout", [Layout.PATHVQA, Layout.VQARAD])
def test_tables_of_hugging_face(tmp_path, layout):
    cell = {"bytes": png(), "path": "train_0422.jpg"}
    path = table(tmp_path, [{"image": cell, "question": "Is it?", "answer": "yes"}] * 2)
    items = find_items(layout, tmp_path, path, tmp_path / "store").cases
    assert [i.kind for i in items] == ["yes/no", "yes/no"]
    assert items[0].images == items[1].images
    assert items[0].images[0].read_bytes() == png()


def test_kvasir_vqa_x1(tmp_path):
    picture(tmp_path / "images" / "cl8k2u1pr.jpg")
    row = {"img_id": "cl8k2u1pr", "complexity": 2, "question": "What is seen?",
           "answer": "one polyp", "original": "[]", "question_class": ["polyp_count"]}  # fmt: skip
    (item,) = find(Layout.KVASIR, tmp_path, "test.json", [row]).cases
    assert (item.answer, item.type) == ("one polyp", "complexity 2")
    line = {"messages": [{"role": "user", "content": "<image>What is seen?"},
                         {"role": "assistant", "content": "one polyp"}],
            "images": ["/data/images/cl8k2u1pr.jpg"]}  # fmt: skip
    (again,) = find(Layout.KVASIR, tmp_path, "Kvasir-VQA-x1-test.jsonl", [line]).cases
    assert (again.question, again.answer, again.images) == (
        item.question, item.answer, item.images
    )  # fmt: skip


def test_gmai_mmbench(tmp_path):
    code = base64.b64encode(png()).decode()
    text = (
        "index\timage\tquestion\tA\tB\tC\tD\tE\tanswer\tcategory\n"
        f"0\t{code}\tWhich organ?\tLiver\tLung\tHeart\t\t\tB\tOrgan Recognition\n"
    )
    (item,) = find(Layout.GMAI, tmp_path, "GMAI-MMBench_VAL.tsv", text).cases
    assert item.options == ("Liver", "Lung", "Heart")
    assert (item.right, item.answer, item.type) == ((1,), "Lung", "Organ Recognition")
    assert item.images[0].read_bytes() == png()


def test_medframeqa(tmp_path):
    cells = {f"image_{n}": {"bytes": png(n), "path": None} for n in (1, 2)}
    row = {
        "question_id": "q7",
        "question": "What differs?",
        "options": ["Size", "Side"],
        "correct_answer": "B",
        **cells,
        "image_3": None,
        "image_4": None,
        "image_5": None,
    }
    path = table(tmp_path, [row])
    (item,) = find_items(Layout.MEDFRAMEQA, tmp_path, path, tmp_path / "store").cases
    assert (item.name, item.right, item.type) == ("q7", (1,), "2 images")
    assert [p.read_bytes() for p in item.images] == [png(1), png(2)]


def test_rexvqa(tmp_path):
    picture(tmp_path / "deid_png" / "GRDN1" / "Studies" / "1.2" / "Series" / "1.3" / "9.4.png")
    record = {
        "study_id": "p1",
        "question": "Which finding?",
        "correct_answer": "A",
        "options": ["A. Effusion", "B. Nodule", "C. None", "D. Mass"],
        "task_name": "presence_assessment",
        "correct_answer_explanation": "",
        "ImagePath": ["../deid_png/GRDN1/Studies/1.2/Series/1.3/9.4.png"],
    }
    (item,) = find(Layout.REXVQA, tmp_path, "test_vqa_data.json", {"question_1": record}).cases
    assert item.options == ("Effusion", "Nodule", "None", "Mass")
    assert (item.name, item.right, item.type) == ("question_1", (0,), "presence_assessment")


GEMEX = {
    "type": "finding", "reason": "It is.", "visual_regions": ["bilateral lung"],
    "visual_locations": [[43, 35, 212, 156]], "image_path": "p10/p1/s5/a1-b2.jpg",
    "ori_report": "No effusion.", "q_id": 0, "row_id": "row_0",
}  # fmt: skip
CHOICES = ["A: No consolidation", "B: No effusions", "C: Low volume", "D: No edema"]


@pytest.mark.parametrize(
    ("record", "kind", "right", "answer"),
    [
        ({"answer": "No."}, "yes/no", (), "No."),
        ({"answer": "Restrictive disease."}, "open", (), "Restrictive disease."),
        ({"choices": CHOICES, "answer": "C"}, "choice", (2,), "Low volume"),
        ({"choices": CHOICES, "answer": ["A", "D"]}, "open", (0, 3), "No consolidation; No edema"),
    ],
)
def test_gemex(tmp_path, record, kind, right, answer):
    picture(tmp_path / "p10" / "p1" / "s5" / "a1-b2.jpg")
    content = [{**GEMEX, "question": "Which?", **record}]
    (item,) = find(Layout.GEMEX, tmp_path, "q.jsonl", content).cases
    assert (item.kind, item.right, item.answer) == (kind, right, answer)
    assert (item.boxes, item.canvas) == (((43, 35, 212, 156),), 224)
    assert ("Several may be right" in item.prompt_text) == (len(right) > 1)


def test_probmed(tmp_path):
    picture(tmp_path / "img1.jpg")
    kinds = ["modality_gt", "modality_hallu", "abnormality", "entity_gt_3", "entity_hallu_3"]
    content = [
        {"id": "img1", "i": n, "image": "img1.jpg", "image_type": "x-ray_chest", "qa_type": kind,
         "question": "Is it?", "answer": "no" if "hallu" in kind else "yes", "src_dataset": "x"}
        for n, kind in enumerate(kinds)
    ]  # fmt: skip
    items = find(Layout.PROBMED, tmp_path, "test.json", content).cases
    assert [i.pair for i in items] == [
        *["img1 modality"] * 2, "", *["img1 entity_3"] * 2
    ]  # fmt: skip
    assert [i.type for i in items] == ["modality", "modality", "abnormality", "entity", "entity"]
    assert {i.kind for i in items} == {AnswerKind.YES_NO}


def test_mediconfusion(tmp_path):
    picture(tmp_path / "20192.jpg")
    picture(tmp_path / "train" / "radiology" / "images" / "ROCO_62117.jpg")
    pair = {"im_1": "train/radiology/images/ROCO_28778.jpg", "im_1_local": 20192,
            "im_2": "train/radiology/images/ROCO_62117.jpg", "im_2_local": 20053,
            "category_1": ["Cerebral", "Vascular"], "category_2": ["Cerebral"],
            "question": "What do you see?", "option_A": "Ending", "option_B": "Aneurysm",
            "im_1_correct": "A", "im_2_correct": "B"}  # fmt: skip
    first, second = find(Layout.MEDICONFUSION, tmp_path, "dataset.json", {"10001": pair}).cases
    assert first.pair == second.pair == "10001"
    assert (first.answer, second.answer, first.type) == ("Ending", "Aneurysm", "Cerebral")
    assert (first.images[0].name, second.images[0].name) == ("20192.jpg", "ROCO_62117.jpg")


@pytest.mark.parametrize(
    "earlier", ["files/p10/before1.jpg", ["files/p10/before1.jpg"]], ids=["one", "a list"]
)
def test_mmxu(tmp_path, earlier):
    for name in ("now1", "before1"):
        picture(tmp_path / "files" / "p10" / f"{name}.jpg")
    record = {
        "id": 5,
        "content_type": "severity",
        "related_region_name": "left lung",
        "question": "Has it changed?",
        "options": {"A": "Better", "B": "Worse"},
        "answer": "B",
        "cur_image_path": "files/p10/now1.jpg",
        "prior_image_path": earlier,
        "prior_image_bboxs": {},
    }
    (item,) = find(Layout.MMXU, tmp_path, "MMXU-test.jsonl", [record]).cases
    assert [p.stem for p in item.images] == ["before1", "now1"]
    assert item.captions == ("the prior visit", "the current visit")
    assert item.answer == "Worse"


def test_temmed_bench(tmp_path):
    for name in ("now1", "before1"):
        picture(tmp_path / "train" / f"{name}.png")
    record = {"image_path": "train/now1.jpg", "historical_image_path": "train/before1.jpg",
              "VQA_Final": [{"VQA_question": "Has it grown?", "VQA_answer": "Yes"},
                            {"VQA_question": "Is it gone?", "VQA_answer": "No"}]}  # fmt: skip
    items = find(Layout.TEMMED, tmp_path, "t.json", [record]).cases
    assert [i.answer for i in items] == ["Yes", "No"]
    assert [p.name for p in items[0].images] == ["before1.png", "now1.png"]


def tumour(image):
    return {
        "qid": f"bench_{image}", "image_id": image, "spacing": "[0.83 0.83 5.0]", "sex": "F",
        "shape": "(512, 512, 116)", "age": None, "question": "How large is the spleen?",
        "answer": "Normal", "correct_option": "B", "organ": "spleen", "lesion": False,
        "mc_question": "How large is the spleen? A: Large B: Normal (no splenomegaly) C: Small",
        "question_type": "medical reasoning", "question_subtype": "splenomegaly grading",
    }  # fmt: skip


def test_deeptumorvqa(tmp_path):
    _, volume, _ = next(data_sets.cases(1))
    path = tmp_path / "ct" / "BDMAP_1" / "ct.nii.gz"
    data_sets.save_image(path, volume.data, volume.affine)
    content = {"num_questions": 2, "questions": [tumour("BDMAP_1"), tumour("BDMAP_2")]}
    found = find(Layout.DEEPTUMOR, tmp_path, "test_qa.json", content)
    (item,) = found.cases
    assert item.images == (path,)
    assert item.question == "How large is the spleen?"
    assert item.options == ("Large", "Normal (no splenomegaly)", "Small")
    assert (item.right, item.context) == ((1,), "sex: F")
    assert [u.case for u in found.skipped] == ["bench_BDMAP_2"], "another's ct.nii.gz is no image"


RAD3D = (
    "Task,Subtask,VolumeName,Question,Answer,QuestionType,AnswerChoice,Choice A,Choice B,Choice C,"
    "Choice D\n"
    '6,1,test_7_c_1.nii.gz,"Past sequences of cardiomegaly: [0]. What is it now?",'
    '"New Lesion (Absent previously, now present)",Close,C,"Refractory Lesion","Resolved Lesion",'
    '"New Lesion (Absent previously, now present)",No Abnormality\n'
    '5,1,test_7_c_1.nii.gz,"What is it?",No Abnormality,Close,B,Refractory,No Abnormality,,\n'
    "3,1,test_9_a_1.nii.gz,How thick?,3 mm,Open,,,,,\n"
)


def test_3d_rad_with_the_earlier_scans_of_longitudinal_questions(tmp_path):
    _, volume, _ = next(data_sets.cases(1))
    for name in ("test_7_a_1", "test_7_c_1", "test_7_d_1", "test_17_b_1"):
        data_sets.save_image(tmp_path / name / f"{name}.nii.gz", volume.data, volume.affine)
    found = find(Layout.RAD3D, tmp_path, "c.csv", RAD3D)
    longitudinal, single = found.cases
    assert [path.name for path in longitudinal.images] == ["test_7_a_1.nii.gz", "test_7_c_1.nii.gz"]
    assert longitudinal.captions == ("a prior visit", "the current visit")
    assert (longitudinal.right, longitudinal.type) == ((2,), "task 6")
    assert longitudinal.options[2] == "New Lesion (Absent previously, now present)"
    assert [path.name for path in single.images] == ["test_7_c_1.nii.gz"]
    assert (single.right, len(single.options)) == ((1,), 2)
    assert [u.reason for u in found.skipped] == ["There is no image test_9_a_1.nii.gz."]


def test_ones_own_questions_as_people_write_them(tmp_path):
    picture(tmp_path / "a.png")
    content = [
        {"images": "a.png", "question": "How long?", "values": 31.5},
        {"image": "a.png", "question": "Is it?", "answer": True, "boxes": None, "captions": "now"},
    ]
    size, there = find(Layout.PLAIN, tmp_path, "q.json", content).cases
    assert size.values == (31.5,)
    assert size.images == there.images == (tmp_path / "a.png",)
    assert (there.answer, there.kind, there.captions) == ("yes", AnswerKind.YES_NO, ("now",))


def test_a_text_of_several_lines_stays_in_its_line(tmp_path):
    picture(tmp_path / "a.png")
    line = '{"image": "a.png", "question": "One\u2028two", "answer": "b"}\n'
    (tmp_path / "q.jsonl").write_text(line, encoding="utf-8")
    (item,) = find_items(Layout.PLAIN, tmp_path, tmp_path / "q.jsonl", tmp_path / "s").cases
    assert item.question == "One\u2028two"


def test_the_line_that_is_no_json_is_named(tmp_path):
    (tmp_path / "q.jsonl").write_text('{"question": "Q"}\n\n{"question":\n')
    with pytest.raises(InvalidReference, match="line 3"):
        find_items(Layout.PLAIN, tmp_path, tmp_path / "q.jsonl", tmp_path / "s")


def test_a_file_of_another_kind_is_not_poured_into_the_error(tmp_path):
    with pytest.raises(InvalidReference, match="no column index") as error:
        find(Layout.GMAI, tmp_path, "q.tsv", json.dumps([{"question": "Q" * 5000}]))
    assert len(error.value.message) < 300


def own(**more):
    return [{"image": "a.png", "question": "Q", "answer": "A", **more}]


@pytest.mark.parametrize(
    ("layout", "name", "content", "message"),
    [
        (Layout.PLAIN, "q.json", own(values=[0]), "no relative error"),
        (Layout.PLAIN, "q.json", own(captions=["a", "b"]), "2 captions for 1 images"),
        (Layout.PLAIN, "q.json", own(options="left"), "not among the 0 options"),
        (Layout.PLAIN, "q.json", own(boxes=3), "record|cannot be read as plain"),
        (Layout.SLAKE, "q.json", {"a": 3}, "no list of records"),
        (Layout.MMXU, "q.json", [{"id": 1, "question": "Q", "options": {}, "answer": "A",
         "cur_image_path": 3, "prior_image_path": "a.png"}], "cannot be read as mmxu"),
        (Layout.PLAIN, "q.json", [{"question": "Q"}], 'no field "image"'),
        (Layout.PLAIN, "q.json", {"a": 1}, "no list of records"),
        (Layout.PLAIN, "q.json", "[", "is not JSON"),
        (Layout.SLAKE, "q.json", [{"question": "Q"}], 'no field "img_name"'),
        (Layout.PATHVQA, "q.parquet", "no", "cannot be read as Parquet"),
        (Layout.REXVQA, "q.json", {"a": {"question": "Q", "options": ["x", "y"], "ImagePath": [],
                                         "correct_answer": "z"}}, "'z' is not among the 2"),
        (Layout.GMAI, "q.tsv", "index\tquestion\n1\t2\n", "no column a"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_reported(tmp_path, layout, name, content, message):
    with pytest.raises(InvalidReference, match=message):
        find(layout, tmp_path, name, content)
