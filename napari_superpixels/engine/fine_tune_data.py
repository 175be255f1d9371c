"""What a fine-tuning learns from and is measured on, with every image checked."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from napari_superpixels.assets import resource_path
from napari_superpixels.core.image import unit_image
from napari_superpixels.data.images import read_image
from napari_superpixels.data.sources import AnnotatedImage, DataSource, SourceItem, listed
from napari_superpixels.data.training_folder import Role, TrainingFolder, hash_pixels
from napari_superpixels.errors import CancelledError, ReadError
from napari_superpixels.nets.catalogue import ModelCard
from napari_superpixels.nets.checkpoint import Model
from napari_superpixels.nets.predict import predict
from napari_superpixels.nets.samples import TrainSample

#: What an image was for when a model was made; of "half", one half taught and the other measured.
KnownRole = Literal["train", "validation", "half"]
_KNOWN: tuple[KnownRole, ...] = ("train", "validation", "half")
#: Share of the images that validate where nobody decided.
VALIDATION_SHARE = 0.25
#: Images that came with the program, of which a model can be reminded.
_SAMPLES = ("coffee.png", "nuclei-fluorescence.png", "nuclei-stained.png")


@dataclass(frozen=True, slots=True)
class LearningData:
    """Images of a fine-tuning, by what they are for."""

    train: DataSource
    """Images that teach."""
    validation: DataSource
    """Images that measure; none of them teaches."""
    hashes: dict[str, str]
    """Digest of the pixels of each image, by name."""
    items: dict[str, SourceItem]
    """All images, by name."""
    roles: dict[str, Role]
    """What each image is for, by name; an image of which one half teaches and the other measures has none."""
    is_halved: bool
    """Whether there is one image only, of which one half teaches and the other measures."""
    notes: tuple[str, ...]
    """What the user should know."""


def prepare(
    data: TrainingFolder,
    seed: int,
    *,
    earlier: "LearningData | None" = None,
    left_out: Container[str] = (),
    known: Mapping[str, KnownRole] | None = None,
    split: Mapping[str, Role] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> LearningData:
    """Read every image once, and decide which teach and which measure.

    Parameters
    ----------
    data : TrainingFolder
        The images.
    seed : int
        Decides which images measure where nobody did.
    earlier : LearningData, optional
        That of the run which the start model comes from; its images take part too, and keep the role that they had.
        Where an image is in both, its newer annotation counts.
    left_out : container of str
        Digests of images of the earlier run that take no part.
    known : mapping of str to str, optional
        What images were for when the start model was made, by the digest of their pixels; they stay that.
    split : mapping of str to str, optional
        What the images are for, by name, as it was decided when the run was begun; images that came later are left out.
    should_stop : callable, optional
        Asked after every image.

    Raises
    ------
    ReadError
        If an image cannot be read or used, or is among both those that teach and those that measure.
    CancelledError
        If stopped.
    """
    items: dict[str, SourceItem] = {item.name: item for item in data.source}
    roles = dict(data.roles)
    hashes = _hash_all(items.values(), should_stop)
    known = {**({} if earlier is None else _roles_of(earlier)), **(known or {})}
    if earlier is not None:
        _join(items, hashes, earlier, left_out)
    if split and set(split) <= set(items):
        items = {name: items[name] for name in split}
        hashes = {name: hashes[name] for name in split}
        roles = dict(split)
    met = sorted(name for name, digest in hashes.items() if digest in known)
    if len(items) == 1 and met:
        _check_alone(met[0], known[hashes[met[0]]])
    # Only what measured from the beginning may measure: of half an image, the other half has taught.
    roles |= {name: "validation" if known[hashes[name]] == "validation" else "train" for name in met}
    roles = _decided(sorted(items), roles, seed)
    _check_leaks(hashes, roles)
    source = DataSource("training", tuple(items[name] for name in sorted(items)), data.source.settings)
    notes = data.notes
    if met:
        text = "took part when the start model was made: what taught then teaches, what measured measures."
        notes += (f"{listed(met)} {text}",)
    if not roles:
        train, validation = _halves(source.items[0])
        notes += ("There is one image: it learns from one half and is measured on the other.",)
        return LearningData(train, validation, hashes, items, roles, is_halved=True, notes=notes)
    train, validation = (source.subset([n for n, r in roles.items() if r == role]) for role in ("train", "validation"))
    return LearningData(train, validation, hashes, items, roles, is_halved=False, notes=notes)


def known_roles(card: ModelCard) -> dict[str, KnownRole]:
    """Return what images were for when a model was made, by the digest of their pixels; empty where it does not say."""
    lineage = card.recipe.get("lineage")
    roles = lineage.get("roles") if isinstance(lineage, dict) else None
    if not isinstance(roles, dict):
        return {}
    return {digest: known for digest, role in roles.items() for known in _KNOWN if role == known}


def lineage_roles(data: LearningData, known: Mapping[str, KnownRole]) -> dict[str, KnownRole]:
    """Return what a model's card says of the images, those of the models that it comes from included."""
    return {**known, **_roles_of(data)}


