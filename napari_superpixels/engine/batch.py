"""Segmentation of many image files, one after the other: resumable, and one bad file does not stop the rest."""

import hashlib
import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from skimage.segmentation import find_boundaries

from napari_superpixels import __version__
from napari_superpixels.data.images import ImageFile, Plane, read_image
from napari_superpixels.data.label_files import check_shape, read_mask, read_metadata, write_labels, write_picture
from napari_superpixels.engine.pipeline import Pipeline, Progress, SolveResult
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.engine.worklist import WorkItem
from napari_superpixels.errors import CancelledError, ImageError, SuperpixelsError, WriteError
from napari_superpixels.nets.catalogue import find_model, read_header
from napari_superpixels.params import SegmentParams

Status = Literal["done", "skipped", "failed"]

_LOG = logging.getLogger(__name__)
_SCHEMA = 1
_BOUNDARY_COLOR = (255, 220, 0)
_SOLVING = 0.95


@dataclass(frozen=True, slots=True)
class Recipe:
    """How every file of a batch is segmented."""

    params: SegmentParams
    """Parameters of the segmentation."""
    channel_axis: int | None = None
    """Axis of the channels in the file; None to take it from the file."""
    volume: bool = False
    """Whether stacks are segmented in 3-D instead of plane by plane."""
    plane: int | None = None
    """Index of the only plane (or volume) of a stack to segment, from 0; None for all."""
    overwrite: bool = False
    """Whether finished and foreign outputs are replaced."""
    model_sha256: str = ""
    """Hash of the model's file; see :func:`prepare`."""


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one file."""

    item: WorkItem
    """The file."""
    status: Status
    """ "done"; "skipped" where a finished output of the same recipe was there; "failed"."""
    error: str = ""
    """Why it failed."""
    n_segments: tuple[int, ...] = ()
    """Number of superpixels of each plane."""
    shape: tuple[int, ...] = ()
    """Shape of the labels."""
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds of "network", "features" and "eikonal", over all planes."""
    device: str = ""
    """Where the network ran; "" without a model."""
    seconds: float = 0.0
    """Seconds for everything, with reading and writing."""
    notes: tuple[str, ...] = ()
    """What the user should know about the input."""


def prepare(recipe_params: SegmentParams, **options: Any) -> Recipe:
    """Make a recipe, and check the model before any file is touched.

    Raises
    ------
    CheckpointError
        If the model is missing or its file is unusable.
    """
    if recipe_params.model is None:
        return Recipe(recipe_params, **options)
    path = find_model(recipe_params.model)
    read_header(path)
    return Recipe(recipe_params, model_sha256=hashlib.sha256(path.read_bytes()).hexdigest(), **options)


def run_batch(
    items: Sequence[WorkItem],
    recipe: Recipe,
    *,
    cancel: npt.NDArray[np.uint8] | None = None,
    progress: Callable[[WorkItem, float, str], None] | None = None,
) -> Iterator[ItemResult]:
    """Segment files, yielding after each one.

    Parameters
    ----------
    items : sequence of WorkItem
        From :func:`napari_superpixels.engine.worklist.plan_work`.
    recipe : Recipe
        From :func:`prepare`.
    cancel : ndarray of shape (1,), uint8, optional
        Set its element to 1, from any thread, to stop; what is finished stays.
    progress : callable, optional
        Called with the item, its share done from 0 to 1, and what is being done.

    Raises
    ------
    CancelledError
        If cancelled.
    """
    taken = {path.resolve() for item in items for path in (item.source, item.target, item.mask) if path is not None}
    for item in items:
        start = time.perf_counter()

        def report(share: float, text: str, item: WorkItem = item) -> None:
            if progress is not None:
                progress(item, share, text)

        try:
            report(0.0, "Reading")
            yield _segment_file(item, recipe, taken, cancel, report, start)
        except CancelledError:
            raise
        except (SuperpixelsError, ValueError) as error:
            yield _failure(item, str(error), start)
        except MemoryError as error:
            yield _failure(item, f"not enough memory ({error}); segment a smaller image or plane by plane.", start)
        except Exception as error:  # noqa: BLE001 - the next files are done whatever happens to this one
            _LOG.debug("Unexpected failure with %s", item.source, exc_info=True)
            yield _failure(item, f"unexpected {type(error).__name__}: {error}", start)


def _failure(item: WorkItem, error: str, start: float) -> ItemResult:
    return ItemResult(item, "failed", error, seconds=time.perf_counter() - start)


