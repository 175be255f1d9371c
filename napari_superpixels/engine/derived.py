"""Pictures computed from a result for display, off the main thread."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.core.metrics import boundary_pixels
from napari_superpixels.core.regions import fill_with_means
from napari_superpixels.engine.pipeline import SolveResult


@dataclass(frozen=True, slots=True, eq=False)
class PictureRequest:
    """Which pictures of a result are wanted."""

    result: SolveResult
    """What the superpixels were made of."""
    means: bool = False
    """Whether to fill each superpixel with its mean colour."""
    outlines: bool = False
    """Whether to draw the borders between superpixels."""
    labels: npt.NDArray[np.int32] | None = None
    """The superpixels where they have been edited since, an array that nobody writes; None for those of the result."""
    version: int = 0
    """What the caller needs to tell whether the superpixels have changed since; it comes back."""


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures of a result; None where not wanted."""

    result: SolveResult
    """What the superpixels were made of."""
    version: int
    """The request's."""
    means: npt.NDArray[Any] | None
    """Mean colour of each pixel's superpixel: uint8 with 3 channels last, or float32 in [0, 1] for a grey image."""
    outlines: npt.NDArray[np.uint8] | None
    """1 on pixels beside another superpixel, else 0."""


def make_pictures(request: PictureRequest) -> Pictures:
    """Compute what a request asks for."""
    return Pictures(
        request.result,
        request.version,
        _mean_colors(request) if request.means else None,
        boundary_pixels(_labels(request)).view(np.uint8) if request.outlines else None,
    )


def _labels(request: PictureRequest) -> npt.NDArray[np.int32]:
    return request.result.superpixels.labels if request.labels is None else request.labels


def _mean_colors(request: PictureRequest) -> npt.NDArray[Any]:
    unit = request.result.network.unit
    if unit.kind == "grey":
        filled: npt.NDArray[Any] = fill_with_means(_labels(request), unit.pixels[..., :1])[..., 0]
        return filled
    filled = fill_with_means(_labels(request), unit.pixels)
    return np.rint(filled * 255).astype(np.uint8)
