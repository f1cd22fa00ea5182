"""The images and objects that the tools of a question work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.region import Region
from napari_medvlm.data.slice_image import SliceImage
from napari_medvlm.data.volume import Volume
from napari_medvlm.language.structure_names import Names, Synonyms
from napari_medvlm.sessions.ask.image_selection import ImageSelection, ModelInput


@dataclass(eq=False)
class Scene:
    """The images and objects that tools read, and to which they add.

    Parameters
    ----------
    model_input
        The images that were sent to the model.
    objects
        By name; what is segmented is added.
    shown
        Pictures that tools have shown, oldest first.
    earlier
        Pictures of earlier questions, whose numbers come first.
    """

    volume: Volume
    selection: ImageSelection
    model_input: ModelInput
    objects: dict[str, Mask]
    labels: Sequence[NamedLabels] = ()
    shown: list[SliceImage] = field(default_factory=list)
    earlier: tuple[SliceImage, ...] = ()

    @property
    def pictures(self) -> tuple[SliceImage, ...]:
        """All pictures in the order of their numbers."""
        return (*self.earlier, *self.model_input.pictures, *self.shown)

    @property
    def first(self) -> int:
        """Number of the first picture of the question itself."""
        return len(self.earlier) + 1

    def image(self, number: int) -> SliceImage:
        """A picture by its number, from 1."""
        images = self.pictures
        if not 1 <= number <= len(images):
            raise InvalidPrompt(
                f"There is no picture {number}.", f"There are {len(images)} pictures."
            )
        return images[number - 1]

    def volume_of(self, image: SliceImage) -> Volume:
        """The image that a picture shows."""
        others = (other.volume for other in self.selection.others)
        return next((v for v in others if v.grid is image.grid), self.volume)

    def find(self, words: str) -> Region:
        """An object by its name, or by words that mean it."""
        known = {name.casefold(): name for name in self.objects}
        name = known.get(words.casefold())
        if name is None:
            matches = {m.name for m in Names(tuple(self.objects), Synonyms.load()).find(words)}
            name = matches.pop() if len(matches) == 1 else None
        if name is None:
            names = ", ".join(self.objects) or "none"
            raise InvalidPrompt(
                f"There is no object called {words!r}.",
                f"Known objects: {names}. Segment it first.",
            )
        mask = self.objects[name]
        if not mask.voxels:
            raise InvalidPrompt(f"The object {name} is empty.", "Segment it again.")
        return Region.of_mask(words, mask, self.volume.grid, mask.score, name)

    def free_name(self, wanted: str) -> str:
        """A name that no object has."""
        name, number = wanted, 1
        while name in self.objects:
            number += 1
            name = f"{wanted} {number}"
        return name
