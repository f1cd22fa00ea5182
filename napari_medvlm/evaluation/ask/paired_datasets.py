"""Questions whose answers are tested twice: by a twin, another image, an earlier visit, a place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.evaluation.ask.dataset_records import Source, choice_fields, text
from napari_medvlm.evaluation.ask.items import kind_of
from napari_medvlm.evaluation.references import dataset_files

LONGITUDINAL = "6"
"""3D-RAD's task of questions about several scans of a patient."""
_SCAN = re.compile(r"(?P<patient>.+)_(?P<scan>[a-z])_\d+(?P<rest>\.nii(?:\.gz)?|)")
IMAGENOME = 224
"""Side of the squares that Chest ImaGenome's boxes, which GEMeX took over, are written in."""


def probmed(source: Source) -> None:
    """ProbMed, https://huggingface.co/datasets/rippleripple/ProbMed (``test.json``, not seen).

    Fields as the authors' evaluation and those who use it name them: ``id``, ``image``,
    ``question``, ``answer``, ``qa_type``. ``modality_gt`` and ``modality_hallu`` of an image are
    twins, so are ``entity_gt_3`` and ``entity_hallu_3``; ``abnormality`` stands alone.
    """
    path = source.references
    fields = ("id", "image", "question", "answer", "qa_type")
    for number, record in enumerate(
        dataset_files.records(dataset_files.read_json(path), path, *fields), 1
    ):
        kind = str(record["qa_type"])
        family, _, rest = kind.partition("_gt")
        if not rest and "_hallu" in kind:
            family, _, rest = kind.partition("_hallu")
        alone = family == kind and not kind.endswith("_gt")
        source.add(
            f"{number:06d} {kind}", [str(record["image"])], question=str(record["question"]),
            answer=str(record["answer"]).lower(), kind=AnswerKind.YES_NO, type=family,
            pair="" if alone else f"{record['id']} {family}{rest}",
        )  # fmt: skip


def mediconfusion(source: Source) -> None:
    """MediConfusion, https://github.com/AIF4S/MediConfusion (``data/dataset.json``).

    Pairs by their names, each with ``im_1`` and ``im_2`` (paths of ROCO; ``im_1_local`` is the
    number of the file that the authors' script downloads), ``question``, ``option_A``,
    ``option_B``, ``im_1_correct``, ``im_2_correct`` and ``category_1``.
    """
    path = source.references
    content = dataset_files.read_json(path)
    dataset_files.need(content, path.name)
    for name, pair in content.items():
        location = f"{path.name}, {name}"
        needed = ("im_1", "im_2", "question", "option_A", "option_B", "im_1_correct")
        dataset_files.need(pair, location, *needed, "im_2_correct")
        options = {letter: pair[f"option_{letter}"] for letter in "AB"}
        for number in (1, 2):
            path_in_set = str(pair[f"im_{number}"])
            local = source.below(str(pair.get(f"im_{number}_local", path_in_set)))
            source.add(
                f"{name} {number}", [local or path_in_set], question=str(pair["question"]),
                pair=str(name), type=", ".join(pair.get(f"category_{number}", ())[:1]),
                **choice_fields(options, pair[f"im_{number}_correct"], location),
            )  # fmt: skip


def temmed(source: Source) -> None:
    """TemMed-Bench, https://github.com/Levi-ZJY/TemMed-Bench.

    ``TestSet_VQA_ReportGeneration_Final.json`` with the fields that its authors' evaluation reads;
    the file itself was not seen: ``image_path``, ``historical_image_path`` (of CheXpert Plus, also
    as PNG) and ``VQA_Final``, a list of ``VQA_question`` and ``VQA_answer``.
    """
    path = source.references
    fields = ("image_path", "historical_image_path", "VQA_Final")
    for number, record in enumerate(
        dataset_files.records(dataset_files.read_json(path), path, *fields), 1
    ):
        images = [str(record["historical_image_path"]), str(record["image_path"])]
        for index, pair in enumerate(record["VQA_Final"], 1):
            location = f"{path.name}, record {number}, question {index}"
            dataset_files.need(pair, location, "VQA_question", "VQA_answer")
            answer = str(pair["VQA_answer"])
            source.add(
                f"{number:05d} {index}", images, question=str(pair["VQA_question"]), answer=answer,
                captions=("the last visit", "the current visit"), kind=kind_of(answer),
            )  # fmt: skip


def rad3d(source: Source) -> None:
    """3D-RAD, https://github.com/Tang-xiaoxiao/3D-RAD (``3DRAD/test/TASK/*.csv``).

    Columns ``Task``, ``VolumeName`` of CT-RATE, ``Question``, ``Answer``, ``AnswerChoice`` and
    ``Choice A`` to ``Choice D``, of which some are empty. Names of volumes are
    ``PATIENT_SCAN_RECONSTRUCTION`` with letters for scans in order of time. Questions of task 6
    (longitudinal) get the earlier scans of the patient that are there before the current one; the
    question itself states what was seen in them.
    """
    path = source.references
    columns = ("task", "volumename", "question", "answer", "answerchoice")
    for line, row in dataset_files.read_rows(path, *columns):
        name, task = row["volumename"], row["task"]
        earlier = _earlier_scans(source, name) if task == LONGITUDINAL else []
        captions = ("a prior visit",) * len(earlier) + ("the current visit",)
        fields: dict[str, Any] = {"answer": row["answer"], "kind": kind_of(row["answer"])}
        options = {c.upper(): row[f"choice {c}"] for c in "abcd" if row.get(f"choice {c}")}
        if options:
            location = f"{path.name}, line {line}"
            fields = choice_fields(options, row["answerchoice"], location)
        source.add(
            f"{line:06d} {name}", [*earlier, name], question=row["question"], type=f"task {task}",
            captions=captions if earlier else (), **fields,
        )  # fmt: skip


def _earlier_scans(source: Source, name: str) -> list[Path]:
    """The earlier scans of a patient that are there, oldest first."""
    match = _SCAN.fullmatch(name)
    if match is None:
        return []
    before = (chr(code) for code in range(ord("a"), ord(match["scan"])))
    paths = (source.below(f"{match['patient']}_{scan}_1{match['rest']}") for scan in before)
    return [path for path in paths if path is not None]


def gemex(source: Source) -> None:
    """GEMeX, https://github.com/Awenbocc/GEMeX-Project (``data-v1-subset/test/*.jsonl``).

    Fields ``question``, ``choices`` (of a choice), ``answer`` (a letter, several in a list, yes or
    no, or words), ``visual_locations`` (``x0, y0, x1, y1``) and ``image_path`` of MIMIC-CXR-JPG.
    The boxes are Chest ImaGenome's. That these lie in a square of 224 pixels, the image centred in
    it at its aspect, is taken from how they look, and is not stated in the file.
    """
    path = source.references
    fields = ("question", "answer", "visual_locations", "image_path")
    for number, record in enumerate(
        dataset_files.records(dataset_files.read_json(path), path, *fields), 1
    ):
        location = f"{path.name}, record {number}"
        answer = record["answer"]
        item: dict[str, Any] = {"answer": str(answer), "kind": kind_of(str(answer))}
        if record.get("choices"):
            item = choice_fields(record["choices"], answer, location)
        boxes = tuple(dataset_files.numbers(box, 4, location) for box in record["visual_locations"])
        source.add(
            text(record, "q_id") or f"{number:06d}", [str(record["image_path"])],
            question=str(record["question"]), type=text(record, "type"), boxes=boxes,
            canvas=IMAGENOME, **item,
        )  # fmt: skip
