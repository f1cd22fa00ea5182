"""The text that each row of the catalogue sends is the sentence of its authors' code."""
# ruff: noqa: E501

from __future__ import annotations

import pytest
from pydantic import ValidationError

from napari_medvlm.backends.models.catalog import Row, rows
from napari_medvlm.backends.vlm.chat_messages import system_text
from napari_medvlm.data.answer import AnswerKind, Question

REGION = (
    "The region is represented in the form of bounding box, [x1, y1, x2, y2], with integers ranging "
    "from 0 to 999. These values correspond to the top left x, top left y, bottom right x, and "
    "bottom right y."
)
SENT = {
    # README of IDEA-Research/GroundingDINO: lower case, a stop behind each phrase
    "Grounding DINO": ("", "left lung."),
    # transformers, OWLv2: the text alone
    "OWLv2, OWL-ViT": ("", "left lung"),
    # facebookresearch/sam3, sam3_image_processor.py, set_text_prompt: the text alone
    "SAM 3 by words": ("", "left lung"),
    # LijunRio/AG-KD, simple_use/detailed_example.py, without ``means {definition}``
    "AG-KD, K2Sight": (
        "", "<CAPTION_TO_PHRASE_GROUNDING>Locate the phrases in the caption: left lung.",
    ),
    # transformers, Florence-2
    "Florence-2": ("", "<CAPTION_TO_PHRASE_GROUNDING>left lung"),
    # YongchengYAO/MedVision, medvision_utils.py, without the description of the data set
    "MedVision (Qwen2.5-VL)": (
        "", "Task:\nGiven the input medical image, return the coordinates of the lower-left and "
        "upper-right corner of the bounding box for the left lung.\nFormat requirement:\nThe answer "
        "should be four decimal numbers separated by commas without any units or additional text. "
        "The first two numbers are the coordinates of the lower-left corner and the last two numbers "
        "are the coordinates of the upper-right corner of the bounding box. Use relative coordinates "
        "in the image space, where the origin is at the lower-left corner of the image. Relative "
        "coordinates should be values between 0 and 1, representing the relative positions in the "
        "image.",
    ),
    "Lingshu": ("", "Locate left lung, report the bbox coordinates in JSON format."),
    # simula/PointDetectCount, create_datasetJSON.py and the suffix in qwen_outputs
    "Point-Detect-Count (Qwen2.5-VL)": (
        "", " Return the bounding box of the left lung. Must output in this json format:"
        '[{"bbox_2d": [x1,y1,x2,y2], "label": b_lbl},.., {..}].',
    ),
    # MedSG-Bench: train/Task8_mini.json and PROMPT_TEMPLATE["format_qwen"]
    "MedSeq-Grounder (Qwen2.5-VL)": (
        "", "Identify the bounding box of the region described by the following expression: "
        "<|object_ref_start|>left lung<|object_ref_end|>.Format: <|box_start|>(x1,y1),(x2,y2)"
        "<|box_start|>. Strictly follow this format. Output only the coordinates. No additional "
        "text or explanation.",
    ),
    "Qwen2-VL": (
        "", "Detect the bounding box of <|object_ref_start|>left lung<|object_ref_end|>.",
    ),
    "Qwen3-VL": ("", "Locate left lung, report the bbox coordinates in JSON format."),
    "Qwen2.5-VL": ("", "Locate left lung, report the bbox coordinates in JSON format."),
    # xmed-lab/MedRegA, demo_data/data_file.jsonl, "this image" for "this MRI scan"
    "MedRegA": (
        "You are a helpful medical assistant. Your task is object detection. You are required to "
        f"find all the regions of the given objects. {REGION} For each object, please utilize this "
        'format to represent the region with its bounding box: "<ref>object</ref><box>[[x1, y1, x2, '
        'y2]]</box>". ',
        "\nPlease locate <ref>left lung</ref> in this image.",
    ),
    # MeteorElf/FundusExpert, src/quick_start.py
    "FundusExpert": (
        "", "Your task is to locate the left lung in the fundus color photograph, and represent it "
        "in the form of a bounding box, [x1, y1, x2, y2], where all values are normalized to integers "
        "between 0 and 999. These values correspond to the x of the upper left corner, the y of the "
        "upper left corner, the x of the lower right corner, and the y of the lower right corner. "
        "Please use this format to represent the region with a bounding box: \"<ref>left lung</ref>"
        "<box>[[x1, y1, x2, y2],...]</box>\". Note that the user only needs you to give the location "
        "coordinates.",
    ),
    "InternVL": (
        "", "Please provide the bounding box coordinate of the region this sentence describes: "
        "<ref>left lung</ref>",
    ),
    # microsoft/maira-2, processing_maira2.py: the image stands within the sentence
    "MAIRA-2": (
        "Given the current frontal image",
        " Repeat the following finding as a grounded phrase with bounding boxes indicating all "
        "locations where it can be seen in the given chest X-ray image. Finding: left lung",
    ),
    # Luffy03/UniBiomed, demo/demo_seg3D.py; <image> stands before it
    "UniBiomed": ("", "Please segment left lung."),
    "PaliGemma": ("", "detect left lung"),
    # Google-Health/medgemma, cxr_anatomy_localization_with_hugging_face.ipynb
    "MedGemma 1.5": (
        "", "Instructions:\nThe following user query will require outputting bounding boxes. The "
        "format of bounding boxes coordinates is [y0, x0, y1, x1] where (y0, x0) must be top-left "
        "corner and (y1, x1) the bottom-right corner. This implies that x0 < x1 and y0 < y1. Always "
        "normalize the x and y coordinates the range [0, 1000], meaning that a bounding box starting "
        "at 15% of the image width would be associated with an x coordinate of 150. You MUST output "
        "a single parseable json list of objects enclosed into ```json...``` brackets, for instance "
        '```json[{"box_2d": [800, 3, 840, 471], "label": "car"}, {"box_2d": [400, 22, 600, 73], '
        '"label": "dog"}]``` is a valid output. Now answer to the user query.\n\nRemember "left" '
        "refers to the patient's left side where the heart is and sometimes underneath an L in the "
        "upper right corner of the image.\n\nQuery:\nWhere is the left lung? Don't give a final "
        'answer without reasoning. Output the final answer in the format "Final Answer: X" where X '
        'is a JSON list of objects. The object needs a "box_2d" and "label" key. Answer:',
    ),
    "Gemma 3": (
        "", "Locate left lung in this image. Answer with a JSON list only, in the form "
        '[{"box_2d": [y0, x0, y1, x1], "label": "..."}], with whole numbers from 0 to 1000, where '
        "the upper left corner is 0, 0. If it is not there, answer [].",
    ),
}  # fmt: skip
DESCRIBED = {
    # LijunRio/AG-KD, simple_use/detailed_example.py
    "AG-KD, K2Sight": "<CAPTION_TO_PHRASE_GROUNDING>Locate the phrases in the caption: nodule means "
    "a small round opacity.",
}


