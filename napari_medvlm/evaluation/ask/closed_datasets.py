"""Questions with options: GMAI-MMBench, MedFrameQA, ReXVQA, MMXU, DeepTumorVQA."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from napari_medvlm.evaluation.ask.dataset_records import (
    Source,
    choice_fields,
    image_in_cell,
    parquet_rows,
    text,
)
from napari_medvlm.evaluation.references import dataset_files

KNOWN_OF_PATIENTS = ("sex", "age", "scanner", "contrast")
"""What DeepTumorVQA's authors state of a patient in the prompt, where it is known."""
_OPTION = re.compile(r"(?:^|\s)([A-F])\s*[:.]\s+")


def gmai_mmbench(source: Source) -> None:
    """GMAI-MMBench, https://huggingface.co/datasets/OpenGVLab/GMAI-MMBench (TSV, not seen).

    Columns as VLMEvalKit reads them: ``index``, ``image`` (base64; or ``image_path``),
    ``question``, ``A`` to ``E``, ``answer``, ``category``.
    """
    path = source.references
    for line, row in dataset_files.read_rows(path, "index", "question", "a", "b", "answer"):
        location = f"{path.name}, line {line}"
        options = {c.upper(): row[c] for c in "abcde" if row.get(c) not in (None, "", "nan")}
        image = row.get("image_path") or source.decoded(row.get("image", ""), location)
        source.add(
            row["index"], [image], question=row["question"], type=text(row, "category"),
            **choice_fields(options, row["answer"], location),
        )  # fmt: skip


def medframeqa(source: Source) -> None:
    """MedFrameQA, https://huggingface.co/datasets/SuhaoYu1020/MedFrameQA (Parquet, not seen).

    Columns as MedEvalKit reads them: ``question``, ``options``, ``correct_answer``, ``image_1`` to
    ``image_5``, of which the last may be empty.
    """
    path = source.references
    columns = ("question", "options", "correct_answer", "image_1")
    for number, row in enumerate(parquet_rows(path, *columns), 1):
        cells = [row.get(f"image_{index}") for index in range(1, 6)]
        images = [image_in_cell(source, cell) for cell in cells if cell is not None]
        source.add(
            text(row, "question_id") or f"{number:06d}", images, question=str(row["question"]),
            type=f"{len(images)} images",
            **choice_fields(row["options"], row["correct_answer"], f"{path.name}, row {number}"),
        )  # fmt: skip


def rexvqa(source: Source) -> None:
    """ReXVQA, https://huggingface.co/datasets/rajpurkarlab/ReXVQA (``metadata/*_vqa_data.json``).

    Questions by their names, with fields as those who use it name them; the file itself was not
    seen: ``question``, ``options``, ``correct_answer``, ``ImagePath`` (a list), ``task_name``.
    """
    path = source.references
    content = dataset_files.read_json(path)
    named = content.items() if isinstance(content, dict) else enumerate(content or ())
    for name, record in named:
        location = f"{path.name}, {name}"
        dataset_files.need(record, location, "question", "options", "correct_answer", "ImagePath")
        source.add(
            str(name), [str(path).replace("../", "") for path in record["ImagePath"]],
            question=str(record["question"]), type=text(record, "task_name"),
            context=text(record, "Indication"),
            **choice_fields(record["options"], record["correct_answer"], location),
        )  # fmt: skip


def mmxu(source: Source) -> None:
    """MMXU, https://github.com/LinjieMu/MMXU (``MMXU-test.jsonl``).

    Fields ``id``, ``content_type``, ``question``, ``options`` (texts by letter), ``answer`` (the
    letter), ``cur_image_path`` and ``prior_image_path``, paths of MIMIC-CXR-JPG, each one or a
    list.
    """
    path = source.references
    fields = ("id", "question", "options", "answer", "cur_image_path", "prior_image_path")
    for number, record in enumerate(
        dataset_files.records(dataset_files.read_json(path), path, *fields), 1
    ):
        earlier = record["prior_image_path"]
        earlier = [earlier] if isinstance(earlier, str) else list(earlier)
        current = record["cur_image_path"]
        images = [*map(str, earlier), *([current] if isinstance(current, str) else current)]
        captions = ["the prior visit"] * len(earlier)
        captions += ["the current visit"] * (len(images) - len(earlier))
        source.add(
            str(record["id"]), images, captions=tuple(captions), question=str(record["question"]),
            type=text(record, "content_type"),
            **choice_fields(record["options"], record["answer"], f"{path.name}, record {number}"),
        )  # fmt: skip


def deeptumorvqa(source: Source) -> None:
    """DeepTumorVQA 2.0, https://huggingface.co/datasets/tumor-vqa/DeepTumorVQA_2.0 (not seen).

    ``benchmark/test_qa.json`` as its card describes it and its authors' loader reads it:
    ``questions`` (or the same a line, ``test_qa.jsonl``), with ``qid``, ``image_id``,
    ``mc_question`` (the options stand in it), ``correct_option``, ``question_type``. Images are
    the CT volumes ``ct/IMAGE_ID/ct.nii.gz``, or the slices ``images_2d/whole/IMAGE_ID.png``.
    """
    path = source.references
    content = dataset_files.read_json(path)
    listed = content.get("questions") if isinstance(content, Mapping) else content
    fields = ("qid", "image_id", "mc_question", "correct_option")
    for record in dataset_files.records(listed, path, *fields):
        location = f"{path.name}, {record['qid']}"
        question, options = _split_options(str(record["mc_question"]))
        name = str(record["image_id"])
        volume = source.below(f"ct/{name}/ct.nii.gz")
        source.add(
            str(record["qid"]), [volume or f"images_2d/whole/{name}.png"], question=question,
            type=text(record, "question_type"), context=_patient(record),
            **choice_fields(options, record["correct_option"], location),
        )  # fmt: skip


def _patient(record: Mapping[str, Any]) -> str:
    details = (f"{what}: {record[what]}" for what in KNOWN_OF_PATIENTS if record.get(what))
    return "; ".join(details)


def _split_options(question: str) -> tuple[str, dict[str, str]]:
    """A question and the options that stand at its end, as ``A: one B: two``."""
    marks = list(_OPTION.finditer(question))
    first = next((n for n, mark in enumerate(marks) if mark[1] == "A"), len(marks))
    marks = marks[first:]
    ends = [*(mark.start() for mark in marks[1:]), len(question)]
    options = {m[1]: question[m.end() : end].strip() for m, end in zip(marks, ends, strict=False)}
    return question[: marks[0].start()].strip() if marks else question, options
