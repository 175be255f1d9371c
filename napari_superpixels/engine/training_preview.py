"""The superpixels of the view with the network as it is, made now and then while it learns."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.engine.preview_files import PreviewLabels, read_request, write_preview
from napari_superpixels.engine.validation import ValidationConfig, picture_pixels
from napari_superpixels.errors import SuperpixelsError
from napari_superpixels.nets.checkpoint import Model, load_model

#: Least seconds between two previews, and their largest share of the run's time.
INTERVAL_SECONDS, MOST_SHARE = 5.0, 0.15


class Preview:
    """Makes previews now and then, in the child.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the run.
    start : str
        The start model.
    """

    def __init__(self, folder: Path, start: str) -> None:
        self._folder, self._start = folder, start
        self._asked = 0
        self._turn: int | None = None
        self._next = 0.0
        self._before: npt.NDArray[np.int32] | None = None

    def show(self, make: Callable[[], Model], asked: int, *, should_stop: Callable[[], bool]) -> bool:
        """Make a preview if one is wanted and it is time, and return whether there is a new one.

        Parameters
        ----------
        make : callable
            Returns the network as it is.
        asked : int
            How often one was asked for, 0 for none; after another number it is time at once.
        should_stop : callable
            Asked meanwhile; True gives it up.
        """
        began = time.perf_counter()
        if asked == 0 or (asked == self._asked and began < self._next):
            return False
        self._asked = asked
        try:
            arrays = read_request(self._folder)
            # The window may have written the next request before it told of it.
            turn = int(arrays["turn"])
            if turn != self._turn or self._before is None:
                self._turn, self._before = None, self._segment(load_model(self._start), arrays, should_stop)
                self._turn = turn
            after = self._segment(make(), arrays, should_stop)
            write_preview(self._folder, PreviewLabels(self._before, after, turn))
        except (SuperpixelsError, ValueError):
            # A view without pixels, or too small for its superpixels, has no preview; the training goes on.
            return False
        finally:
            now = time.perf_counter()
            self._next = now + max(INTERVAL_SECONDS, (now - began) * (1 / MOST_SHARE - 1))
        return True

    def _segment(
        self, model: Model, arrays: dict[str, npt.NDArray[Any]], should_stop: Callable[[], bool]
    ) -> npt.NDArray[np.int32]:
        axis, rgb = (int(value) for value in arrays["layout"])
        return picture_pixels(
            model,
            arrays["pixels"],
            int(arrays["n_segments"]),
            ValidationConfig(),
            channel_axis=None if axis < 0 else axis,
            rgb=None if rgb < 0 else bool(rgb),
            should_stop=should_stop,
        ).labels
