from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from napari_medvlm.backends.embedded.atlas.structures import structures
from napari_medvlm.data.errors import SettingsError
from napari_medvlm.language.normalize import listed_names, words_of
from napari_medvlm.language.structure_names import Match, Names, Synonyms
from napari_medvlm.language.yaml_tables import HERE

BODY = [
    "spleen",
    "kidney_right",
    "kidney_left",
    "kidney_cyst_left",
    "gallbladder",
    "liver",
    "adrenal_gland_right",
    "adrenal_gland_left",
    "lung_upper_lobe_left",
    "lung_lower_lobe_left",
    "lung_upper_lobe_right",
    "colon",
    "urinary_bladder",
    "vertebrae_L2",
    "vertebrae_L1",
    "vertebrae_T12",
    "vertebrae_T1",
    "heart",
    "heart_ventricle_left",
    "aorta",
    "iliac_artery_left",
    "hip_left",
    "hip_right",
    "autochthon_left",
    "autochthon_right",
    "rib_left_1",
    "rib_left_10",
    "rib_right_1",
    "clavicula_left",
    "clavicula_right",
    "portal_vein_and_splenic_vein",
]
HEAD = [
    "Left-Cerebral-White-Matter",
    "Left-Lateral-Ventricle",
    "Right-Lateral-Ventricle",
    "Left-Inf-Lat-Vent",
    "Left-Thalamus-Proper",
    "3rd-Ventricle",
    "4th-Ventricle",
    "Brain-Stem",
    "Left-Hippocampus",
    "Right-Hippocampus",
    "CC_Posterior",
    "CC_Anterior",
    "ctx-lh-precentral",
    "ctx-rh-precentral",
    "Left-Cerebellum-Cortex",
]
SYNONYMS = Synonyms.load()
NAMES = Names(BODY + HEAD, SYNONYMS)
PHRASES = [name.replace("_", " ").replace("-", " ") for name in BODY + HEAD]


def found(phrase: str) -> list[str]:
    return [match.name for match in NAMES.find(phrase)]


@pytest.mark.parametrize(
    "phrase",
    [
        *(
            "left kidney",
            "Left Kidney",
            "LEFT KIDNEY",
            "kidney, left",
            "kidney_left",
            "Left-Kidney",
        ),
        *("LeftKidney", "the left kidney", "kidney of the left side", "Lt. kidney", "kidney L"),
        *(
            "left kidneys",
            "Niere links",
            "linke Niere",
            "li Niere",
            "rein gauche",
            "le rein gauche",
        ),
        *("ren sinister", "left-sided kidney"),
    ],
)
def test_the_same_structure_is_found_however_it_is_written(phrase: str) -> None:
    assert found(phrase) == ["kidney_left"]


@pytest.mark.parametrize(
    "phrase", ["kidney", "kidneys", "both kidneys", "left and right kidney", "Nieren"]
)
def test_a_phrase_without_one_side_finds_both(phrase: str) -> None:
    assert sorted(found(phrase)) == ["kidney_left", "kidney_right"]


@pytest.mark.parametrize(
    ("phrase", "names"),
    [
        ("hippocampi", ["Left-Hippocampus", "Right-Hippocampus"]),
        ("right hippocampal formation", ["Right-Hippocampus"]),
        ("l'hippocampe gauche", ["Left-Hippocampus"]),
        ("lateral ventricles", ["Left-Lateral-Ventricle", "Right-Lateral-Ventricle"]),
        ("third ventricle", ["3rd-Ventricle"]),
        ("left temporal horn", ["Left-Inf-Lat-Vent"]),
        ("left thalamus", ["Left-Thalamus-Proper"]),
        ("brainstem", ["Brain-Stem"]),
        ("splenium of the corpus callosum", ["CC_Posterior"]),
        ("right precentral gyrus", ["ctx-rh-precentral"]),
        ("left cerebellar cortex", ["Left-Cerebellum-Cortex"]),
        ("upper lobe of the left lung", ["lung_upper_lobe_left"]),
        ("left upper lobe", ["lung_upper_lobe_left"]),
        ("vertebra L1", ["vertebrae_L1"]),
        ("L1", ["vertebrae_L1"]),
        ("LWK 1", ["vertebrae_L1"]),
        ("T1 vertebra", ["vertebrae_T1"]),
        ("first left rib", ["rib_left_1"]),
        ("rib 10", ["rib_left_10"]),
        ("left collarbone", ["clavicula_left"]),
        ("left erector spinae", ["autochthon_left"]),
        ("adrenals", ["adrenal_gland_right", "adrenal_gland_left"]),
        ("bladder", ["urinary_bladder"]),
        ("Harnblase", ["urinary_bladder"]),
        ("portal vein", ["portal_vein_and_splenic_vein"]),
        ("left common iliac artery", ["iliac_artery_left"]),
        ("left kidney cyst", ["kidney_cyst_left"]),
        ("left ventricle", ["heart_ventricle_left", "Left-Lateral-Ventricle"]),
        ("vertebrae", ["vertebrae_L2", "vertebrae_L1", "vertebrae_T12", "vertebrae_T1"]),
    ],
)
def test_names_of_models_are_found_by_what_people_say(phrase: str, names: list[str]) -> None:
    assert found(phrase) == names


