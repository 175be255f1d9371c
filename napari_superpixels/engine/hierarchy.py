"""Coarser and finer superpixels: cuts through the merge tree, and steps along it under the cursor."""

from typing import Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_superpixels.engine.region_follower import RegionFollower

#: How much larger a selection is, at least, after a step.
_GROWTH = 1.25


class Hierarchy:
    """Levels of coarser superpixels of the plane at hand.

    Level 0 is the superpixels themselves, level 1 as few regions as possible (one for each separate part of a mask).
    Equal steps of the level divide the number of regions by equal factors. Without a model, each superpixel is alone.

    Parameters
    ----------
    follower : RegionFollower
        Knows the superpixels.
    """

    changed = Signal()
    """The levels are others than before."""

    def __init__(self, follower: RegionFollower) -> None:
        self._follower = follower
        follower.rebuilt.connect(self.changed.emit)
        follower.updated.connect(self._on_updated)
        follower.cleared.connect(self.changed.emit)

    @property
    def is_ready(self) -> bool:
        """Whether levels above 0 are there."""
        return self._follower.is_ready

    def n_regions(self, level: float) -> int:
        """Return the number of regions at a level, 0 to 1; 0 when not ready."""
        model = self._follower.model
        return 0 if model is None else model.tree.n_regions(_checked(level))

    def lut(self, level: float) -> npt.NDArray[np.int32]:
        """Return a level as a look-up table.

        Returns
        -------
        ndarray of shape (largest label + 1,), int32
            For each label the smallest label of its region, so that ``lut[labels]`` is the coarser image; only [0]
            when not ready.
        """
        model = self._follower.model
        if model is None:
            return np.zeros(1, np.int32)
        return model.tree.labels_at(model.tree.n_regions(_checked(level)))

    def group(self, label: int, level: float) -> npt.NDArray[np.int32]:
        """Return the labels of all superpixels in a label's region at a level, rising; the label alone if unknown."""
        _checked(level)
        model = self._follower.model
        leaf = -1 if model is None else model.tree.leaf(label)
        if model is None or leaf < 0:
            return np.array([label], np.int32)
        return model.tree.labels_under(model.tree.top(leaf, model.tree.n_regions(level)))

    def neighbors(self, label: int) -> npt.NDArray[np.int32]:
        """Return the labels of the superpixels that touch one, rising; none when not ready."""
        model = self._follower.model
        return np.empty(0, np.int32) if model is None else model.graph.neighbors(label)

    def grow(self, selection: npt.NDArray[np.integer[Any]], anchor: int) -> npt.NDArray[np.int32]:
        """Return the next larger region around a superpixel.

        Parameters
        ----------
        selection : ndarray of shape (n,), integer
            Labels selected now.
        anchor : int
            The label under the cursor.

        Returns
        -------
        ndarray, int32
            Labels of the smallest region on the way from the anchor to the coarsest level with more superpixels than
            are selected; the coarsest region at the end of the way. A step adds at least a quarter to the area.
        """
        steps = self._steps(anchor)
        larger = (step for step in steps if len(step) > len(selection))
        return next(larger, steps[-1])

    def shrink(self, selection: npt.NDArray[np.integer[Any]], anchor: int) -> npt.NDArray[np.int32]:
        """Return the next smaller region around a superpixel, at least that superpixel alone; see :meth:`grow`."""
        steps = self._steps(anchor)
        smaller = (step for step in reversed(steps) if len(step) < len(selection))
        return next(smaller, steps[0])

    def _steps(self, anchor: int) -> list[npt.NDArray[np.int32]]:
        """Return the regions around a label in which a selection grows, smallest first."""
        model = self._follower.model
        leaf = -1 if model is None else model.tree.leaf(anchor)
        steps = [np.array([anchor], np.int32)]
        if model is None or leaf < 0:
            return steps
        area = int(model.graph.sizes[anchor])
        ancestors = model.tree.ancestors(leaf)
        for node in ancestors:
            labels = model.tree.labels_under(node)
            larger = int(model.graph.sizes[labels].sum())
            if larger >= _GROWTH * area or node == ancestors[-1]:
                steps.append(labels)
                area = larger
        return steps

    def _on_updated(self, labels: npt.NDArray[np.int32]) -> None:
        self.changed.emit()


def _checked(level: float) -> float:
    if not 0 <= level <= 1:
        raise ValueError(f"level must lie from 0 (superpixels) to 1 (coarsest); received {level}")
    return level