def reminders(start: Model, *, device: str = "cpu") -> list[TrainSample]:
    """Return images that came with the program, with what a model makes of them as the target.

    Parameters
    ----------
    start : Model
        The model that is to be remembered.
    device : str
        Where it runs.

    Notes
    -----
    Z. Li, D. Hoiem, "Learning without forgetting", ECCV 2016, arXiv:1606.09282.
    """
    samples = []
    for name in _SAMPLES:
        _, planes = read_image(resource_path("samples", name)).planes()
        unit = unit_image(planes[0].array, channel_axis=planes[0].channel_axis, rgb=planes[0].rgb)
        made = predict(start, unit.pixels, device=device)
        shape = unit.pixels.shape[:2]
        # Each pixel is a segment of its own, with the colour that the model gives it.
        labels = np.arange(1, made.flattened[..., 0].size + 1, dtype=np.int32).reshape(shape)
        colors = np.concatenate([np.zeros((1, 3), np.float32), made.flattened.reshape(-1, 3)])
        boundary = np.zeros(shape, np.float32) if made.boundary is None else made.boundary
        image, edges = (np.round(255 * values).astype(np.uint8) for values in (unit.pixels, boundary))
        samples.append(TrainSample(image, (labels,), (colors,), edges))
    return samples


def check_image(read: AnnotatedImage) -> None:
    """Refuse an image from which nothing can be learnt.

    Raises
    ------
    ReadError
        If it has one value everywhere, or its annotation has no border.
    """
    if read.pixels.size == 0 or bool((read.pixels == read.pixels.flat[0]).all()):
        raise ReadError(f"{read.name}: the image has one value everywhere; there is nothing to learn from it.")
    truths = read.ground_truths if read.annotated is None else [truth[read.annotated] for truth in read.ground_truths]
    if all(truth.min() == truth.max() for truth in truths):
        raise ReadError(
            f"{read.name}: the annotation is one segment without a border. Annotate at least two things that differ, "
            "such as an object and what is around it."
        )


def _hash_all(items: Iterable[SourceItem], should_stop: Callable[[], bool] | None) -> dict[str, str]:
    hashes = {}
    for item in items:
        read = item.read()
        check_image(read)
        hashes[item.name] = hash_pixels(read.pixels)
        if should_stop is not None and should_stop():
            raise CancelledError("The training was stopped before it began.")
    return hashes


def _roles_of(data: LearningData) -> dict[str, KnownRole]:
    return {digest: data.roles.get(name, "half") for name, digest in data.hashes.items()}


