"""Questions that can be measured are answered, each sentence with its place; others are refused."""

import numpy as np
import pytest

import napari_medvlm as nmv
from benchmarks.tasks import mni_truths
from napari_medvlm.backends.embedded.measuring_qa import number_format
from napari_medvlm.backends.embedded.measuring_qa.question_forms import QuestionForm, read
from napari_medvlm.data.volume import Modality, Volume
from tests.conftest import make_phantom

PARAPHRASES = {
    QuestionForm.MODALITY: [
        "What modality is this?",
        "what kind of scan is it",
        "Is this a CT scan?",
    ],
    QuestionForm.SPACING: [
        "What is the voxel size?",
        "How thick are the slices?",
        "What is the spacing?",
        "What is the size of a voxel?",
    ],
    QuestionForm.SHAPE: ["How many slices?", "What are the dimensions of the image?"],
    QuestionForm.WIDTH: ["How wide is the lesion?", "What is the width of the lesion?"],
    QuestionForm.EXTENT: ["How large is the field of view?", "what is the size of the scan"],
    QuestionForm.COUNT: ["How many objects are there?", "how many structures"],
    QuestionForm.LARGER: [
        "Which lateral ventricle is larger, and by how much?",
        "Which is bigger, the left kidney or the right kidney?",
        "Is the left kidney larger than the right kidney?",
        "Compare the left and the right kidney",
        "Which of the two kidneys is the smaller",
        "Which kidney is bigger, left or right?",
        "How much larger is the left than the right kidney?",
    ],
    QuestionForm.EXTREME: [
        "Which lesion is the largest?",
        "How big is the smallest lesion?",
        "What is the smallest of the lesions?",
    ],
    QuestionForm.ABOVE: ["Which lesions are larger than 5 mL?", "Which kidneys are below 90 cc?"],
    QuestionForm.LIMIT: ["Is the lesion under 3 cm?", "Lesion volume at least 2 mL?"],
    QuestionForm.WITHOUT: ["What is the volume of the liver without the lesion?"],
    QuestionForm.RANK: ["Rank the kidneys by volume."],
    QuestionForm.FURTHER: ["Which kidney lies lower?"],
    QuestionForm.DIMENSIONS: ["What are the dimensions of the lesion?"],
    QuestionForm.BRIGHTEST: [
        "Which lesion is the darkest?",
        "Which lesion has the highest attenuation?",
        "What is the least dense lesion?",
    ],
    QuestionForm.SUM: [
        "What is the total volume of both kidneys?",
        "What is the sum of the liver and the spleen's volumes?",
        "How large are the kidneys together?",
    ],
    QuestionForm.RATIO: [
        "What is the ratio of liver to spleen volume?",
        "What's the grey to white matter ratio?",
    ],
    QuestionForm.RELATION: [
        "Is the left kidney below the spleen?",
        "Does the cyst lie to the left of the aorta?",
        "Is the putamen lateral to the thalamus?",
    ],
    QuestionForm.MIDLINE: [
        "How far is the right putamen from the midline?",
        "What is the distance between the midline and the left insula?",
    ],
    QuestionForm.DEPTH: ["How deep is the liver from front to back?"],
    QuestionForm.HEIGHT: ["How tall is the liver?"],
    QuestionForm.RANGE: ["What is the highest intensity in the liver?"],
    QuestionForm.BRIGHTER: [
        "Is white matter brighter than grey?",
        "Which is denser, the liver or the spleen?",
    ],
    QuestionForm.SHARE: [
        "What percentage of the liver is inside the box?",
        "Does the lesion lie in the liver?",
    ],
    QuestionForm.SLICES: ["In which slices is the lesion visible?"],
    QuestionForm.VOLUME: [
        "How large is the liver?",
        "What is the volume of the liver?",
        "size of liver",
        "What's the volume of the liver?",
        "How many ml of CSF are there?",
        "How much fat is there?",
        "Could you please tell me the liver's volume?",
        "brain volume",
    ],
    QuestionForm.DIAMETER: [
        "What is the longest diameter of the lesion?",
        "How long is the lesion?",
    ],
    QuestionForm.INTENSITY: ["What is the mean density of the lesion?", "How bright is the liver?"],
    QuestionForm.DISTANCE: [
        "How far is the lesion from the liver?",
        "What is the distance between A and B?",
    ],
    QuestionForm.OVERLAP: [
        "Which structures does the lesion touch?",
        "What does the lesion overlap with?",
    ],
    QuestionForm.AT: ["What is at 89,96,77?", "what lies at voxel (1, 2, 3)?"],
    QuestionForm.WHERE: [
        "Where is the left hippocampus?",
        "Where's the lesion?",
        "On which side is the lesion?",
    ],
    QuestionForm.PRESENT: ["Is there a lesion?", "Are there any lesions?", "Can you see a lesion?"],
}
BEYOND = [
    "What is the prognosis?",
    "Describe the findings.",
    "Why is the sky blue?",
    "Is the lesion malignant?",
    "What",
    "Describe the volume",
    "How deep is the lesion?",
    "Does the scan show a lesion?",
    "Which?",
]