def _segment_file(
    item: WorkItem,
    recipe: Recipe,
    taken: Set[Path],
    cancel: npt.NDArray[np.uint8] | None,
    report: Progress,
    start: float,
) -> ItemResult:
    identity = _identity(item, recipe)
    if _is_finished(item, recipe, identity):
        return ItemResult(item, "skipped", seconds=time.perf_counter() - start)
    image = read_image(item.source)
    if recipe.channel_axis is not None:
        image = image.with_channel_axis(recipe.channel_axis)
    stack, planes = image.planes(volume=recipe.volume)
    if recipe.plane is not None:
        planes, stack = [_chosen(planes, recipe.plane)], ()
    check_shape(item.target, (*stack, *_labels_shape(planes[0])))
    masks = _masks(item, image, stack, planes)
    number = image.depth_number
    depth = image.array.shape[number] if recipe.volume and number is not None else None
    pictures = _name_pictures(item.overlay, len(planes) if stack else None, depth)
    _check_pictures(pictures, recipe, taken)
    solved = _SolvedPlanes(item, image, recipe, stack, pictures)
    for i, plane in enumerate(planes):

        def report_plane(share: float, text: str, base: float = i / len(planes)) -> None:
            report(_SOLVING * (base + share / len(planes)), text)

        inputs = ImageInput(
            plane.array,
            source=None,
            key=None,
            channel_axis=plane.channel_axis,
            rgb=plane.rgb,
            spacing=_spacing(image, recipe.volume),
            mask=masks[i],
        )
        solved.add(Pipeline().run(inputs, recipe.params, cancel=cancel, progress=report_plane))
    report(_SOLVING, "Writing")
    solved.write(identity)
    return solved.result(time.perf_counter() - start)


class _SolvedPlanes:
    """The planes of one file as they are solved; overlays are written at once, the labels together at the end."""

    def __init__(
        self, item: WorkItem, image: ImageFile, recipe: Recipe, stack: tuple[int, ...], pictures: list[list[Path]]
    ) -> None:
        self._item = item
        self._image = image
        self._recipe = recipe
        self._stack = stack
        self._pictures = pictures
        self._labels: list[npt.NDArray[np.int32]] = []
        self._timings: dict[str, float] = {}
        self._notes = dict.fromkeys(image.notes)
        self._n_segments: list[int] = []
        self._device = ""

    def add(self, solved: SolveResult) -> None:
        """Keep the labels of the next plane."""
        labels = solved.superpixels.labels
        if self._pictures:
            _write_pictures(self._pictures[len(self._labels)], solved)
        self._labels.append(labels)
        self._n_segments.append(solved.n_segments)
        self._device = solved.network.device
        self._notes |= dict.fromkeys(solved.notes)
        for stage, seconds in solved.timings.items():
            self._timings[stage] = self._timings.get(stage, 0.0) + seconds

    def write(self, identity: dict[str, Any]) -> None:
        """Write the labels, which is what marks the file as finished."""
        labels = np.stack(self._labels).reshape(*self._stack, *self._labels[0].shape)
        params = self._recipe.params
        metadata = {
            "schema": _SCHEMA,
            "version": __version__,
            "identity": identity,
            "parameters": params.model_dump(),
            "model": None if params.model is None else {"name": params.model, "sha256": self._recipe.model_sha256},
            "source": self._item.source.name,
            "n_segments": self._n_segments,
        }
        axes = self._image.label_axes(volume=self._recipe.volume)[-labels.ndim :]
        write_labels(
            self._item.target,
            labels,
            metadata,
            axes=axes,
            pixel_size=self._image.pixel_size,
            pixel_unit=self._image.pixel_unit,
        )

    def result(self, seconds: float) -> ItemResult:
        """Return what is to be told about the file."""
        return ItemResult(
            self._item,
            "done",
            n_segments=tuple(self._n_segments),
            shape=(*self._stack, *self._labels[0].shape),
            timings=self._timings,
            device=self._device,
            seconds=seconds,
            notes=tuple(self._notes),
        )


def _identity(item: WorkItem, recipe: Recipe) -> dict[str, Any]:
    """Return what decides the labels: equal identities mean that the file need not be segmented again."""
    return {
        "source": _fingerprint(item.source),
        "mask": None if item.mask is None else _fingerprint(item.mask),
        "parameters": recipe.params.model_dump(exclude={"device"}),
        "model_sha256": recipe.model_sha256,
        "channel_axis": recipe.channel_axis,
        "volume": recipe.volume,
        "plane": recipe.plane,
    }


def _fingerprint(path: Path) -> list[Any]:
    try:
        state = path.stat()
    except OSError:
        return [path.name]
    return [path.name, state.st_size, state.st_mtime_ns]