def _join(
    items: dict[str, SourceItem], hashes: dict[str, str], earlier: LearningData, left_out: Container[str]
) -> None:
    """Add the images of an earlier run that are not there yet."""
    for name, digest in earlier.hashes.items():
        if digest not in hashes.values() and digest not in left_out:
            added = _new_name(name, items)
            items[added] = _Renamed(earlier.items[name], added)
            hashes[added] = digest


def _new_name(name: str, taken: dict[str, SourceItem]) -> str:
    candidates = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
    return next(candidate for candidate in candidates if candidate not in taken)


def _decided(names: list[str], roles: dict[str, Role], seed: int) -> dict[str, Role]:
    """Return the role of every image; none where there is one image only, which has to do both."""
    if len(names) == 1:
        return {}
    undecided = [name for name in names if name not in roles]
    measuring = {name for name in names if roles.get(name) == "validation"}
    if undecided and not measuring:
        n_wanted = min(max(1, round(VALIDATION_SHARE * len(names))), len(names) - 1)
        order = np.random.default_rng(seed).permutation(len(undecided)).tolist()
        measuring = {undecided[i] for i in order[:n_wanted]}
    decided: dict[str, Role] = {name: "validation" if name in measuring else "train" for name in names}
    for role, verb in (("train", "trains"), ("validation", "validates")):
        if role not in decided.values():
            raise ReadError(
                f"None of the {len(names)} images {verb}. Some have to teach the model, and at least one other to show "
                "whether that helped."
            )
    return decided


def _check_leaks(hashes: dict[str, str], roles: dict[str, Role]) -> None:
    measuring = {hashes[name]: name for name, role in roles.items() if role == "validation"}
    leaks = [name for name, role in roles.items() if role == "train" and hashes[name] in measuring]
    if leaks:
        raise ReadError(
            f"{listed(leaks)} is the same image as {measuring[hashes[leaks[0]]]!r}, which validates. An image that "
            "trains must not validate; take one of them out."
        )


def _check_alone(name: str, known: KnownRole) -> None:
    """Refuse an only image of which no half is new to the start model, unless the same half measured before."""
    if known != "half":
        raise ReadError(
            f"{name!r} is the only image, and it took part when the start model was made; nothing would show fairly "
            "whether the model gets better. Add an image that it does not know, or start from another model."
        )


def _halves(item: SourceItem) -> tuple[DataSource, DataSource]:
    """Return both halves of an image along its longer side, which teach and measure."""
    parts = tuple(DataSource("training", (_Half(item, which),)) for which in (0, 1))
    return parts[0], parts[1]


@dataclass(frozen=True, slots=True)
class _Renamed:
    item: SourceItem
    name: str

    def read(self) -> AnnotatedImage:
        return replace(self.item.read(), name=self.name)

    def fingerprint(self) -> list[JsonValue]:
        return self.item.fingerprint()


@dataclass(frozen=True, slots=True)
class _Half:
    """One half of an image along its longer side: the first (0) or the second (1)."""

    item: SourceItem
    which: int

    @property
    def name(self) -> str:
        return f"{self.item.name}-{('first', 'second')[self.which]}-half"

    def read(self) -> AnnotatedImage:
        read = self.item.read()
        truth = read.ground_truths[0]
        axis = int(truth.shape[1] >= truth.shape[0])
        middle = truth.shape[axis] // 2
        side = (slice(None, middle), slice(middle, None))[self.which]

        def cut(array: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
            return array[(slice(None),) * axis + (side,)]

        channel = None if read.channel_axis is None else read.channel_axis % read.pixels.ndim
        image_axis = axis + (channel is not None and channel <= axis)
        half = replace(
            read,
            name=self.name,
            pixels=cut(read.pixels, image_axis),
            ground_truths=tuple(cut(truth, axis) for truth in read.ground_truths),
            annotated=None if read.annotated is None else cut(read.annotated, axis),
        )
        check_image(half)
        return half

    def fingerprint(self) -> list[JsonValue]:
        return [*self.item.fingerprint(), self.which]
