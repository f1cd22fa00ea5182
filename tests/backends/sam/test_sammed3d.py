"""SAM-Med3D gives the masks that the authors' steps give with their modules, called by hand."""

import numpy as np
import pytest
import torch
from medim.models.sam_med3d import build_sam3D_vit_b_ori
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from scipy.ndimage import map_coordinates
from torch.nn.functional import interpolate

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.conformance.phantom import CENTER, phantom
from napari_medvlm.backends.sam.roi import MARGIN, SIDE, Lattice, covered
from napari_medvlm.backends.sam.sammed3d import SAMMed3DBackend
from napari_medvlm.data.errors import BackendUnavailable, Cancelled
from napari_medvlm.data.geometry.frames import ras_matrix
from napari_medvlm.data.prompts import InitialMask, Point
from napari_medvlm.data.volume import Volume
from tests.backends.automatic.tiny_volumes import SAM_SIZES, oblique, sammed3d, unet


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return sammed3d(tmp_path_factory.mktemp("model") / "sam_med3d_turbo.pth")


def quiet(fraction, message=""):
    pass


def segment(model, volume, prompts, steps=(), progress=quiet):
    backend = SAMMed3DBackend()
    backend.load(str(model), "cpu")
    backend.set_volume(volume)
    object_prompts = ObjectPrompts(tuple(prompts), tuple(steps) or (len(prompts),))
    return dispatch.segment(backend, volume, object_prompts, progress).full()


class ByHand:
    """A cube as torchio makes it (RAS, 1.5 mm, cut or padded with 0), and the authors' loop."""

    def __init__(self, model, volume, first_click):
        self.network = build_sam3D_vit_b_ori(**SAM_SIZES).eval()
        state = torch.load(model, weights_only=False)["model_state_dict"]
        self.network.load_state_dict(state)
        affine = ras_matrix(volume.affine)
        self.turn = io_orientation(affine)
        self.shape = volume.shape[::-1]
        image = apply_orientation(volume.data.T, self.turn).astype(np.float32)
        self.to_turned = np.linalg.inv(inv_ornt_aff(self.turn, self.shape))
        spacing = np.linalg.norm(affine[:3, :3], axis=0)[np.argsort(self.turn[:, 0])]
        self.step, self.turned_shape = 1.5 / spacing, image.shape
        start = np.floor(self.lattice(first_click) + 0.5) - 64
        self.start = start
        at = [(np.arange(128) + s + 0.5) * r - 0.5 for s, r in zip(start, self.step, strict=True)]
        positions = np.stack(np.meshgrid(*at, indexing="ij"))
        cube = torch.from_numpy(map_coordinates(image, positions, order=1, cval=0.0))
        above = cube[cube > 0]
        self.cube = ((cube - above.mean()) / above.std())[None, None]
        self.low = torch.zeros(1, 1, 32, 32, 32)
        with torch.no_grad():
            self.embedding = self.network.image_encoder(self.cube)

    def lattice(self, zyx):
        """A voxel of the volume as an index (x, y, z) among voxels of 1.5 mm."""
        turned = (self.to_turned @ [*zyx[::-1], 1])[:3]
        return (turned + 0.5) / self.step - 0.5

    def click(self, positions, labels):
        """The mask ``(z, y, x)`` after more clicks."""
        xyz = [np.floor(self.lattice(zyx) - self.start + 0.5) for zyx in positions]
        with torch.no_grad():
            sparse, dense = self.network.prompt_encoder(
                points=[torch.tensor(np.array(xyz)).float()[None], torch.tensor([labels])],
                boxes=None,
                masks=self.low,
            )
            self.low, _ = self.network.mask_decoder(
                image_embeddings=self.embedding,
                image_pe=self.network.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense,
                multimask_output=False,
            )  # fmt: skip
        high = interpolate(self.low, size=(128,) * 3, mode="trilinear", align_corners=False)
        found = (torch.sigmoid(high) > 0.5)[0, 0].numpy()
        index = [
            np.floor((np.arange(n) + 0.5) / r - 0.5 - s + 0.5).astype(int)
            for n, r, s in zip(self.turned_shape, self.step, self.start, strict=True)
        ]
        inverse = np.argsort(self.turn[:, 0])
        back = np.column_stack([inverse, self.turn[inverse, 1]])
        return apply_orientation(found[np.ix_(*index)], back).T


def smaller():
    """The phantom 3 % smaller: no voxel lies half-way between two of the cube."""
    return Volume(phantom().data, phantom().affine * 0.97 + 0.03 * np.diag([0, 0, 0, 1]))


