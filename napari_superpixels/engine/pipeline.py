"""The stages of a segmentation, each cached by exactly what it reads."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.core.eikonal import check_cancelled, is_loaded, new_cancel_flag
from napari_superpixels.core.features import pixel_features
from napari_superpixels.core.image import UnitImage, unit_image
from napari_superpixels.core.slowness import SlownessField, label_slowness
from napari_superpixels.core.superpixels import SeedSet, Superpixels, find_seeds, given_seeds, march_from
from napari_superpixels.engine.corrections import Correction, replay
from napari_superpixels.engine.models import loaded_model, model_identity
from napari_superpixels.engine.resolve import ImageInput, stage_keys, wanted_segments
from napari_superpixels.errors import ImageError
from napari_superpixels.params import STAGES, SegmentParams, Stage

Progress = Callable[[float, str], None]
_NETWORK_CACHE_BYTES = 512 * 1024**2
_NETWORK_SHARE = 0.7
_SEEDS_SHARE = 0.85


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """The image in [0, 1], and what the network made of it."""

    unit: UnitImage
    """The image as the network sees it."""
    flattened: npt.NDArray[np.float32] | None
    """The flattened image, shape of `unit.pixels`; None without a model."""
    boundary: npt.NDArray[np.float32] | None
    """Boundary probability in [0, 1], without the channel axis; None where the model predicts none."""
    device: str
    """Where the network ran: "cpu", "cuda", "mps"; "" without a model."""
    model_sha256: str
    """Digest of the model file; "" without a model."""
    seconds: float
    """How long that took."""

    @property
    def n_bytes(self) -> int:
        """Memory that this holds."""
        arrays = (self.unit.pixels, self.flattened, self.boundary)
        return sum(array.nbytes for array in arrays if array is not None)


@dataclass(frozen=True, slots=True, eq=False)
class SolveResult:
    """What one run made."""

    superpixels: Superpixels
    """Labels after the corrections; arrival times and seeds of the superpixels before them."""
    base_labels: npt.NDArray[np.int32]
    """Labels before the corrections; the same array as `superpixels.labels` where there are none."""
    lost: tuple[Correction, ...]
    """Corrections that these superpixels can't hold."""
    n_segments: int
    """Number of superpixels."""
    slowness: SlownessField
    """What the fronts travelled through; local repairs grow through it again."""
    network: NetworkOutput
    """The network's stage."""
    inputs: ImageInput
    """What was segmented."""
    params: SegmentParams
    """With which parameters."""
    timings: dict[str, float]
    """Seconds of "network", "features" and "eikonal"; a cached stage keeps the time that it took."""
    ran: tuple[Stage, ...]
    """Stages that ran, the others came from the cache."""
    keys: dict[Stage, Hashable]
    """What each stage was made from; see :func:`napari_superpixels.engine.resolve.stage_keys`."""
    notes: tuple[str, ...]
    """What the user should know about the input."""


@dataclass(frozen=True, slots=True, eq=False)
class _Corrected:
    """What the stage of the corrections makes."""

    labels: npt.NDArray[np.int32]
    lost: tuple[Correction, ...]
    n_segments: int


