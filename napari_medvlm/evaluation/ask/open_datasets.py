"""Questions with answers in words: VQA-RAD, SLAKE, PathVQA, Kvasir-VQA-x1, and one's own."""

from __future__ import annotations

from typing import Any

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.evaluation.ask.dataset_records import (
    Source,
    choice_fields,
    image_in_cell,
    parquet_rows,
    text,
)
from napari_medvlm.evaluation.ask.items import kind_of
from napari_medvlm.evaluation.references import dataset_files


def plain(source: Source) -> None:
    """Questions of one's own.

    Fields: ``question`` and ``image`` or ``images``; ``answer``, or ``options`` with the letter or
    text of the right one as ``answer`` (a list: all of them), or ``values``, a number or several of
    which the relative error is computed. ``id``, ``type``, ``pair``, ``context``, ``captions`` and
    ``boxes`` (``x0, y0, x1, y1`` in pixels of the first image) may be there.
    """
    path = source.references
    for number, record in enumerate(
        dataset_files.records(dataset_files.read_json(path), path, "question"), 1
    ):
        location = f"{path.name}, record {number}"
        dataset_files.need(record, location, "image" if "images" not in record else "images")
        images = _as_list(record.get("images") or record.get("image"))
        captions = _as_list(record.get("captions"))
        if captions and len(captions) != len(images):
            raise InvalidReference(
                f"{location} has {len(captions)} captions for {len(images)} images.",
                "Write one for each image, or none.",
            )
        source.add(
            str(record.get("id", f"{number:06d}")),
            [str(image) for image in images],
            question=str(record["question"]),
            captions=tuple(map(str, captions)),
            type=text(record, "type"),
            pair=text(record, "pair"),
            context=text(record, "context"),
            boxes=tuple(
                dataset_files.numbers(box, 4, location) for box in record.get("boxes") or ()
            ),
            **_answer_fields(record, location),
        )


def _answer_fields(record: dataset_files.Record, location: str) -> dict[str, Any]:
    """What is right: an option, values, or words."""
    if record.get("options"):
        return choice_fields(record["options"], record.get("answer"), location)
    if "values" in record:
        values = _as_list(record["values"])
        numbers = dataset_files.numbers(values, len(values), location)
        if not numbers or 0 in numbers:
            raise InvalidReference(
                f"{location}: of the values {values} no relative error can be computed.",
                "Give values that are not 0, or ask for them in words, with an answer.",
            )
        return {"answer": text(record, "answer"), "values": numbers}
    dataset_files.need(record, location, "answer")
    answer_value = record["answer"]
    answer = ("no", "yes")[answer_value] if isinstance(answer_value, bool) else str(answer_value)
    return {"answer": answer, "kind": kind_of(answer)}


def _as_list(value: Any) -> list[Any]:
    """What is one or several as a list; nothing as an empty one."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def vqa_rad(source: Source) -> None:
    """VQA-RAD, https://osf.io/89kps/ (``VQA_RAD Dataset Public.json``).

    Fields as those who use it name them; the file itself was not seen: ``qid``, ``phrase_type``
    (``test_freeform`` and ``test_para`` are the test set, which alone is taken where it is there),
    ``image_name``, ``question``, ``question_type``, ``answer``, ``answer_type``. Also the Parquet
    of https://huggingface.co/datasets/flaviagiammarino/vqa-rad: ``image``, ``question``,
    ``answer``.
    """
    path = source.references
    if path.suffix != ".json":
        return _parquet(source)
    fields = ("qid", "image_name", "question", "answer", "answer_type")
    records = dataset_files.records(dataset_files.read_json(path), path, *fields)
    test = [r for r in records if str(r.get("phrase_type", "")).startswith("test")]
    chosen = test or records
    source.note_skipped(len(chosen), len(records), "they are not of the test set (phrase_type).")
    for record in chosen:
        answer = str(record["answer"]).strip()
        kind = str(record["answer_type"]).strip().lower()
        source.add(
            f"{record['qid']}", [str(record["image_name"])], question=str(record["question"]),
            answer=answer, kind=kind_of(answer), type=kind,
        )  # fmt: skip
    return None


def slake(source: Source) -> None:
    """SLAKE, https://www.med-vqa.com/slake/ (``test.json`` and its like, images in ``imgs``).

    Fields ``img_name``, ``question``, ``answer``, ``q_lang``, ``answer_type``, ``content_type``,
    ``qid``. Questions in English are taken.
    """
    path = source.references
    fields = ("img_name", "question", "answer", "q_lang", "answer_type", "qid")
    records = list(dataset_files.records(dataset_files.read_json(path), path, *fields))
    english = [record for record in records if record["q_lang"] == "en"]
    source.note_skipped(len(english), len(records), "they are not in English (q_lang).")
    for record in english:
        answer = str(record["answer"]).strip()
        source.add(
            f"{record['qid']}", [f"imgs/{record['img_name']}"], question=str(record["question"]),
            answer=answer, kind=kind_of(answer), type=str(record["answer_type"]).lower(),
        )  # fmt: skip


def path_vqa(source: Source) -> None:
    """PathVQA, the Parquet of https://huggingface.co/datasets/flaviagiammarino/path-vqa.

    Columns ``image``, ``question``, ``answer``, as its card states; the file itself was not seen.
    """
    _parquet(source)


def kvasir(source: Source) -> None:
    """Kvasir-VQA-x1, https://huggingface.co/datasets/SimulaMet/Kvasir-VQA-x1 (not seen).

    Fields as those who use it name them: ``img_id`` (images are ``img_id.jpg``), ``question``,
    ``answer``, ``complexity`` (1 to 3), as Parquet, JSON or JSON lines; and the JSON lines of its
    authors' notebook, with ``messages`` and ``images``.
    """
    path = source.references
    if path.is_dir() or path.suffix == ".parquet":
        records: Any = list(parquet_rows(path, "img_id", "question", "answer"))
    else:
        records = dataset_files.records(dataset_files.read_json(path), path)
    for number, record in enumerate(records, 1):
        location = f"{path.name}, record {number}"
        if "messages" in record:
            dataset_files.need(record, location, "images")
            question, answer = (str(message["content"]) for message in record["messages"][:2])
            image, kind = str(record["images"][0]), ""
        else:
            dataset_files.need(record, location, "img_id", "question", "answer")
            question, answer = str(record["question"]), str(record["answer"])
            image, kind = f"{record['img_id']}.jpg", f"complexity {record.get('complexity', '?')}"
        source.add(
            f"{number:06d}", [image], question=question.replace("<image>", "").strip(),
            answer=answer, kind=kind_of(answer), type=kind,
        )  # fmt: skip


def _parquet(source: Source) -> None:
    """Columns ``image``, ``question``, ``answer``."""
    columns = ("image", "question", "answer")
    for number, row in enumerate(parquet_rows(source.references, *columns), 1):
        answer = str(row["answer"]).strip()
        kind = kind_of(answer)
        source.add(
            f"{number:06d}", [image_in_cell(source, row["image"])], question=str(row["question"]),
            answer=answer, kind=kind, type="open" if kind == "open" else "closed",
        )  # fmt: skip
