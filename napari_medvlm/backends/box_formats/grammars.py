"""The box grammars of model families, one row each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Order = Literal["xyxy", "yxyx", "cxcywh"]
Origin = Literal["upper", "lower"]
Holds = Literal["boxes", "points", "masks", "voxels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """One way to write places as text.

    A number ``n`` on the x axis means ``(n + offset) / scale * width`` pixels, and on the y axis
    likewise of the height; with a `scale` of None it means ``n`` pixels.

    Attributes
    ----------
    title
        The families that write so.
    scale
        What the full width, and the full height, is divided into.
    highest
        The largest number allowed; None means the scale, or the side of the image in pixels.
    offset
        0.5 where a number names a bin, whose centre is then meant.
    decimals
        Digits behind the point when written.
    order, origin
        Of the four numbers as they stand in the text; ``cxcywh`` is centre and size.
    holds
        What the grammar is for. Boxes can be written too, see `write`.
    """

    name: str
    title: str
    example: str
    scale: float | None = None
    highest: float | None = None
    offset: float = 0.0
    decimals: int = 0
    order: Order = "xyxy"
    origin: Origin = "upper"
    holds: Holds = "boxes"


_ROWS = (
    Grammar(
        name="qwen2",
        title="Qwen2-VL, UMIT",
        scale=1000,
        example="<|object_ref_start|>polyp<|object_ref_end|>"
        "<|box_start|>(100,250),(500,750)<|box_end|>",
    ),
    Grammar(
        name="medseq",
        title="MedSeq-Grounder",
        example="It's in the second image. <|box_start|>(92,150),(164,224)<|box_end|>",
    ),
    Grammar(
        name="qwen2.5",
        title="Qwen2.5-VL, Lingshu and others tuned from it",
        example='```json\n[{"bbox_2d": [20, 30, 120, 90], "label": "polyp"}]\n```',
    ),
    Grammar(
        name="qwen3",
        title="Qwen3-VL",
        scale=1000,
        example='[{"bbox_2d": [100, 250, 500, 750], "label": "polyp"}]',
    ),
    Grammar(
        name="internvl",
        title="InternVL",
        scale=1000,
        example="<ref>nodule</ref><box>[[100, 250, 500, 750], [600, 10, 700, 50]]</box>",
    ),
    Grammar(
        name="medrega",
        title="MedRegA, FundusExpert",
        scale=999,
        example="<ref>left lung</ref><box>[[100, 250, 500, 750]]</box>: no focal lesion.",
    ),
    Grammar(
        name="minicpm",
        title="MiniCPM-V",
        scale=1000,
        example="<ref>mass</ref><box>100 250 500 750</box>",
    ),
    Grammar(
        name="llava",
        title="LLaVA style, RadVLM",
        scale=1,
        decimals=3,
        example="The opacity is at [0.100, 0.250, 0.500, 0.750].",
    ),
    Grammar(
        name="gemex",
        title="GEMeX",
        scale=224,
        example="<answer> Yes. <reason> The margin is blurred. <location> [[22, 56, 112, 168]]",
    ),
    Grammar(
        name="medvision",
        title="MedVision",
        scale=1,
        decimals=4,
        origin="lower",
        example="0.1000, 0.2500, 0.5000, 0.7500",
    ),
    Grammar(
        name="medrpg",
        title="MedRPG, uMedGround",
        scale=1,
        decimals=4,
        order="cxcywh",
        example="(0.3000, 0.5000, 0.4000, 0.5000)",
    ),
    Grammar(
        name="cogvlm",
        title="CogVLM",
        scale=1000,
        highest=999,
        example="A mass [[100,250,500,750]] in the left lung.",
    ),
    Grammar(
        name="florence2",
        title="Florence-2, AG-KD, K2Sight",
        scale=1000,
        highest=999,
        offset=0.5,
        example="cardiomegaly<loc_100><loc_250><loc_500><loc_750>",
    ),
    Grammar(
        name="paligemma",
        title="PaliGemma",
        scale=1024,
        highest=1023,
        order="yxyx",
        example="<loc0256><loc0128><loc0768><loc0512> nodule",
    ),
    Grammar(
        name="maira2",
        title="MAIRA-2",
        scale=100,
        highest=99,
        offset=0.5,
        example="<obj>Small left effusion.<box><x10><y20><x30><y40></box></obj>",
    ),
    Grammar(
        name="gemini",
        title="Gemini style, MedGemma 1.5",
        scale=1000,
        order="yxyx",
        example='```json\n[{"box_2d": [250, 100, 750, 500], "label": "heart"}]\n```',
    ),
    Grammar(
        name="kosmos2",
        title="Kosmos-2",
        scale=32,
        example="<phrase>a nodule</phrase><object><patch_index_0044><patch_index_0863></object>",
    ),
    Grammar(
        name="molmo",
        title="Molmo",
        scale=100,
        decimals=1,
        holds="points",
        example='<point x="61.5" y="40.6" alt="polyp">polyp</point>',
    ),
    Grammar(
        name="point-detect-count",
        title="Point-Detect-Count",
        example='{"counts": 2, "point_2d": [[30, 40], [55, 60]], '
        '"bbox_2d": [[20, 30, 45, 50], [50, 52, 64, 70]], "label": "polyp"}',
    ),
    Grammar(
        name="seg-token",
        title="UniBiomed, LISA style",
        holds="masks",
        example="There is <p>a liver tumor</p>[SEG] in the image.",
    ),
    Grammar(
        name="corners3d",
        title="3DReasonKnee",
        holds="voxels",
        example="(10, 20, 5), (60, 80, 25)",
    ),
)

GRAMMARS: Mapping[str, Grammar] = MappingProxyType({row.name: row for row in _ROWS})


def grammar_of(name: str) -> Grammar:
    """The grammar of that name; ValueError with the known names where there is none."""
    if name not in GRAMMARS:
        known = ", ".join(sorted(GRAMMARS))
        raise ValueError(f"There is no grammar {name!r}. The known ones are {known}.")
    return GRAMMARS[name]