class Pipeline:
    """Runs the stages of a request, re-using what earlier runs left.

    Not to be run from two threads at once. The network's outputs are kept for several planes, as far as 512 MiB go; the
    other stages keep their last result.
    """

    def __init__(self) -> None:
        self._last: dict[Stage, tuple[Hashable, Any]] = {}
        self._networks: OrderedDict[Hashable, NetworkOutput] = OrderedDict()
        self._seconds: dict[str, float] = {}

    def run(
        self,
        inputs: ImageInput,
        params: SegmentParams,
        *,
        cancel: npt.NDArray[np.uint8] | None = None,
        progress: Progress | None = None,
    ) -> SolveResult:
        """Segment an image.

        Parameters
        ----------
        inputs : ImageInput
            The image.
        params : SegmentParams
            The parameters.
        cancel : ndarray of shape (1,), uint8, optional
            Set its element to 1, from any thread, to stop.
        progress : callable, optional
            Called with the share done, 0 to 1, and what is being done.

        Raises
        ------
        ImageError
            If the image can't be segmented.
        ValueError
            If the number of superpixels, the seeds or the mask do not fit the image.
        CheckpointError
            If the model can't be loaded.
        CancelledError
            If cancelled.
        """
        cancel = new_cancel_flag() if cancel is None else cancel
        report: Progress = progress or (lambda share, text: None)
        keys = stage_keys(inputs, params, model_identity(params.model))
        ran: list[Stage] = []

        def stage(name: Stage, make: Callable[[], Any]) -> Any:
            check_cancelled(cancel)
            if name in self._last and self._last[name][0] == keys[name]:
                return self._last[name][1]
            value = make()
            self._last[name] = (keys[name], value)
            ran.append(name)
            return value

        network = self._network(keys["network"], inputs, params, cancel, report, ran)
        _check_fit(inputs, network.unit)
        start = time.perf_counter()
        report(_NETWORK_SHARE, "Comparing colours")
        features = stage("features", lambda: _features(network, params))
        if "features" in ran:
            self._seconds["features"] = time.perf_counter() - start
        start = time.perf_counter()
        report(_NETWORK_SHARE + 0.05, _growing())
        slowness = stage("slowness", lambda: _slowness(features, network, inputs, params))
        seeds = stage("seeds", lambda: _seeds(slowness, inputs, params, cancel, report))
        superpixels = stage("arrival", lambda: _arrival(slowness, seeds, params, cancel, report))
        if any(name in ran for name in STAGES[2:-1]):
            self._seconds["eikonal"] = time.perf_counter() - start
        corrected = stage("corrections", lambda: _corrected(superpixels, slowness, inputs, cancel))
        report(1.0, "Done")
        timings = {"network": network.seconds, **self._seconds}
        notes = _notes(inputs, params, network.unit, len(superpixels.seeds))
        return SolveResult(
            superpixels=replace(superpixels, labels=corrected.labels) if inputs.corrections else superpixels,
            base_labels=superpixels.labels,
            lost=corrected.lost,
            n_segments=corrected.n_segments,
            slowness=slowness,
            network=network,
            inputs=inputs,
            params=params,
            timings=timings,
            ran=tuple(ran),
            keys=keys,
            notes=notes,
        )

    def _network(
        self,
        key: Hashable,
        inputs: ImageInput,
        params: SegmentParams,
        cancel: npt.NDArray[np.uint8],
        report: Progress,
        ran: list[Stage],
    ) -> NetworkOutput:
        if key in self._networks:
            self._networks.move_to_end(key)
            return self._networks[key]
        output = _run_network(inputs, params, cancel, report)
        self._networks[key] = output
        ran.append("network")
        while len(self._networks) > 1 and sum(o.n_bytes for o in self._networks.values()) > _NETWORK_CACHE_BYTES:
            self._networks.popitem(last=False)
        return output


def _run_network(
    inputs: ImageInput, params: SegmentParams, cancel: npt.NDArray[np.uint8], report: Progress
) -> NetworkOutput:
    unit = unit_image(inputs.read_pixels(), channel_axis=inputs.channel_axis, rgb=inputs.rgb)
    check_cancelled(cancel)
    if params.model is None:
        return NetworkOutput(unit, None, None, "", "", 0.0)
    report(0.0, "Loading the network")
    # Imported here: torch takes seconds, and must not be imported on the main thread of a window.
    from napari_superpixels.nets.predict import predict

    model = loaded_model(params.model)
    start = time.perf_counter()
    planes = unit.pixels if unit.pixels.ndim == 4 else unit.pixels[None]
    flattened = np.empty_like(planes)
    boundaries = []
    device = ""
    for i, plane in enumerate(planes):
        base, share = i / len(planes), 1 / len(planes)
        prediction = predict(
            model,
            plane,
            device=params.device,
            cancel=lambda: bool(cancel[0]),
            progress=lambda done, base=base, share=share: report(  # type: ignore[misc]
                _NETWORK_SHARE * (base + share * done), "Running the network"
            ),
        )
        flattened[i] = prediction.flattened
        boundaries.append(prediction.boundary)
        device = prediction.device
    boundary = None if boundaries[0] is None else np.stack([b for b in boundaries if b is not None])
    seconds = time.perf_counter() - start
    if unit.pixels.ndim == 3:
        return NetworkOutput(
            unit, flattened[0], None if boundary is None else boundary[0], device, model.sha256, seconds
        )
    return NetworkOutput(unit, flattened, boundary, device, model.sha256, seconds)


