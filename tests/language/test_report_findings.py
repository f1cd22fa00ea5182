from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_medvlm.language.report_findings import ReportFinding, findings_of

CHEST = """EXAMINATION: Chest radiograph.
INDICATION: Rule out pneumonia, known emphysema.
FINDINGS: The lungs are hyperinflated. Small left pleural effusion with
adjacent atelectasis at the left base. No focal consolidation, pneumothorax,
or pulmonary edema.
IMPRESSION:
1. Small left pleural effusion
2. Possible 6 mm nodule in the right upper lobe
"""

WORDS = [
    *("no", "not", "without", "small", "left", "pleural effusion", "mass", "in the", "lung", "and"),
    *(
        "or",
        ",",
        ".",
        ";",
        "possible",
        "but",
        "is not seen",
        "\n",
        "HISTORY:",
        "FINDINGS:",
        "1.",
        "3 mm",
    ),
]


def phrases(text: str) -> list[str]:
    return [finding.phrase for finding in findings_of(text)]


def only(text: str) -> ReportFinding:
    (finding,) = findings_of(text)
    return finding


def test_a_whole_report_gives_what_a_reader_would_mark() -> None:
    found = [(f.phrase, f.negated, f.uncertain) for f in findings_of(CHEST)]
    assert found == [
        ("Small left pleural effusion", False, False),
        ("atelectasis at the left base", False, False),
        ("focal consolidation", True, False),
        ("pneumothorax", True, False),
        ("pulmonary edema", True, False),
        ("Small left pleural effusion", False, False),
        ("6 mm nodule in the right upper lobe", False, True),
    ]


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("There is a small left pleural effusion.", "small left pleural effusion"),
        ("Mild to moderate cardiomegaly", "Mild to moderate cardiomegaly"),
        ("A 2.5 x 1.3 cm mass.", "2.5 x 1.3 cm mass"),
        ("an ill-defined, patchy opacity", "ill-defined, patchy opacity"),
        ("Right upper and left lower lobe opacities", "Right upper and left lower lobe opacities"),
        ("Fracture of the left 5th rib", "Fracture of the left 5th rib"),
        ("Cyst in the upper pole of the left kidney", "Cyst in the upper pole of the left kidney"),
        ("Nodules in the left and right lungs", "Nodules in the left and right lungs"),
        ("Disc protrusion at L4-L5", "Disc protrusion at L4-L5"),
        ("ground\nglass opacities bilaterally", "ground glass opacities bilaterally"),
        ("Multiple hepatic metastases", "Multiple hepatic metastases"),
        (
            "A 2 cm heterogeneously enhancing mass centered in the right temporal lobe",
            "2 cm heterogeneously enhancing mass centered in the right temporal lobe",
        ),
        ("Lesions in segments 6 and 7 of the liver", "Lesions in segments 6 and 7 of the liver"),
        ("Simple cyst arising from the left kidney", "Simple cyst arising from the left kidney"),
        ("Consolidation, likely partially new", "Consolidation"),
    ],
)
def test_words_for_how_and_where_belong_to_the_phrase(text: str, phrase: str) -> None:
    assert only(text).phrase == phrase


def test_the_place_of_one_finding_is_not_given_to_the_next() -> None:
    found = phrases("Consolidation in the left lung and right pleural effusion.")
    assert found == ["Consolidation in the left lung", "right pleural effusion"]


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("No pneumothorax.", ["pneumothorax"]),
        ("No evidence of mass, effusion, or fracture.", ["mass", "effusion", "fracture"]),
        ("Cardiomegaly without effusion.", ["effusion"]),
        ("No pneumothorax, but a large effusion.", ["pneumothorax"]),
        ("No mass; effusion.", ["mass"]),
        ("No mass is seen and there is a small effusion.", ["mass"]),
        ("No pneumothorax, small effusion.", ["pneumothorax"]),
        ("No pneumothorax, possible mass.", ["pneumothorax"]),
        ("No pneumothorax\nSmall effusion", ["pneumothorax"]),
        ("A pneumothorax is not seen.", ["pneumothorax"]),
        ("Effusion is present and pneumothorax is not seen.", ["pneumothorax"]),
        ("The pneumothorax has resolved.", ["pneumothorax"]),
        ("The chest tube has been removed.", ["chest tube"]),
        ("Negative for fracture or dislocation.", ["fracture", "dislocation"]),
        ("The lungs are clear of consolidation.", ["consolidation"]),
    ],
)
def test_only_denied_findings_are_negated(text: str, absent: list[str]) -> None:
    assert [f.phrase for f in findings_of(text) if f.negated] == absent


