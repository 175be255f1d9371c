"""Images that a fine-tuning can learn from, as a list shows them."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_superpixels.core.image import unit_image
from napari_superpixels.data.sources import AnnotatedImage
from napari_superpixels.data.training_folder import Role, TrainingItem, hash_pixels
from napari_superpixels.errors import ImageError, SuperpixelsError

RowKind = Literal["annotation", "layers", "folder", "earlier"]

#: Longest side of a thumbnail in pixels.
THUMBNAIL = 64
#: Share of the images that validate, where the user changes nothing.
_VALIDATION_SHARE = 0.25

NO_IMAGES = "Add an image with annotations."


@dataclass(frozen=True, slots=True, eq=False)
class DataRow:
    """An image of the list."""

    key: str
    """Identity of the row."""
    name: str
    """Name of the image."""
    kind: RowKind
    """Where it comes from."""
    read: Callable[[], TrainingItem]
    """Returns the image with its annotation as they are now; called in a worker thread."""
    origin: str = ""
    """Where it comes from, in words."""
    shape: tuple[int, ...] = ()
    """Rows and columns."""
    share_annotated: float = 0.0
    """Share of its pixels that are annotated."""
    thumbnail: npt.NDArray[np.uint8] | None = None
    """Shape (h, w, 3), RGB."""
    digest: str = ""
    """Digest of the pixels."""
    role: Role = "train"
    """Whether it trains or validates."""
    included: bool = True
    """Whether it takes part."""
    problem: str = ""
    """Why it cannot be used; empty if it can."""
    is_frozen: bool = False
    """Whether its role was decided by an earlier run and stays."""
    extra: dict[str, Any] = field(default_factory=dict)
    """What the row's maker remembers with it."""


def examine(row: DataRow) -> DataRow:
    """Read a row's image and return the row with everything that is known of it, or with its problem.

    For a worker thread.
    """
    # The modules that check images for training bring torch with them, which is not for the start of a window.
    from napari_superpixels.engine.fine_tune_data import check_image

    try:
        item = row.read()
        labels = np.asarray(item.labels).astype(np.int64)
        shape = tuple(int(n) for n in labels.shape)
        read = AnnotatedImage(
            row.name,
            item.pixels,
            (labels.astype(np.int32),),
            (0,),
            item.channel_axis,
            item.rgb,
            annotated=item.annotated,
        )
        picture = unit_image(item.pixels, channel_axis=item.channel_axis, rgb=item.rgb).pixels
        share = 1.0 if item.annotated is None else float(item.annotated.mean())
        row = replace(
            row,
            shape=shape,
            share_annotated=share,
            thumbnail=_thumbnail(picture),
            digest=hash_pixels(np.asarray(item.pixels)),
            problem="",
        )
        check_image(read)
    except (SuperpixelsError, ImageError, ValueError, TypeError, OSError) as error:
        return replace(row, problem=str(error).removeprefix(f"{row.name}: "))
    return row


def default_role(rows: Sequence[DataRow]) -> Role:
    """Return the role of an image that is added to others."""
    n_validating = sum(row.role == "validation" for row in rows)
    wanted = max(1, round(_VALIDATION_SHARE * (len(rows) + 1)))
    return "validation" if rows and n_validating < wanted else "train"


def find_problem(rows: Sequence[DataRow]) -> str:
    """Return why these rows cannot be trained on, in words; empty if they can."""
    used = [row for row in rows if row.included]
    if not used:
        return NO_IMAGES if not rows else "Tick at least one image."
    for row in used:
        if row.problem:
            return f"{row.name}: {row.problem} Take it out, or mend it."
    n_unread = sum(not row.digest for row in used)
    if n_unread:
        return f"{n_unread} image{' is' if n_unread == 1 else 's are'} being read…"
    if not any(row.kind != "earlier" for row in used):
        return "Add an image that the model has not learnt from yet."
    return _role_problem(used) if len(used) > 1 else ""


def _role_problem(used: Sequence[DataRow]) -> str:
    for role, title in (("train", "Train"), ("validation", "Validate")):
        if not any(row.role == role for row in used):
            return f"Set at least one image to {title}."
    measuring = {row.digest: row.name for row in used if row.role == "validation"}
    for row in used:
        if row.role == "train" and row.digest in measuring:
            return f"{row.name} trains, but is the same image as {measuring[row.digest]}, which validates."
    return ""


def unique_name(name: str, taken: Collection[str]) -> str:
    """Return a name that can be that of a file, and that nothing else has."""
    stem = re.sub(r"[^\w .+-]+", "_", name).strip(" .") or "image"
    lower = {other.lower() for other in taken}
    candidates = (stem, *(f"{stem}-{number}" for number in range(2, len(lower) + 3)))
    return next(candidate for candidate in candidates if candidate.lower() not in lower)


def unique_names(rows: Sequence[DataRow]) -> list[str]:
    """Return a name of a file for each row, different for each."""
    names: list[str] = []
    for row in rows:
        names.append(unique_name(row.name, names))
    return names


def _thumbnail(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return a small version of an image (M, N, C) in [0, 1], by the means of its blocks."""
    step = max(1, -(-max(picture.shape[:2]) // THUMBNAIL))
    rows, columns = (max(1, n // step) for n in picture.shape[:2])
    part = picture[: rows * step, : columns * step]
    if part.shape[0] < step or part.shape[1] < step:
        small = picture[::step, ::step]
    else:
        small = part.reshape(rows, step, columns, step, -1).mean((1, 3))
    low, high = float(small.min()), float(small.max())
    spread = (small - low) / (high - low) if high > low else small
    grey = np.repeat(spread, 3, axis=2) if spread.shape[2] == 1 else spread[..., :3]
    return np.round(255 * grey).astype(np.uint8)
