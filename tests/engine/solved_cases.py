"""A small image that is really segmented."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from napari_superpixels.engine.pipeline import Pipeline
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.params import SegmentParams

SHAPE = (40, 52)
_NOISE = ndimage.gaussian_filter(np.random.default_rng(3).random((*SHAPE, 3)), (3, 3, 0))
IMAGE = np.round(255 * (_NOISE - _NOISE.min()) / np.ptp(_NOISE)).astype(np.uint8)
INPUTS = ImageInput(IMAGE, source="image", key="image")
PARAMS = SegmentParams(model=None, n_segments=30)


class Solver:
    """Segments the image with the corrections of an annotation, as the session's worker does."""

    def __init__(self):
        self._pipeline = Pipeline()

    def result(self, corrections=(), **changes):
        return self._pipeline.run(replace(INPUTS, corrections=tuple(corrections)), PARAMS.updated(**changes))
