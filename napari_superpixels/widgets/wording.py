"""What the status line and the quality panel say."""

import html
import math
from collections.abc import Callable
from typing import NamedTuple

from napari_superpixels.engine.pipeline import SolveResult
from napari_superpixels.engine.quality import Quality
from napari_superpixels.errors import SuperpixelsError

_EIKONAL_STAGES = {"slowness", "seeds", "arrival"}


def describe_result(result: SolveResult) -> str:
    """Return a line such as ``400 superpixels · network 61 ms (cached) · eikonal 34 ms · cpu``."""
    n = result.n_segments
    parts = [f"{n} superpixel{'' if n == 1 else 's'}"]
    if result.params.model is None:
        parts.append("raw image")
    else:
        parts.append(f"network {_duration(result.timings['network'])}{_cached(result, {'network'})}")
    parts.append(f"eikonal {_duration(result.timings['eikonal'])}{_cached(result, _EIKONAL_STAGES)}")
    device, wanted = result.network.device or "cpu", result.params.device
    parts.append(device if result.params.model is None or wanted in ("auto", device) else f"{device}, not {wanted}")
    return " · ".join(parts)


def describe_error(error: Exception) -> str:
    """Return a sentence for the user; an error made on purpose speaks for itself."""
    if isinstance(error, SuperpixelsError | ValueError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory for this image. Use a smaller region or a smaller resolution level."
    return f"Something went wrong inside the program ({type(error).__name__}: {error})."


def wrapped(text: str) -> str:
    """Return a tool tip that Qt breaks into lines; it does so with rich text alone."""
    return "".join(f"<p>{html.escape(part, quote=False)}</p>" for part in text.split("\n\n"))


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def _cached(result: SolveResult, stages: set[str]) -> str:
    return "" if stages & set(result.ran) else " (cached)"


class QualityRow(NamedTuple):
    """One measure of the quality panel."""

    name: str
    """Name of its label."""
    title: str
    """What the panel calls it."""
    description: str
    """Definition."""
    describe: Callable[[Quality], str]
    """Returns the value as text."""


def _metric(name: str, title: str, description: str) -> QualityRow:
    return QualityRow(name, title, description, lambda quality: _number(getattr(quality.metrics, name)))


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


#: Measures against ground truth; those called "error" are better low, the others high.
QUALITY_ROWS = (
    _metric(
        "boundary_recall",
        "Boundary recall (BR)",
        "Share of the ground truth's boundary pixels that have a superpixel boundary within the tolerance. "
        "1 is best; more superpixels and ragged ones score higher.",
    ),
    _metric(
        "undersegmentation_error",
        "Undersegm. error (UE)",
        "1 - ASA: share of pixels that leak out of the object that their superpixel mostly covers. 0 is best.",
    ),
    _metric(
        "achievable_segmentation_accuracy",
        "Best accuracy (ASA)",
        "Share of pixels that are right when every superpixel is given the object that it mostly covers: the best that "
        "labelling these superpixels can reach. 1 is best.",
    ),
    _metric(
        "explained_variation",
        "Explained variation (EV)",
        "Share of the image's variance that remains when each superpixel takes its mean colour. 1 is best. Needs no "
        "ground truth.",
    ),
    _metric(
        "compactness",
        "Compactness (CO)",
        "How round the superpixels are: the mean of 4π area / perimeter², the perimeter in pixel edges. Squares have "
        "0.785. Defined for planes only. Needs no ground truth.",
    ),
)

#: Measures of the image alone.
REGION_ROWS = (
    QualityRow(
        "count", "Superpixels", "Number of superpixels of the result.", lambda quality: f"{len(quality.regions.sizes)}"
    ),
    QualityRow(
        "boundary_contrast",
        "Boundary contrast",
        "How different neighbours are: the distance of the mean colours on both sides of a border (CIELAB, ΔE; on grey "
        "images of the lightness), averaged along all borders. Higher means borders that lie on edges.",
        lambda quality: _contrast(quality.regions.boundary_contrast),
    ),
    QualityRow(
        "straddling_share",
        "Straddle an edge",
        "Share of superpixels with a strong edge inside, as a part of two objects would have: an edge farther from "
        "every border than the tolerance, and at least half as long as the superpixel is wide. Strong is a boundary "
        "probability of 0.5 where the network predicts one, else a colour step of ΔE 25. Lower is better; raise the "
        "number of superpixels where it is high.",
        lambda quality: f"{100 * quality.regions.straddling_share:.1f} %",
    ),
    QualityRow(
        "median_size",
        "Median size",
        "Half of the superpixels have fewer pixels, half have more.",
        lambda quality: f"{quality.median_size:.0f} px",
    ),
)


def _contrast(value: float) -> str:
    return "–" if math.isnan(value) else f"ΔE {value:.1f}"