@pytest.mark.parametrize(
    "phrase",
    [
        *("right kidney cyst", "liver lesion", "left upper lobe nodule", "vertebra L3", "rib 2"),
        *(
            "left external iliac artery",
            "lung",
            "gland",
            "right autochthonous fat",
            "",
            "the",
            "left",
            "?",
        ),
    ],
)
def test_what_is_not_there_is_not_found(phrase: str) -> None:
    assert found(phrase) == []


def test_the_other_side_scores_nothing_even_if_all_else_fits() -> None:
    names = Names(["kidney_left"], SYNONYMS)
    assert names.find("right kidney", at_least=0.0) == ()
    assert names.nearest("right kidney") is None


def test_another_number_scores_nothing_even_if_all_else_fits() -> None:
    assert Names(["vertebrae_L2"], SYNONYMS).nearest("vertebra L1") is None


def test_a_name_that_covers_more_than_is_asked_for_is_only_nearest() -> None:
    names = Names(["kidneys", "spleen"], SYNONYMS)
    assert names.find("left kidney") == ()
    assert names.nearest("left kidney") == Match("kidneys", 0.5)
    assert names.find("both kidneys") == (Match("kidneys", 1.0),)


def test_one_name_for_both_sides_is_found_by_both_and_by_neither_side() -> None:
    names = Names(["left_and_right_kidneys"], SYNONYMS)
    scores = [names.nearest(p) for p in ("both kidneys", "kidneys", "left kidney")]
    assert [match and match.score for match in scores] == [1.0, 0.9, 0.5]


def test_the_same_words_score_one_and_other_words_less() -> None:
    scores = [NAMES.find(p)[0].score for p in ("left kidney", "Niere links", "left kidny")]
    assert scores == [1.0, 0.95, 0.85]


def test_a_cyst_of_a_structure_is_near_to_it_but_below_what_is_found() -> None:
    near = Names(["kidney_left"], SYNONYMS).nearest("left kidney cyst")
    assert near is not None
    assert 0 < near.score < 0.6


@pytest.mark.parametrize(
    ("phrase", "names"),
    [
        ("left kidny", ["kidney_left"]),
        ("left kindey", ["kidney_left"]),
        ("livar", ["liver"]),
        ("rigth kidney", ["kidney_right"]),
        ("left hipocampus", ["Left-Hippocampus"]),
        ("vertabra L1", ["vertebrae_L1"]),
        ("bright left kidney", []),
        ("left kdny", []),
    ],
)
def test_one_wrong_letter_is_forgiven(phrase: str, names: list[str]) -> None:
    assert found(phrase) == names


def test_a_side_that_is_one_letter_away_is_not_taken_for_a_side() -> None:
    assert found("light kidney") == []


@given(st.sampled_from(PHRASES), st.randoms(use_true_random=False))
def test_neither_case_nor_order_of_the_words_matters(phrase: str, random: object) -> None:
    words = phrase.split()
    random.shuffle(words)  # type: ignore[attr-defined]
    expected = NAMES.find(phrase)
    assert expected
    for turned in (str.upper, str.lower, str.title, str.swapcase):
        assert NAMES.find(turned(" ".join(words))) == expected


@given(st.text())
def test_any_text_may_be_asked_for(phrase: str) -> None:
    assert all(0.6 <= match.score <= 1 for match in NAMES.find(phrase))


@given(st.sampled_from(BODY + HEAD))
def test_every_name_finds_itself_first(name: str) -> None:
    assert NAMES.find(name)[0] == Match(name, 1.0)


