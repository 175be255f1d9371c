"""From parameters and an input to what has to run: pure functions, no state."""

import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.engine.constraints import Correction
from napari_superpixels.params import STAGES, SegmentParams, Stage


@dataclass(frozen=True, slots=True, eq=False)
class ImageInput:
    """A plane or volume to segment, and what else the user gave for it."""

    pixels: npt.NDArray[Any] | Callable[[], npt.NDArray[Any]]
    """(M, N), (M, N, 3), (M, N, 4), (P, M, N), or any of these with channels along `channel_axis`; or a function that
    reads them, called in the worker's thread."""
    source: Hashable
    """Identity of the image that it comes from: stays while its plane or region changes."""
    key: Hashable
    """Identity of the pixels: equal keys mean equal pixels."""
    channel_axis: int | None = None
    """Axis of the channels, or None."""
    rgb: bool | None = None
    """Whether the last axis holds RGB(A); None guesses from the shape."""
    spacing: tuple[float, ...] | None = None
    """Size of a pixel along each spatial axis."""
    mask: npt.NDArray[np.bool_] | None = None
    """Pixels to segment; None for all."""
    seeds: npt.NDArray[np.integer[Any]] | None = None
    """(K, ndim) positions of seeds; None for a grid with refinement."""
    corrections: tuple[Correction, ...] = ()
    """What the user corrected by hand, in that order; for a plane at full resolution only."""
    name: str = ""
    """Name for messages and metadata."""
    position: tuple[int | None, ...] = ()
    """Index of the plane in a stack, None for the axes that are shown; empty where there is no stack."""
    notes: tuple[str, ...] = ()
    """What the user should know about how the image was taken; no stage reads it."""
    origin: object = None
    """What the caller needs to put the result in its place; no stage reads it."""

    def read_pixels(self) -> npt.NDArray[Any]:
        """Return the pixels as an array in memory."""
        return np.asarray(self.pixels() if callable(self.pixels) else self.pixels)


def stage_keys(inputs: ImageInput, params: SegmentParams, model: Hashable = None) -> dict[Stage, Hashable]:
    """Return for each stage a key that is equal exactly when its result is.

    A stage's key holds its predecessor's, so that a change makes every later stage run again. It holds only parameters
    that the stage reads in this situation: without a model the flattening changes nothing, with given seeds the number
    of superpixels does not. `model` is the identity of the model's file, which can change under the same name.
    """
    has_model = params.model is not None
    network = (inputs.key, inputs.channel_axis, inputs.rgb, params.model, model, params.device if has_model else None)
    features = (network, params.flattening if has_model else None)
    slowness: tuple[Hashable, ...] = (
        features,
        params.law,
        params.color_weight,
        params.edge_weight if has_model else None,
        params.regularity,
        inputs.spacing,
        _digest(inputs.mask),
    )
    if params.law == "ergc":
        slowness += (params.compactness, wanted_segments(inputs, params))
    if inputs.seeds is not None:
        seeds: tuple[Hashable, ...] = (slowness, _digest(inputs.seeds))
    else:
        seeds = (slowness, params.n_segments, params.seed_placement, params.refine_start, params.refine_rounds)
    return {
        "network": network,
        "features": features,
        "slowness": slowness,
        "seeds": seeds,
        "arrival": (seeds, params.solver),
        "corrections": (seeds, params.solver, inputs.corrections),
    }


def unread_parameters(inputs: ImageInput | None, params: SegmentParams) -> frozenset[str]:
    """Return the names of parameters that change nothing in the present situation."""
    unread: set[str] = set()
    if params.model is None:
        unread |= {"device", "flattening", "edge_weight"}
    if params.law != "ergc":
        unread.add("compactness")
    if inputs is not None and inputs.seeds is not None:
        unread |= {"n_segments", "seed_placement", "refine_start", "refine_rounds"}
    return frozenset(unread)


def wanted_segments(inputs: ImageInput, params: SegmentParams) -> int:
    """Return the number of superpixels asked for: that of the seeds, where they are given."""
    return params.n_segments if inputs.seeds is None else len(inputs.seeds)


def dirty_stages(old: dict[Stage, Hashable], new: dict[Stage, Hashable]) -> tuple[Stage, ...]:
    """Return the stages that must run again, in their order."""
    return tuple(stage for stage in STAGES if old.get(stage) != new[stage])


def _digest(array: npt.NDArray[Any] | None) -> Hashable:
    if array is None:
        return None
    contiguous = np.ascontiguousarray(array)
    return (contiguous.shape, contiguous.dtype.str, hashlib.blake2b(contiguous.tobytes(), digest_size=16).digest())
