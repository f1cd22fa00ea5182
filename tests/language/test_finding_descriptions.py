from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_medvlm.data.errors import MedVLMError, SettingsError
from napari_medvlm.language.finding_descriptions import Description, Knowledge

KNOWN = Knowledge.load()
TEMPLATE = "Locate the phrases in the caption: {phrase} means {definition}."
VINDR = (
    *("Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Clavicle fracture"),
    *(
        "Consolidation",
        "Emphysema",
        "Enlarged PA",
        "ILD",
        "Infiltration",
        "Lung cavity",
        "Lung cyst",
    ),
    *("Lung Opacity", "Mediastinal shift", "Nodule/Mass", "Pleural effusion", "Pleural thickening"),
    *("Pneumothorax", "Pulmonary fibrosis", "Rib fracture", "COPD", "Lung tumor", "Pneumonia"),
)
PADCHEST = (
    *("aortic elongation", "interstitial pattern", "scoliosis", "vertebral degenerative changes"),
    *("hilar enlargement", "NSG tube", "endotracheal tube", "central venous catheter", "goiter"),
    *("hyperinflated lung", "hiatal hernia", "bronchiectasis", "fibrotic band", "alveolar pattern"),
    *("electrical device", "hemidiaphragm elevation", "apical pleural thickening", "sternotomy"),
    *("heart valve prosthesis", "costophrenic angle blunting", "kyphosis", "laminar atelectasis"),
)
MINE = """
findings:
  Pleural effusion:
    shape: pool
    source: my notes
  snow storm: {shape: flurry of dots, density: bright}
"""


def named(phrase: str) -> str:
    found = KNOWN.describe(phrase)
    assert found is not None, phrase
    return found.finding


@pytest.mark.parametrize("label", [*VINDR, *PADCHEST])
def test_the_labels_of_vindr_and_padchest_are_described(label: str) -> None:
    assert KNOWN.describe(label) is not None


@pytest.mark.parametrize(
    ("phrase", "finding"),
    [
        ("small left pleural effusion", "pleural effusion"),
        ("Bilateral Pleural Effusions", "pleural effusion"),
        ("PNEUMOTHORACES", "pneumothorax"),
        ("fracture of the left 5th rib", "rib fracture"),
        ("3 mm nodule in the right lung", "lung nodule"),
        ("ground-glass opacities bilaterally", "ground-glass opacity"),
        ("multiple brain metastases", "brain metastasis"),
        ("simple renal cysts", "kidney cyst"),
        ("nodule in the left lobe of the thyroid", "nodule"),
        ("small joint effusion", "joint effusion"),
        ("thyroid nodule", "nodule"),
    ],
)
def test_case_number_side_and_other_words_do_not_matter(phrase: str, finding: str) -> None:
    assert named(phrase) == finding


def test_the_description_with_the_most_words_wins() -> None:
    found = [
        named("opacity"),
        named("ground-glass opacity"),
        named("vertebral compression fracture"),
    ]
    assert found == ["lung opacity", "ground-glass opacity", "vertebral compression fracture"]


@pytest.mark.parametrize("phrase", ["", "left", "unicorn", "the heart"])
def test_what_is_not_described_gives_none(phrase: str) -> None:
    assert KNOWN.describe(phrase) is None
    assert KNOWN.expand(phrase, TEMPLATE) == phrase


def test_a_phrase_is_expanded_into_the_template() -> None:
    asked = KNOWN.expand("A pneumothorax", TEMPLATE)
    assert asked == (
        "Locate the phrases in the caption: A pneumothorax means a crescent of air bounded by "
        "a thin white line, the edge of the lung, darker than lung, without any vessels in it, "
        "between lung and chest wall, mostly at the top of the chest."
    )


def test_every_description_is_a_phrase_with_an_article_and_a_source() -> None:
    known = [KNOWN.describe(label) for label in (*VINDR, *PADCHEST, "liver cyst", "glioma")]
    for found in filter(None, known):
        assert re.fullmatch(r"an? \w.*[^.,\s]", found.text)
        assert found.source == "general radiology knowledge"


def test_empty_parts_leave_no_commas() -> None:
    assert Description("x", "oval spot", "", "in bone", "me").text == "an oval spot, in bone"


