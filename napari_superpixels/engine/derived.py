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
    """The superpixels."""
    means: bool = False
    """Whether to fill each superpixel with its mean colour."""
    outlines: bool = False
    """Whether to draw the borders between superpixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures of a result; None where not wanted."""

    result: SolveResult
    """The superpixels."""
    means: npt.NDArray[Any] | None
    """Mean colour of each pixel's superpixel: uint8 with 3 channels last, or float32 in [0, 1] for a grey image."""
    outlines: npt.NDArray[np.uint8] | None
    """1 on pixels beside another superpixel, else 0."""


def make_pictures(request: PictureRequest) -> Pictures:
    """Compute what a request asks for."""
    result = request.result
    labels = result.superpixels.labels
    return Pictures(
        result,
        _mean_colors(result) if request.means else None,
        boundary_pixels(labels).view(np.uint8) if request.outlines else None,
    )


def _mean_colors(result: SolveResult) -> npt.NDArray[Any]:
    unit = result.network.unit
    if unit.kind == "grey":
        filled: npt.NDArray[Any] = fill_with_means(result.superpixels.labels, unit.pixels[..., :1])[..., 0]
        return filled
    filled = fill_with_means(result.superpixels.labels, unit.pixels)
    return np.rint(filled * 255).astype(np.uint8)
