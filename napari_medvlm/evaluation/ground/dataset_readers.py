"""The images and regions that the files of published data sets list."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.evaluation.ground.cases import Case, Frame, Layout, Reference
from napari_medvlm.evaluation.references import dataset_files
from napari_medvlm.evaluation.references.dataset_files import ImageIndex
from napari_medvlm.evaluation.references.tables import IMAGE, PATIENT, PHRASE, PIXELS, VINDR, VOXELS
from napari_medvlm.evaluation.runs.cases import Cases, SkippedCase

_OBJECT = re.compile(r"<\|object_ref_start\|>(.*?)<\|object_ref_end\|>", re.DOTALL)
_TAG = re.compile(r"<\|?/?[a-z_]+\|?>")


@dataclass
class ListedImage:
    """What is known of one image while a file is read."""

    size: tuple[int, int] | None = None
    references: list[Reference] = field(default_factory=list)


ListedImages = dict[str, ListedImage]


def read_coco(path: Path) -> ListedImages:
    """COCO's object detection format, https://cocodataset.org/#format-data.

    Boxes are ``x, y, width, height`` from the upper left corner. ``slice`` of an image, and a
    ``caption`` or ``phrase`` of an annotation, which are not COCO's own, are read where they stand;
    the phrase is else the category's name. Crowds (``iscrowd``) are no single place, and left out.
    """
    content = dataset_files.read_json(path)
    dataset_files.need(content, path.name, "images", "annotations", "categories")
    images: ListedImages = {}
    slices: dict[object, tuple[str, int]] = {}
    for image in dataset_files.records(content["images"], path, "id", "file_name"):
        name = str(image["file_name"])
        slices[image["id"]] = name, int(image.get("slice", 0))
        size = (int(image["height"]), int(image["width"])) if "height" in image else None
        images.setdefault(name, ListedImage(size))
    classes = {
        c["id"]: str(c["name"])
        for c in dataset_files.records(content["categories"], path, "id", "name")
    }
    for number, annotation in enumerate(content["annotations"], 1):
        location = f"{path.name}, annotation {number}"
        dataset_files.need(annotation, location, "image_id", "category_id", "bbox")
        if annotation.get("iscrowd"):
            continue
        if annotation["image_id"] not in slices or annotation["category_id"] not in classes:
            raise InvalidReference(
                f"{location} speaks of an image or category that is not in the file.",
                "Export the boxes again as COCO JSON.",
            )
        (name, index), label = slices[annotation["image_id"]], classes[annotation["category_id"]]
        x, y, width, height = dataset_files.numbers(annotation["bbox"], 4, location)
        phrase = str(annotation.get("phrase") or annotation.get("caption") or label)
        images[name].references.append(_pixels(phrase, label, (x, y, x + width, y + height), index))
    return images


def read_mscxr(path: Path) -> ListedImages:
    """MS-CXR's table, https://physionet.org/content/ms-cxr/1.1.0/ (not seen, needs an account).

    Its columns, as those who use it name them: ``dicom_id``, ``category_name``, ``label_text``,
    ``path``, ``x``, ``y``, ``w``, ``h``, ``image_width``, ``image_height`` and, from 1.1.0,
    ``split``. Images are MIMIC-CXR-JPG's at their full size.
    """
    images: ListedImages = {}
    wanted = ("dicom_id", "category_name", "label_text", "x", "y", "w", "h")
    for line, row in dataset_files.read_rows(path, *wanted, "image_width", "image_height"):
        location = f"{path.name}, line {line}"
        x, y, w, h = (dataset_files.number(row[column], location) for column in "xywh")
        size = tuple(
            int(dataset_files.number(row[f"image_{n}"], location)) for n in ("height", "width")
        )
        image = images.setdefault(
            row.get("path") or row["dicom_id"], ListedImage((size[0], size[1]))
        )
        bounds = (x, y, x + w, y + h)
        image.references.append(_pixels(row["label_text"], row["category_name"], bounds))
    return images


def read_vindr(path: Path) -> ListedImages:
    """VinDr-CXR's tables, https://physionet.org/content/vindr-cxr/1.0.0/ (not seen, needs an
    account), and those of the VinBigData challenge on Kaggle.

    Columns ``image_id``, ``class_name``, ``x_min``, ``y_min``, ``x_max``, ``y_max`` and others,
    which are not needed. Rows without numbers (*No finding*) state that nothing was seen.
    """
    images: ListedImages = {}
    for line, row in dataset_files.read_rows(path, "image_id", "class_name", *VINDR):
        image = images.setdefault(row["image_id"], ListedImage())
        if row["x_min"]:
            location = f"{path.name}, line {line}"
            bounds = tuple(dataset_files.number(row[column], location) for column in VINDR)
            image.references.append(_pixels(row["class_name"], row["class_name"], bounds))
    return images


def read_boxes(path: Path) -> ListedImages:
    """A table with the columns of `references.read_references`, and the image of each row."""
    images: ListedImages = {}
    rows = list(dataset_files.read_rows(path))
    if not rows:
        raise InvalidReference(
            f"{path.name} holds no row with the corners of a box.", "Choose another file."
        )
    columns = rows[0][1]
    image = next((c for c in IMAGE if c in columns), "")
    phrase = next((c for c in PHRASE if c in columns), "")
    corners = next((c for c in (PATIENT, VOXELS, PIXELS, VINDR) if set(c) <= set(columns)), ())
    if not (image and phrase and corners):
        raise InvalidReference(
            f"{path.name} lacks a column of images, of phrases, or of corners.",
            f"Name them image, phrase and one of {','.join(PATIENT)}; {','.join(VOXELS)}; "
            f"{','.join(PIXELS)}.",
        )
    in_space = Frame.PATIENT if corners == PATIENT else Frame.VOXELS
    frame = in_space if len(corners) == 6 else Frame.PIXELS
    for line, row in rows:
        location = f"{path.name}, line {line}"
        entry = images.setdefault(row[image], ListedImage())
        if not any(row[column] for column in corners):
            continue
        values = tuple(dataset_files.number(row[column], location) for column in corners)
        label = row.get("class_name") or row[phrase]
        if frame is Frame.PIXELS:
            index = int(dataset_files.number(row.get("slice") or 0, location))
            entry.references.append(_pixels(row[phrase], label, values, index))
        else:
            low, high = values[:3], values[3:]
            entry.references.append(
                Reference(phrase=row[phrase], label=label, frame=frame, low=low, high=high)
            )
    return images


def read_medsg(path: Path, below: ImageIndex) -> Cases[Case]:
    """MedSG-Bench's questions, https://huggingface.co/datasets/MedSG-Bench/MedSG-Bench.

    The file itself was not seen; its fields are those that the authors' evaluation reads: ``task``,
    ``images``, ``question`` with the phrase between ``<|object_ref_start|>`` and
    ``<|object_ref_end|>``, and ``answer``, ``x1, y1, x2, y2`` in pixels. It does not say on which
    image the answer is, so only the plane counts. The question is sent with all images together by
    backends that take sequences; boxes in it are pixels of the first image.
    """
    cases, skipped = [], []
    content = dataset_files.records(
        dataset_files.read_json(path), path, "task", "images", "question", "answer"
    )
    for number, record in enumerate(content, 1):
        name = f"{record['task']} {number:05d}"
        paths = [below(str(image)) for image in record["images"]]
        if None in paths or not paths:
            skipped.append(SkippedCase(name, "Not all of its images are there."))
            continue
        bounds = dataset_files.numbers(record["answer"], 4, f"{path.name}, record {number}")
        named = _OBJECT.findall(record["question"])
        phrase = " ".join(_TAG.sub(" ", named[0] if named else record["question"]).split())
        reference = _pixels(phrase, str(record["task"]), bounds, None)
        images = tuple(path for path in paths if path is not None)
        question = " ".join(_TAG.sub("", str(record["question"])).split())
        cases.append(Case(name=name, images=images, references=(reference,), question=question))
    return Cases(tuple(cases), tuple(skipped))


def _pixels(phrase: str, label: str, bounds: tuple[float, ...], index: int | None = 0) -> Reference:
    x0, y0, x1, y1 = bounds
    return Reference(phrase=phrase.strip(), label=label, low=(y0, x0), high=(y1, x1), slice=index)


READERS: dict[Layout, Callable[[Path], ListedImages]] = {
    Layout.COCO: read_coco,
    Layout.MSCXR: read_mscxr,
    Layout.VINDR: read_vindr,
    Layout.BOXES: read_boxes,
}