@pytest.mark.parametrize("row", [row for row in rows() if row.prompt], ids=lambda row: row.title)
def test_the_text_for_a_phrase_is_the_sentence_of_the_authors(row):
    assert row.parts("left lung") == SENT[row.title]


@pytest.mark.parametrize("row", [row for row in rows() if row.prompt], ids=lambda row: row.title)
def test_a_description_is_sent_once_and_only_in_a_sentence_of_the_authors(row):
    sent = row.filled("nodule", "a small round opacity")
    assert sent == DESCRIBED.get(row.title, row.filled("nodule"))
    assert sent.count("Locate the phrases in the caption") == (row.title == "AG-KD, K2Sight")


def test_every_row_states_where_its_format_was_read_and_none_was_run_with_weights():
    assert all(row.format_source for row in rows())
    assert not [row.title for row in rows() if row.run_with_weights]


def test_braces_of_a_phrase_and_of_json_stay_as_they_are():
    row = rows()[0].model_copy(update={"prompt": 'Locate {phrase} as {"box": []}.'})
    assert row.filled("{definition} {image}") == 'Locate {definition} {image} as {"box": []}.'


@pytest.mark.parametrize(
    "fields",
    [{"prompt": "Locate it."}, {"described": "{phrase}"}, {"prompt": "{phrase}{image}{image}"}],
)
def test_a_row_without_its_placeholders_is_refused(fields):
    with pytest.raises(ValidationError, match="must have|may have"):
        Row.model_validate({**rows()[0].model_dump(), **fields})


SYSTEM = {
    # MAGIC-AI4Med/ChestX-Reasoner, prompt.py: rft_system_prompt and rft_format_prompt
    "ChestX-Reasoner": "You are a professional radiology doctor. You will be provided with chest X-ray images, and a question followed by several answer options, each marked with a letter (e.g., A), B), etc.). Your task is to think through the question step by step based on the analysis on the images, then return the letter corresponding to the most appropriate answer. Enclose the reasoning process within <think></think> and the answer within <answer></answer>. The output format is like <think> thinking processes </think><answer> letter the answer </answer>.",
    # lxirich/OphthaReason, eval.py: SYSTEM_PROMPT
    "OphthaReason": "You're a professional ophthalmologist.A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant first thinks about the reasoning process in the mind and then provides the user with the answer. The reasoning process and answer are enclosed within <think> </think> and <answer> </answer> tags, respectively, i.e., <think> reasoning process here </think><answer> answer here </answer>",
    # yuhos16/SkinGPT-R1, model_utils.py: DEFAULT_SYSTEM_PROMPT
    "SkinGPT-R1": "You are a professional AI dermatology assistant.",
    # UCSC-VLAA/MedVLSynther, convert_trl_for_vlm.py: INSTRUCTION_PROMPT
    "MedVLSynther": "You will solve a problem/request. You should provide your thoughts within <think> </think> tags before providing the answer.\nWrite your final answer within <answer> </answer> tags.",
    # UbiquantAI/Fleming-VL, demo.py: REASONING_PROMPT
    "Fleming-VL": "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant first thinks about the reasoning process in the mind and then provides the user a concise final answer in a short word or phrase. The reasoning process and answer are enclosed within <think> </think> and <answer> </answer> tags, respectively, i.e., <think> reasoning process here </think><answer> answer here </answer>",
    "Med-R1": "Output the thinking process in <think> </think> and final answer (option) in <answer> </answer> tags.",
    "MedGemma 1.5": "You are an expert radiologist.",
    # OpenGVLab/InternVL, conversation.py: Hermes-2, whose format the code of MedRegA imports
    "MedRegA": "你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，英文名叫InternVL, 是一个有用无害的人工智能助手。",  # noqa: RUF001
}


@pytest.mark.parametrize("row", [row for row in rows() if row.system], ids=lambda row: row.title)
def test_the_instruction_of_the_authors_begins_the_conversation_and_asks_for_no_other_order(row):
    assert row.system == SYSTEM[row.title]
    sent = system_text(Question("?", kind=AnswerKind.CHOICE), row, functions=False)
    assert sent.startswith(row.system)
    assert ("option first" in sent) == ("<answer>" not in row.system)
