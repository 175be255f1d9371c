"""Loading of what takes seconds the first time: compiled code and torch."""

import numpy as np
from numpy.typing import NDArray

from napari_superpixels.engine.annotation import warm_up_acts
from napari_superpixels.engine.pipeline import Pipeline, SolveResult
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.engine.torch_libraries import preload_torch_libraries
from napari_superpixels.params import SegmentParams


def warm_up() -> None:
    """Load what a first result needs, by making small ones, then what acts need; for a thread of its own at start."""
    # Rough, and as large as what is cut into blocks, so that no code of the solver is left out.
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    raw, flattened = SegmentParams(model=None), SegmentParams(n_segments=8)
    result = _run(noise, raw)
    preload_torch_libraries()
    _run(noise[:64, :64], flattened)
    _run(noise[..., 0], raw)
    _run(noise[:64, :64, 0], flattened)
    # Last, so that who presses Segment at once does not wait for it.
    warm_up_acts(result)


def _run(pixels: NDArray[np.uint8], params: SegmentParams) -> SolveResult:
    return Pipeline().run(ImageInput(pixels, source=None, key=None), params)