def test_braces_in_a_phrase_are_only_text() -> None:
    assert (
        KNOWN.expand("pneumothorax {definition} {0}", "{phrase}!")
        == "pneumothorax {definition} {0}!"
    )


def test_an_unknown_name_in_a_template_is_reported() -> None:
    with pytest.raises(SettingsError, match=r"\{target\}.*\{phrase\} and \{definition\}"):
        KNOWN.expand("pneumothorax", "{target} means {definition}")


def test_the_users_own_file_goes_before_the_packaged_one(tmp_path: Path) -> None:
    path = tmp_path / "knowledge.yaml"
    path.write_text(MINE)
    known = Knowledge.load(user_file=path)
    for phrase in ("left pleural effusion", "effusion"):
        assert known.describe(phrase) == Description("Pleural effusion", "pool", "", "", "my notes")
    assert known.expand("snow storm", "{definition}") == "a flurry of dots, bright"
    assert known.describe("pneumothorax") == KNOWN.describe("pneumothorax")


@pytest.mark.parametrize("key", ["location", "place"])
def test_a_location_is_read_from_files_of_this_version_and_of_0_1(tmp_path: Path, key: str) -> None:
    path = tmp_path / "k.yaml"
    path.write_text(f"findings:\n  a spot:\n    shape: spot\n    {key}: in bone\n")
    assert Knowledge.load(path).expand("spot", "{definition}") == "a spot, in bone"


def test_a_user_without_a_file_of_their_own_gets_the_packaged_one(tmp_path: Path) -> None:
    known = Knowledge.load(user_file=tmp_path / "knowledge.yaml")
    assert known.describe("pneumothorax") == KNOWN.describe("pneumothorax")


def test_a_file_in_place_of_the_packaged_one_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "k.yaml"
    path.write_text(MINE)
    assert Knowledge.load(path).describe("pneumothorax") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("findings:\n  a:\n    shape: [x]\n", "Line 3 of k.yaml: findings / a / shape"),
        (
            "findings:\n  a:\n    density: x\n",
            "Line 2 of k.yaml: findings / a / shape: Field required",
        ),
        ("findings:\n  a:\n    shape: ''\n", "Line 3 of k.yaml: findings / a / shape"),
        ("findings:\n  a: {shape: x,\n    sape: y}\n", "Line 3 of k.yaml: findings / a / sape"),
        ("findings:\n  a:\n    shape: 3\n", "Line 3 of k.yaml: findings / a / shape"),
        ("finding: {}\n", "Line 1 of k.yaml: finding: Extra inputs"),
        ("findings:\n  a:\n   shape: x: y\n", "Line 3 of k.yaml is not YAML"),
        ("findings:\n  a: 2024-13-45\n", "k.yaml is not YAML"),
        ("[" * 5000, "k.yaml is not YAML"),
        ("findings:\n  1: x\n", "Line 2 of k.yaml: findings / 1"),
        ("findings:\n  1: {shape: x}\n", "Line 2 of k.yaml: findings / 1"),
        ("just words", "Line 1 of k.yaml: the file"),
    ],
)
def test_a_bad_file_is_named_with_its_line_and_a_remedy(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "k.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=re.escape(message)) as raised:
        Knowledge.load(user_file=path)
    assert isinstance(raised.value, MedVLMError)
    assert str(path) in raised.value.hint


def test_a_file_that_is_no_text_or_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "k.yaml"
    with pytest.raises(SettingsError, match=r"k\.yaml cannot be read"):
        Knowledge.load(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"k\.yaml cannot be read"):
        Knowledge.load(path)


def test_an_empty_file_adds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "k.yaml"
    path.write_text("# nothing yet\n")
    assert Knowledge.load(path).describe("pneumothorax") is None


@given(st.text())
def test_any_text_may_be_expanded(phrase: str) -> None:
    assert phrase in KNOWN.expand(phrase, TEMPLATE)


@given(st.text(max_size=200))
def test_any_file_is_read_or_refused_with_a_reason(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "k.yaml"
    path.write_text(text, encoding="utf-8", errors="ignore")
    try:
        Knowledge.load(path)
    except SettingsError as error:
        assert error.hint