def _is_finished(item: WorkItem, recipe: Recipe, identity: dict[str, Any]) -> bool:
    if recipe.overwrite or not item.target.exists():
        return False
    found = read_metadata(item.target)
    if found is None:
        raise _foreign(item.target)
    if item.overlay is not None and not any(
        read_metadata(item.overlay.with_name(name)) is not None for name in _first_names(item.overlay)
    ):
        return False
    return bool(found.get("identity") == identity)


def _foreign(path: Path) -> WriteError:
    return WriteError(
        f"{path} exists and was not written by this command (or was changed since); remove it, choose another output, "
        "or overwrite it (--overwrite)."
    )


def _chosen(planes: list[Plane], index: int) -> Plane:
    if not 0 <= index < len(planes):
        raise ImageError(f"plane {index} is not in this image of {len(planes)} planes; give 0 to {len(planes) - 1}.")
    return planes[index]


def _labels_shape(plane: Plane) -> tuple[int, ...]:
    return tuple(n for axis, n in enumerate(plane.array.shape) if axis != plane.channel_axis)


def _masks(
    item: WorkItem, image: ImageFile, stack: tuple[int, ...], planes: list[Plane]
) -> list[npt.NDArray[np.bool_] | None]:
    if item.mask is None:
        return [None] * len(planes)
    mask = read_mask(item.mask)
    shape = _labels_shape(planes[0])
    if mask.shape == shape:
        return [mask] * len(planes)
    if stack and len(shape) == 3 and mask.ndim == len(stack) + 3:
        numbers = list(image.stack_numbers)
        of_depth = numbers.index(image.depth_number or 0)
        as_image = np.moveaxis(mask, of_depth, len(stack))  # the mask has its axes in the order of the image
        mask = as_image if as_image.shape == (*stack, *shape) else mask
    if mask.shape == (*stack, *shape):
        return list(mask.reshape(-1, *shape))
    raise ImageError(
        f"the mask {item.mask} has shape {mask.shape}; expected {shape}, the shape of the image"
        + (f", or {(*stack, *shape)}, that of the stack." if stack else ".")
    )


def _spacing(image: ImageFile, volume: bool) -> tuple[float, ...] | None:
    """Return the pixels' sides relative to the smallest one; None where they are equal or not all known."""
    axes = image.label_axes(volume=True)[-3:] if volume else "YX"
    sizes = [image.pixel_size.get(axis, 0.0) for axis in axes]
    if min(sizes) <= 0 or max(sizes) <= 1.001 * min(sizes):
        return None
    return tuple(size / min(sizes) for size in sizes)


def _name_pictures(overlay: Path | None, n_planes: int | None, depth: int | None) -> list[list[Path]]:
    """Return the paths of the pictures of each plane or volume; none where no overlay is wanted.

    Pictures are numbered where there are several: by plane or volume of a stack, then by plane of a volume. `n_planes`
    is None where the file is no stack, `depth` where planes are segmented.
    """
    if overlay is None:
        return []
    stems = [overlay.stem] if n_planes is None else [f"{overlay.stem}_{i:04d}" for i in range(n_planes)]
    numbers = [""] if depth is None else [f"_{i:04d}" for i in range(depth)]
    return [[overlay.with_name(f"{stem}{number}{overlay.suffix}") for number in numbers] for stem in stems]


def _check_pictures(pictures: list[list[Path]], recipe: Recipe, taken: Set[Path]) -> None:
    """Refuse to replace an image, mask or labels of this batch, and what was not written here."""
    for path in itertools.chain.from_iterable(pictures):
        if path.resolve() in taken:
            raise WriteError(
                f"the picture {path} would replace an image, a mask or labels of this run; choose another name for "
                "the pictures."
            )
        if not recipe.overwrite and path.exists() and read_metadata(path) is None:
            raise _foreign(path)


def _write_pictures(paths: list[Path], solved: SolveResult) -> None:
    labels, pixels = solved.superpixels.labels, solved.network.unit.pixels
    if labels.ndim == 2:
        labels, pixels = labels[np.newaxis], pixels[np.newaxis]
    for path, plane_pixels, plane_labels in zip(paths, pixels, labels, strict=True):
        write_picture(path, _draw_boundaries(plane_pixels, plane_labels))


def _first_names(overlay: Path) -> list[str]:
    """Return the names that the first picture of a file can have: of a plane, of a stack, of several volumes."""
    return [f"{overlay.stem}{numbers}{overlay.suffix}" for numbers in ("", "_0000", "_0000_0000")]


def _draw_boundaries(pixels: npt.NDArray[np.float32], labels: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
    picture: npt.NDArray[np.uint8] = np.round(pixels * 255).astype(np.uint8)
    picture[find_boundaries(labels, mode="inner", background=0)] = _BOUNDARY_COLOR
    return picture
