"""The contract of a backend: what a model must offer to serve every dock, session and script."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol, overload

from napari_medvlm.data.answer import AnswerDelta, Question
from napari_medvlm.data.classification import ClassificationResult, LabelQuery
from napari_medvlm.data.errors import BackendUnavailable, PromptNotSupported
from napari_medvlm.data.grounding import Grounding, GroundQuery
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Prompt
from napari_medvlm.data.region import Heatmap
from napari_medvlm.data.volume import Volume


class Task(StrEnum):
    """Tasks of a backend."""

    SEGMENT = "segment"
    GROUND = "ground"
    LABEL = "label"
    ANSWER = "answer"
    EXPLAIN = "explain"


class Progress(Protocol):
    """Callback that reports the progress of a request; raises `Cancelled` once it was cancelled."""

    def __call__(self, fraction: float, message: str = "") -> None:
        """Report the fraction done, 0 to 1, and a short message."""


@dataclass(frozen=True, eq=False)
class ObjectPrompts(Sequence[Prompt]):
    """All prompts of one object, oldest first, with what else its mask depends on.

    Parameters
    ----------
    items
        The prompts.
    steps
        How many prompts were there at each prediction of this mask so far, rising; the last is
        ``len(items)``. A model that feeds its mask back takes the same steps; others need not look.
    excluded
        Voxels of locked objects: they are not part of the object and count as negative.
    phrases
        What the object is called, for a backend that takes words (`BackendInfo.takes_phrases`).
        After the first follow names of other objects, whose masks `Mask.others` may have.
    """

    items: Sequence[Prompt]
    steps: Sequence[int] = ()
    excluded: Mask | None = None
    phrases: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Prompt: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Prompt]: ...
    def __getitem__(self, index: int | slice) -> Prompt | Sequence[Prompt]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Prompt]:
        return iter(self.items)


@dataclass(frozen=True)
class BackendInfo:
    """Description of a backend that is available without loading it.

    Parameters
    ----------
    name
        As in ``backend="..."``; equal to the entry point's name.
    title
        For people.
    prompts
        The kinds of prompt that it segments by.
    tasks
        What it can do.
    code_licence, weights_licence
        SPDX identifiers; ``"none"`` for weights if there are none.
    modules
        What must be importable in the worker, beyond this package's own requirements.
    memory_mib
        What it needs besides the image, at a common image size.
    uses_no_images
        Whether it answers from the image itself: it looks at no images and calls no tools.
    sizes_points
        Whether it follows `Point.size_step`; others ignore it.
    prepared_mib
        The most that is kept on disk of each slice that it looked at beforehand, as `prepare` has
        it do; 0 if it cannot.
    takes_sequences
        Whether it locates a phrase in several images that are shown together.
    takes_phrases
        Whether it segments by `ObjectPrompts.phrases` together with prompts; others never see them.
    """

    name: str
    title: str
    code_licence: str
    prompts: frozenset[type[Any]] = frozenset()
    tasks: frozenset[Task] = frozenset({Task.SEGMENT})
    weights_licence: str = "none"
    modules: tuple[str, ...] = ()
    memory_mib: int = 0
    uses_no_images: bool = False
    prepared_mib: float = 0.0
    sizes_points: bool = False
    takes_sequences: bool = False
    takes_phrases: bool = False

    def __post_init__(self) -> None:
        """Refuse fields of another type, which would fail only where they are shown.

        Raises
        ------
        TypeError
            With the form that the field has.
        """
        forms: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
            ("prompts", "frozenset({Point, Box})", lambda kind: hasattr(kind, "label")),
            ("tasks", "frozenset({Task.SEGMENT})", lambda task: isinstance(task, Task)),
            ("modules", '("scipy",)', lambda name: isinstance(name, str)),
        )
        for field, form, fits in forms:
            value = getattr(self, field)
            if isinstance(value, str) or not all(fits(item) for item in value):
                raise TypeError(f"BackendInfo: {field} must be like {form}, not {value!r}.")

    def require_prompt(self, prompt: Prompt) -> None:
        """Raise `PromptNotSupported` unless the backend segments by this kind of prompt."""
        if type(prompt) not in self.prompts:
            raise PromptNotSupported(
                f"{self.title} does not support {prompt.label} prompts.",
                "Use another kind of prompt, or choose another backend.",
            )


@dataclass(frozen=True)
class Prepared:
    """Result of precomputing slices.

    Parameters
    ----------
    computed
        How many slices had not been looked at before.
    notes
        What the user should know of how it was done, in sentences.
    """

    computed: int
    notes: tuple[str, ...] = ()


class Backend(ABC):
    """A model behind the docks. Lives in the worker, always called from one thread.

    Contract
    --------
    - ``load`` once, then ``set_volume`` for each new volume, then ``segment``, ``ground``,
      ``label``, ``answer`` and ``explain`` any number of times: as many as ``info.tasks`` names.
    - A call gets *all* prompts of the object, not the newest. What it remembers from earlier calls
      may only make it faster: the same prompts give the same mask in a fresh process.
    - The last `InitialMask` replaces the prompts before it.
    - The mask lies on the grid of the volume given. The volume's array is read-only.
    - ``progress`` is called at least once a second where the library allows: it is also how a
      cancel arrives, by raising `Cancelled`, which must get through.
    - A `MedVLMError` is raised for what the user can mend; anything else is let through.
    """

    info: ClassVar[BackendInfo]

    supports_all_structures: ClassVar[bool] = False
    """Whether the phrase *everything* asks for all structures that it knows."""

    channel_names: tuple[str, ...] = ()
    """The images of a patient that the loaded model takes together, in its order; empty if it takes
    a single image. `GroundQuery.channels` has them under these names.
    """

    def load(self, model: str | None, device: str) -> None:
        """Get ready to work.

        Parameters
        ----------
        model
            The weights' file or folder; `None` for the backend's own default.
        device
            As torch names it: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.

        Raises
        ------
        BackendUnavailable
            If the backend has no such model, or cannot use the device.
        """
        if model is not None:
            raise BackendUnavailable(
                f"{self.info.name} has no models to choose from, but was given {model!r}.",
                "Leave the model out.",
            )

    @classmethod
    def vocabulary(cls, model: str | None) -> tuple[str, ...]:
        """The names that a model knows, read without loading it; empty if it takes any words.

        Raises
        ------
        BackendUnavailable
            If there is no such model, or its names cannot be read.
        """
        return ()

    @classmethod
    def channels(cls, model: str | None) -> tuple[str, ...]:
        """The `channel_names` of a model, read without loading it; empty for a single image.

        Raises
        ------
        BackendUnavailable
            If there is no such model, or its channels cannot be read.
        """
        return ()

    @classmethod
    def takes_report(cls, model: str | None) -> bool:
        """Whether a model sees the text of a report with the image, without loading it."""
        return False

    @classmethod
    def tools_unsupported_reason(cls, model: str | None) -> str:
        """Reason why a model cannot call tools, without loading it; empty if it can.

        Raises
        ------
        BackendUnavailable
            If there is no such model.
        """
        return "It measures by itself." if cls.info.uses_no_images else ""

    @abstractmethod
    def set_volume(self, volume: Volume) -> None:
        """Take the volume that the following requests are about."""

    def segment(self, prompts: ObjectPrompts, progress: Progress) -> Mask:
        """The object's mask on the volume's grid, from all its prompts.

        Raises
        ------
        PromptNotSupported
            If a prompt is of a kind that ``info.prompts`` does not name.
        InvalidPrompt
            If the prompts contradict each other so that nothing is left.
        BackendUnavailable
            If it does not segment.
        """
        raise self._not_able("segment by prompts")

    def prepare(
        self, axis: int, progress: Progress, slices: Sequence[int] | None = None
    ) -> Prepared:
        """Precompute slices and store the result on disk.

        Slices that were looked at before cost nothing. `Cancelled` leaves those that are done.

        Parameters
        ----------
        axis
            Of the array, across which the slices are.
        slices
            Their indices; all of them if `None`.

        Raises
        ------
        BackendUnavailable
            If it does not do so, see `BackendInfo.prepared_mib`.
        """
        raise self._not_able("precompute slices")

    def ground(self, query: GroundQuery, progress: Progress) -> Grounding:
        """Locate phrases; each has regions or is reported as not found.

        Raises
        ------
        InvalidPrompt
            If there is nothing to look for, or nowhere to look.
        BackendUnavailable
            If it does not ground.
        """
        raise self._not_able("locate phrases")

    def label(self, query: LabelQuery, progress: Progress) -> ClassificationResult:
        """Classify labels.

        Raises
        ------
        InvalidPrompt
            If there is no label, or nowhere to look.
        BackendUnavailable
            If it does not label.
        """
        raise self._not_able("classify labels")

    def answer(self, question: Question, progress: Progress) -> Iterator[AnswerDelta]:
        """The answer to a question: text as it comes, at the end the answer as a whole.

        A question that it cannot answer has an `Answer` that says so; that is no error.

        Raises
        ------
        InvalidPrompt
            If nothing is asked.
        BackendUnavailable
            If it does not answer questions.
        """
        raise self._not_able("answer questions")

    def explain(
        self, question: Question, written: str, picture: int, progress: Progress
    ) -> Heatmap:
        """Compute the evidence map of an image for a text that the model wrote.

        Parameters
        ----------
        question
            As given in the query.
        written
            What the model wrote to it, unchanged.
        picture
            Which of the question's images, from 0.

        Raises
        ------
        InvalidPrompt
            If there is no such image, or nothing was written.
        BackendUnavailable
            If it is not known.
        """
        raise self._not_able("explain its answers")

    def _not_able(self, what: str) -> BackendUnavailable:
        return BackendUnavailable(
            f"{self.info.title} does not {what}.", "Choose another backend for that."
        )