@pytest.mark.parametrize(
    ("form", "question"), [(form, q) for form, texts in PARAPHRASES.items() for q in texts]
)
def test_paraphrases_are_understood(form, question):
    assert read(question).form is form


@pytest.mark.parametrize("unit", ["in ml", "in mL", "in cm³", ", in millilitres", "in mm"])
def test_a_unit_that_is_wished_for_is_no_part_of_the_name(unit):
    assert read(f"How large is the left kidney {unit}?").things == ("left kidney",)


@pytest.mark.parametrize("question", BEYOND)
def test_what_cannot_be_measured_is_refused_with_what_can(question):
    answer = nmv.ask(make_phantom()[0], question)
    assert not answer.answered
    assert "model" in answer.reason
    assert "volume of something" in answer.reason
    assert answer.claims == ()


@pytest.fixture(scope="module")
def scene():
    volume, left, right = make_phantom(degrees=(0, 0, 15))
    small = np.zeros_like(left)
    inside = np.argwhere(left).mean(0).astype(int)
    small[inside[0] - 1 : inside[0] + 2, inside[1] - 2 : inside[1] + 2, inside[2]] = True
    return volume, {"left kidney": left, "right kidney": right, "lesion": small}


def ask(scene, question):
    return nmv.ask(scene[0], question, masks=scene[1])


def test_which_is_larger_and_by_how_much(scene):
    volume, masks = scene
    answer = ask(scene, "Which kidney is larger, and by how much?")
    sizes = {name: mask.sum() * np.prod(volume.spacing) / 1000 for name, mask in masks.items()}
    larger = max(("left kidney", "right kidney"), key=sizes.get)
    by = abs(sizes["left kidney"] - sizes["right kidney"])
    assert answer.text.startswith(f"The {larger} is larger")
    assert f"{by:.2f} mL" in answer.text
    first = answer.claims[0]
    assert first.regions[0].name == larger
    assert {claim.source for claim in answer.claims} == {"measured"}
    assert len(answer.claims) == 3


def test_every_claim_lies_where_its_thing_lies(scene):
    volume, masks = scene
    (claim,) = ask(scene, "Where is the lesion?").claims
    center = volume.grid.to_world(np.argwhere(masks["lesion"]).mean(0))
    np.testing.assert_allclose(claim.regions[0].center_mm, center, atol=0.6)


def test_overlap_and_containment(scene):
    answer = ask(scene, "Which structures does the lesion overlap?")
    assert answer.text == "100 % of the lesion lies in the left kidney."


def test_a_diameter_is_the_longest(scene):
    volume, masks = scene
    half_steps = np.concatenate([np.eye(3), -np.eye(3)]) / 2
    borders = (np.argwhere(masks["lesion"])[:, None] + half_steps).reshape(-1, 3)
    positions = volume.grid.to_world(borders)
    longest = max(np.linalg.norm(positions - position, axis=1).max() for position in positions)
    assert f"{longest:.1f} mm" in ask(scene, "What is the longest diameter of the lesion?").text


def test_what_is_at_a_voxel(scene):
    index = tuple(int(i) for i in np.argwhere(scene[1]["lesion"])[0])
    answer = ask(scene, f"What is at {index[0]},{index[1]},{index[2]}?")
    assert f"{scene[0].data[index]:.4g} HU" in answer.claims[0].text
    assert [c.text for c in answer.claims[1:]] == [
        "It lies in the left kidney.",
        "It lies in the lesion.",
    ]
    outside = ask(scene, "What is at 999,0,0?")
    assert not outside.answered
    assert "outside the image" in outside.reason