def _features(network: NetworkOutput, params: SegmentParams) -> npt.NDArray[np.float32]:
    return pixel_features(network.unit.pixels, network.flattened, params.flattening, network.unit.kind)


def _slowness(
    features: npt.NDArray[np.float32], network: NetworkOutput, inputs: ImageInput, params: SegmentParams
) -> SlownessField:
    return label_slowness(
        features,
        params.law,
        color_weight=params.color_weight,
        edge_weight=params.edge_weight,
        compactness=params.compactness,
        regularity=params.regularity,
        n_segments=wanted_segments(inputs, params),
        boundary=network.boundary,
        mask=inputs.mask,
        spacing=inputs.spacing,
    )


def _growing() -> str:
    """Return what the solver is at, for the user."""
    return "Growing superpixels" if is_loaded() else "Preparing the solver"


def _seeds(
    slowness: SlownessField,
    inputs: ImageInput,
    params: SegmentParams,
    cancel: npt.NDArray[np.uint8],
    report: Progress,
) -> SeedSet:
    if inputs.seeds is not None:
        return given_seeds(slowness, inputs.seeds)
    return find_seeds(
        slowness,
        params.n_segments,
        placement=params.seed_placement,
        refine_start=params.refine_start,
        refine_rounds=params.refine_rounds,
        cancel=cancel,
        progress=lambda done: report(_NETWORK_SHARE + 0.05 + 0.1 * done, _growing()),
    )


def _arrival(
    slowness: SlownessField,
    seeds: SeedSet,
    params: SegmentParams,
    cancel: npt.NDArray[np.uint8],
    report: Progress,
) -> Superpixels:
    if params.solver == "scikit-fmm":
        from napari_superpixels.core.fmm import march_scikit_fmm

        return march_scikit_fmm(slowness, seeds)
    return march_from(
        slowness, seeds, cancel=cancel, progress=lambda done: report(_SEEDS_SHARE + 0.15 * done, _growing())
    )


def _corrected(
    superpixels: Superpixels, slowness: SlownessField, inputs: ImageInput, cancel: npt.NDArray[np.uint8]
) -> _Corrected:
    if not inputs.corrections:
        return _Corrected(superpixels.labels, (), len(superpixels.seeds))
    labels, lost = replay(inputs.corrections, superpixels.labels, slowness, cancel=cancel)
    return _Corrected(labels, lost, int(np.count_nonzero(np.bincount(labels.ravel())[1:])))


def _check_fit(inputs: ImageInput, unit: UnitImage) -> None:
    """Check that what came with the image fits it."""
    shape = unit.pixels.shape[:-1]
    spacing = inputs.spacing
    if spacing is not None and (len(spacing) != len(shape) or not all(0 < h < np.inf for h in spacing)):
        raise ValueError(f"spacing must be {len(shape)} finite numbers above 0, one for each axis; received {spacing}")
    if inputs.corrections and len(shape) != 2:
        raise ValueError(f"Corrections are for planes; the image has shape {shape}. Show one plane, or drop them.")
    if inputs.mask is None:
        return
    if inputs.mask.shape != shape:
        raise ValueError(f"The mask has shape {inputs.mask.shape}; expected {shape}, the shape of the image.")
    if not inputs.mask.any():
        raise ImageError("The mask is empty: it allows no pixel. Mark the area to segment, or segment without a mask.")


def _notes(inputs: ImageInput, params: SegmentParams, unit: UnitImage, n_segments: int) -> tuple[str, ...]:
    notes = list(inputs.notes)
    if unit.n_invalid:
        notes.append(
            f"{unit.n_invalid} values of the image are NaN or infinite; they were replaced by its smallest value."
        )
    wanted = wanted_segments(inputs, params)
    if n_segments > wanted:
        notes.append(
            f"There are {n_segments} superpixels instead of {wanted}, because each separate part of the mask needs one."
        )
    return tuple(notes)
