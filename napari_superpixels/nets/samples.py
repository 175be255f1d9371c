"""What a network is trained on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TrainSample:
    """An image with the superpixels that each annotator's ground truth allows."""

    image: NDArray[np.uint8]
    """Shape (H, W, 3), RGB."""
    labels: tuple[NDArray[np.integer], ...]
    """One superpixel map of shape (H, W) per annotator, labels index ``colors``."""
    colors: tuple[NDArray[np.float32], ...]
    """Per annotator the mean colour of every label, shape (labels + 1, 3), in [0, 1]."""
    boundary: NDArray[np.uint8]
    """Shape (H, W): share of annotators who drew a border at the pixel, times 255."""
    annotated: NDArray[np.bool_] | None = None
    """Shape (H, W): where the labels hold, at least somewhere, and are learnt from; None where they hold everywhere."""

    @property
    def is_grey(self) -> bool:
        """Whether the channels are equal everywhere."""
        return bool((self.image == self.image[..., :1]).all())


def known_boundaries(annotated: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where it is known whether there is a border: where a pixel and its 4 neighbours are annotated, (H, W)."""
    known = annotated.copy()
    known[1:] &= annotated[:-1]
    known[:-1] &= annotated[1:]
    known[:, 1:] &= annotated[:, :-1]
    known[:, :-1] &= annotated[:, 1:]
    return known