def test_a_structure_that_was_not_segmented_is_not_called_absent(scene):
    answer = ask(scene, "Is there a fracture?")
    assert not answer.answered
    assert "cannot be measured" in answer.reason
    assert ask(scene, "Is there a lesion?").text.startswith("Yes: the lesion was segmented.")


def test_one_thing_cannot_be_compared(scene):
    volume, masks = scene
    answer = nmv.ask(volume, "Which kidney is larger?", masks={"left kidney": masks["left kidney"]})
    assert not answer.answered
    assert "only left kidney is known" in answer.reason


def test_the_header_answers_for_itself(scene):
    volume, _ = scene
    assert "CT" in ask(scene, "What modality is this?").text
    assert "2 x 1 x 1 mm" in ask(scene, "What is the voxel size?").text
    unknown = nmv.ask(Volume(volume.data, volume.affine), "What modality is this?")
    assert not unknown.answered


def test_the_atlas_answers_where_nothing_was_segmented():
    volume, truths = mni_truths(2)
    brain = Volume(volume.data, volume.affine, Modality.MR)
    left = nmv.ask(brain, "Where is the left hippocampus?")
    assert "on the patient's left" in left.text
    assert left.claims[0].source == "atlas"
    ventricle = nmv.ask(brain, "What is the volume of the left lateral ventricle?")
    assert ventricle.claims[0].regions[0].mask is not None
    index = tuple(int(i) for i in np.argwhere(truths["left ventricle"]).mean(0))
    at = nmv.ask(brain, f"What is at {index[0]},{index[1]},{index[2]}?")
    assert any("By the atlas" in claim.text for claim in at.claims)
    thalamus = nmv.ask(brain, "How large is the left thalamus?")
    assert not thalamus.answered
    assert "not its outline" in thalamus.reason


def test_labels_count_as_known(scene):
    volume, masks = scene
    values = masks["left kidney"].astype(np.uint8)
    labels = nmv.NamedLabels(values, volume.grid, {1: "Niere links"})
    answer = nmv.ask(volume, "How large is the left kidney?", labels=[labels])
    assert "Niere links" in answer.text


def test_a_mask_on_another_grid_is_refused(scene):
    with pytest.raises(nmv.MedVLMError, match="has the shape"):
        nmv.ask(scene[0], "How large is a?", masks={"a": np.ones((3, 3, 3))})


@pytest.mark.parametrize(
    ("most", "less", "text"),
    [
        (9.31, 9.29, "are equally large: they differ by 0.02 mL, less than 1 %."),
        (9.31, 9.31, "are equally large, 9.31 mL each."),
        (9.40, 9.30, "is larger than the right one, by 0.10 mL (1 %)."),
        (12.0, 8.0, "is larger than the right one, by 4.00 mL (50 %)."),
        (80.0, 8.0, "is larger than the right one, by 72.00 mL (10.0 times as large)."),
        (0.004, 0.002, "is larger than the right one, by 2 mm³ (2.0 times as large)."),
        (1.0, 0.0, "is larger than the right one, by 1.00 mL."),
    ],
)
def test_two_volumes_are_distinguished_where_an_outline_can_be_trusted(most, less, text):
    assert number_format.compared("left one", most, "right one", less).endswith(text)


def test_a_numbered_name_has_no_article():
    text = number_format.compared("Object 1", 3.0, "left lung", 2.0)
    assert text.startswith("Object 1 is larger than the left lung, by 1.00 mL")
    assert number_format.leading("left lung") == "The left lung"
    assert number_format.leading("nodule 2") == "Nodule 2"


def test_numbers_are_rounded_for_reading():
    assert number_format.volume(1512.34) == "1512.3 mL"
    assert number_format.share(0.0078) == "0.78 %"
    assert number_format.share(0.00002) == "less than 0.01 %"
    assert number_format.share(0.999) == "more than 99 %"
    assert number_format.share(1.0) == "100 %"
    assert number_format.intensity(12345.6) == "12346"
    assert number_format.intensity(-998.04) == "-998"
    assert number_format.position((17.2, -4.0, -23.4), 0) == "S 17, A 4, R 23 mm"