def test_synonyms_may_come_from_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("structures:\n  kidney: [bean]\n")
    names = Names(["kidney_left"], Synonyms.load(path))
    assert [match.name for match in names.find("left bean")] == ["kidney_left"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("structures:\n  kidney: bean\n", "Line 2 of mine.yaml: structures / kidney"),
        (
            "structures:\n  kidney: [ren]\n  liver: [1]\n",
            "Line 3 of mine.yaml: structures / liver / 0",
        ),
        ("lesions: []\nnames: {}\n", "Line 2 of mine.yaml: names: Extra inputs"),
        ("structures:\n  kidney: [ren\nx: 1", "Line 3 of mine.yaml is not YAML"),
        ("- kidney\n", "Line 1 of mine.yaml: the file"),
    ],
)
def test_a_bad_file_is_named_with_its_line_and_a_remedy(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=re.escape(message)) as raised:
        Synonyms.load(path)
    assert str(path) in raised.value.hint


BRAIN = tuple(structures())
FAMILIES: dict[str, set[str]] = {
    "the ventricles": {
        "third ventricle", "fourth ventricle", "left lateral ventricle", "right lateral ventricle",
    },
    "basal ganglia, left": {"left caudate nucleus", "left putamen", "left globus pallidus"},
    "left cingulate gyrus": {
        f"left {part} cingulate gyrus" for part in ("anterior", "middle", "posterior")
    },
    "GP": {"left globus pallidus", "right globus pallidus"},
    "temporal lobe (both sides)": {"left temporal lobe", "right temporal lobe"},
    "CSF": set(),
    "left fourth ventricle": set(),
}  # fmt: skip
IN_OTHER_LANGUAGES = {
    "gray matter": "grey matter", "graue Substanz": "grey matter", "matière grise": "grey matter",
    "substantia grisea": "grey matter", "weiße Substanz": "white matter",
    "Stirnlappen links": "left frontal lobe", "lobus frontalis sinister": "left frontal lobe",
    "Scheitellappen rechts": "right parietal lobe", "lobe occipital droit": "right occipital lobe",
    "Schläfenlappen links": "left temporal lobe", "pôle temporal gauche": "left temporal pole",
    "Kleinhirnhemisphäre links": "left cerebellar hemisphere", "Kleinhirn": "cerebellar vermis",
    "Kleinhirnwurm": "cerebellar vermis", "gyrus angulaire droit": "right angular gyrus",
    "Gyrus cinguli anterior": "left anterior cingulate gyrus",
    "Ventriculus lateralis sinister": "left lateral ventricle",
    "Ventriculus quartus": "fourth ventricle", "dritter Ventrikel": "third ventricle",
    "Heschl's gyrus": "left Heschl gyrus", "Sehrinde": "left calcarine cortex",
    "lateral ventrical": "left lateral ventricle",
}  # fmt: skip


@pytest.mark.parametrize(("phrase", "wanted"), FAMILIES.items())
def test_the_name_of_a_family_finds_its_members_and_nothing_else(
    phrase: str, wanted: set[str]
) -> None:
    assert {match.name for match in Names(BRAIN, Synonyms.load()).find(phrase)} == wanted


@pytest.mark.parametrize(("phrase", "wanted"), IN_OTHER_LANGUAGES.items())
def test_structures_of_the_brain_have_names_in_latin_german_and_french(
    phrase: str, wanted: str
) -> None:
    assert wanted in {match.name for match in Names(BRAIN, Synonyms.load()).find(phrase)}


def test_no_synonym_holds_a_word_for_a_side() -> None:
    """Sides are left out of names: "gyrus droit" would mean any gyrus."""
    sheet = yaml.safe_load((HERE / "synonyms.yaml").read_text("utf-8"))
    texts = [text for name, others in sheet["structures"].items() for text in (name, *others)]
    assert [text for text in texts if words_of(text).sides] == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("liver, spleen and aorta", ["liver", "spleen", "aorta"]),
        ("liver, spleen, and the aorta", ["liver", "spleen", "aorta"]),
        ("putamen and caudate on the left", ["left putamen", "left caudate"]),
        ("putamen and caudate on both sides", ["both putamen", "both caudate"]),
        ("left thalamus and right putamen", ["left thalamus", "right putamen"]),
        ("left putamen and caudate", ["left putamen", "left caudate"]),
        ("left putamen and the caudate", ["left putamen and the caudate"]),
        ("putamen and left caudate", ["putamen and left caudate"]),
        ("and liver", ["and liver"]),
        ("thalamus", ["thalamus"]),
    ],
)
def test_names_in_a_list_have_their_own_side_or_the_one_behind_all(text, names):
    assert listed_names(text) == names