@pytest.mark.parametrize(
    "text",
    [
        "No significant interval change in the effusion.",
        "No increase in the effusion.",
        "The effusion is not increased.",
        "Not only an effusion.",
        "CT without contrast shows a mass.",
    ],
)
def test_what_only_looks_like_a_denial_is_none(text: str) -> None:
    assert not only(text).negated


@pytest.mark.parametrize(
    ("text", "doubtful"),
    [
        ("Possible small nodule and a large effusion.", ["small nodule"]),
        ("Pneumonia cannot be excluded.", ["Pneumonia"]),
        ("Cannot exclude a mass.", ["mass"]),
        ("Opacity, likely atelectasis.", ["atelectasis"]),
        ("Atelectasis versus pneumonia.", ["Atelectasis", "pneumonia"]),
        ("Opacity which may represent pneumonia.", ["pneumonia"]),
        ("Concerning for pneumonia, infarct, or edema.", ["pneumonia", "infarct", "edema"]),
        ("Metastasis is suspected.", ["Metastasis"]),
        ("Mass, suspicious for glioma versus metastasis.", ["glioma", "metastasis"]),
        ("Definite mass.", []),
    ],
)
def test_only_doubtful_findings_are_uncertain(text: str, doubtful: list[str]) -> None:
    found = findings_of(text)
    assert [f.phrase for f in found if f.uncertain] == doubtful
    assert not any(f.negated for f in found)


def test_what_is_unlikely_is_both_negated_and_uncertain() -> None:
    finding = only("Pneumothorax is unlikely.")
    assert finding.negated
    assert finding.uncertain


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("HISTORY: mass. FINDINGS: effusion", ["effusion"]),
        ("Clinical information: mass\nFindings\neffusion", ["effusion"]),
        ("CT CHEST TECHNIQUE: mass\r\nLUNGS: effusion", ["effusion"]),
        ("COMPARISON AND FINDINGS: effusion", ["effusion"]),
        ("CONTRAST ENHANCEMENT: enhancing lesion", ["enhancing lesion"]),
        ("Compared to\nstudy\nno effusion", ["effusion"]),
        ("NO PNEUMOTHORAX\r\n\r\nSMALL EFFUSION", ["PNEUMOTHORAX", "SMALL EFFUSION"]),
    ],
)
def test_sections_about_why_and_how_are_not_searched(text: str, found: list[str]) -> None:
    assert phrases(text) == found


def test_the_sentence_is_given_on_one_line() -> None:
    finding = only("Lungs clear. There is a small\n  effusion on the left. Heart normal.")
    assert finding.sentence == "There is a small effusion on the left."
    assert finding.phrase == "small effusion on the left"


def test_a_decimal_point_and_an_abbreviation_do_not_end_a_sentence() -> None:
    assert only("No e.g. 1.5 cm mass.").negated


@pytest.mark.parametrize(
    "text", ["", "   \n", "The heart and lungs are normal.", "massive", "pneumo"]
)
def test_a_text_without_findings_gives_none(text: str) -> None:
    assert findings_of(text) == ()


@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)))
@settings(max_examples=300, deadline=None)
def test_spans_quote_the_report_in_order_and_do_not_overlap(report: str) -> None:
    end = 0
    for finding in findings_of(report):
        assert end <= finding.start < finding.stop <= len(report)
        assert finding.phrase == " ".join(report[finding.start : finding.stop].split())
        assert finding.phrase in finding.sentence
        end = finding.stop


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "word", ["no ", "small ", "is not seen ", "effusion in the left ", "\n", "x 3 "]
)
def test_a_long_text_without_sense_takes_no_long_time(word: str) -> None:
    findings_of(word * 1000 + "mass")