@pytest.mark.parametrize(
    "volume", [smaller(), oblique(30), oblique(45, (2, 1, 0))], ids=["axial", "oblique", "45"]
)
def test_clicks_give_the_masks_of_the_authors_loop(volume, model):
    middle = np.array(volume.shape) // 2
    positions = [middle, middle + (0, 3, -4), middle + (-2, 5, 3)]
    labels = [1, 0, 1]
    prompts = [Point.at_index(volume, p, bool(w)) for p, w in zip(positions, labels, strict=True)]
    by_hand = ByHand(model, volume, positions[0])
    first = by_hand.click(positions[:1], labels[:1])
    assert np.array_equal(segment(model, volume, prompts[:1]), first)
    last = by_hand.click(positions[1:], labels[1:])
    assert np.array_equal(segment(model, volume, prompts, (1, 3)), last)
    assert first.any()
    assert not np.array_equal(first, last)


def test_the_steps_matter_and_are_taken_again(model):
    volume = phantom()
    prompts = [Point.at_index(volume, CENTER), Point.at_index(volume, (4, 5, 6), False)]
    backend = SAMMed3DBackend()
    backend.load(str(model), "cpu")
    backend.set_volume(volume)
    masks = {}
    for steps in ((2,), (1, 2), (2,)):
        masks.setdefault(steps, set()).add(
            dispatch.segment(backend, volume, ObjectPrompts(tuple(prompts), steps), quiet).digest
        )
    assert all(len(found) == 1 for found in masks.values())
    assert masks[2,] != masks[1, 2]


def long_volume():
    """500 mm from left to right."""
    rng = np.random.default_rng(0)
    return Volume(rng.normal(100, 20, (30, 40, 250)).astype(np.float32), np.diag([2, 1.5, 2, 1]))


def test_the_cube_goes_where_the_points_are_and_the_mask_stays_elsewhere(model):
    volume = long_volume()
    near, far = (15, 20, 30), (15, 20, 220)
    first = segment(model, volume, [Point.at_index(volume, near)])
    assert first[:, :, :80].any()
    assert not first[:, :, 130:].any()
    mask_of_both = segment(model, volume, [Point.at_index(volume, p) for p in (near, far)], (1, 2))
    assert np.array_equal(mask_of_both[:, :, :100], first[:, :, :100])
    assert mask_of_both[:, :, 180:].any()


def test_the_cube_stays_while_points_lie_well_inside():
    lattice = Lattice(long_volume().grid)
    here = lattice.index([[30.0, 30.0, 60.0]])
    start = lattice.placed(here, here, None)
    inside, outside = np.array(start) + MARGIN, np.array(start) + SIDE - MARGIN
    for newest, moved in ((inside, False), (outside, True)):
        seen = np.stack([here[0], newest])
        assert (lattice.placed(seen, seen[1:], start) != start) == moved
    box = covered(lattice.cube(start), long_volume().grid)
    assert all(0 < s.stop - s.start <= n for s, n in zip(box, long_volume().shape, strict=True))


def test_the_encoder_runs_once_for_a_cube(model):
    volume = phantom()
    backend = SAMMed3DBackend()
    backend.load(str(model), "cpu")
    backend.set_volume(volume)
    ran = []
    backend._network.image_encoder.register_forward_hook(lambda *_: ran.append(1))
    points = [Point.at_index(volume, CENTER), Point.at_index(volume, (4, 5, 6), False)]
    for count in (1, 2, 1):
        object_prompts = ObjectPrompts(tuple(points[:count]), tuple(range(1, count + 1)))
        dispatch.segment(backend, volume, object_prompts, quiet)
    assert len(ran) == 1


def test_a_mask_to_start_from_is_fed_back(model):
    volume = phantom()
    start = np.zeros(volume.shape, bool)
    start[5:12, 6:18, 5:20] = True
    first, point = InitialMask.of(volume, start), Point.at_index(volume, CENTER, False)
    assert np.array_equal(segment(model, volume, [first]), start)
    assert not np.array_equal(
        segment(model, volume, [first, point], (1, 2)),
        segment(model, volume, [Point.at_index(volume, CENTER), point], (1, 2)),
    )


def test_points_outside_alone_give_nothing(model):
    volume = phantom()
    assert not segment(model, volume, [Point.at_index(volume, CENTER, False)]).any()


def test_a_cancel_is_passed_on_between_steps(model):
    def stop(fraction, message=""):
        if message == "step 2 of 2":
            raise Cancelled

    volume = phantom()
    points = [Point.at_index(volume, CENTER), Point.at_index(volume, (4, 5, 6), False)]
    with pytest.raises(Cancelled):
        segment(model, volume, points, (1, 2), stop)


def test_a_model_that_cannot_be_loaded_is_reported_with_a_remedy(model, tmp_path):
    torch.save(unet().state_dict(), tmp_path / "other.pth")
    for path, message in [
        (None, "needs its weights"),
        (tmp_path / "none.pth", "no weights at"),
        (tmp_path / "other.pth", "are not those of SAM-Med3D"),
    ]:
        with pytest.raises(BackendUnavailable, match=message) as caught:
            SAMMed3DBackend().load(path and str(path), "cpu")
        assert caught.value.hint