@pytest.mark.parametrize(
    ("question", "things"),
    [
        ("Is the left kidney larger than the right?", ("left kidney", "right kidney")),
        ("Which is smaller, the left or the right kidney?", ("left kidney", "right kidney")),
        ("Compare the left and right kidneys", ("left kidneys", "right kidneys")),
        ("Is the third larger than the fourth ventricle?", ("third ventricle", "fourth ventricle")),
        ("Which kidney is bigger, left or right?", ("left kidney", "right kidney")),
        ("Is the left kidney larger than the right one?", ("left kidney", "right kidney")),
        ("How far is the left from the right kidney?", ("left kidney", "right kidney")),
    ],
)
def test_a_noun_that_one_of_two_leaves_out_is_that_of_the_other(question, things):
    assert read(question).things == things


def test_a_width_is_the_extent_from_right_to_left_and_no_diameter(scene):
    volume, masks = scene
    corners = [np.argwhere(masks["lesion"]) + np.array(half) - 0.5 for half in np.ndindex(2, 2, 2)]
    left = volume.grid.to_world(np.concatenate(corners))[:, 2]
    answer = ask(scene, "How wide is the lesion?")
    assert answer.text == f"The lesion extends {np.ptp(left):.1f} mm from right to left."


def test_of_several_structures_of_a_name_none_is_chosen_for_a_distance(scene):
    answer = ask(scene, "How far is the lesion from the kidney?")
    assert not answer.answered
    assert "left kidney, right kidney" in answer.reason
    assert ask(scene, "How far apart are the two kidneys?").answered


def test_a_name_that_is_nearly_known_is_offered(scene):
    answer = ask(scene, "What is the volume of the leftmost kidney?")
    assert not answer.answered
    assert "Did you mean 'left kidney'?" in answer.reason
    assert "Did you mean" not in ask(scene, "What is the volume of the moon?").reason


def test_the_slices_are_counted(scene):
    z, y, x = scene[0].shape
    assert f"{z} slices" in ask(scene, "How many slices?").text
    assert f"{z} x {y} x {x} voxels" in ask(scene, "How many slices?").text


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Is the spleen above the kidney?", "Yes: the centre of the spleen lies 16 mm above"),
        ("Is the spleen inferior to the kidney?", "No: the centre of the spleen lies 16 mm above"),
        ("Is the kidney to the left of the spleen?", "Yes: the centre of the kidney lies 6 mm to"),
        (
            "Is the kidney behind the spleen?",
            "No: the centres of the kidney and the spleen are level",
        ),
        ("What is the ratio of the spleen to the kidney?", "the kidney is 0.5."),
        ("What is the ratio of the kidney to the spleen?", "the spleen is 2."),
        ("How many coronal slices are there?", "24 coronal slices, along y"),
        ("In which sagittal slices is the spleen?", "x = 4 to 7"),
        ("On which slice is the kidney best seen?", "z = 2 to 5, most of it in slice 2"),
    ],
)
def test_relations_ratios_and_planes_follow_from_the_voxels(question, answer):
    masks = {name: np.zeros((20, 24, 28), bool) for name in ("spleen", "kidney")}
    masks["spleen"][12:14, 8:12, 4:8] = True
    masks["kidney"][2:6, 8:12, 10:14] = True
    volume = Volume(np.zeros((20, 24, 28), np.int16), np.diag([1.7777, 1, 1, 1]), Modality.CT)
    assert answer in nmv.ask(volume, question, masks=masks).text


def test_an_oblique_image_has_no_slices_of_a_plane():
    turned = np.array([[0.7, -0.7, 0, 0], [0.7, 0.7, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    volume = Volume(np.zeros((8, 8, 8), np.int16), turned, Modality.CT)
    assert "no axial slices" in nmv.ask(volume, "How many axial slices are there?").text
    assert "8 sagittal slices" in nmv.ask(volume, "How many sagittal slices are there?").text


def test_the_midline_is_unknown_where_the_atlas_does_not_apply(scene):
    volume, masks = scene
    name = next(iter(masks))
    answer = nmv.ask(volume, f"How far is the {name} from the midline?", masks=masks)
    assert not answer.answered
    assert "midline is known by the brain atlas only" in answer.text
