"""What is known of the superpixels of a plane; made as a whole, or brought up to date after an edit."""

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_superpixels.core.eikonal import check_cancelled
from napari_superpixels.core.features import pixel_features
from napari_superpixels.core.merge_tree import MergeTree, merge_tree
from napari_superpixels.core.region_graph import RegionGraph, region_graph
from napari_superpixels.engine.pipeline import SolveResult

Box = tuple[slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class PixelFields:
    """What the pixels of a plane are like, whatever superpixels lie on them."""

    key: Hashable
    """Equal keys mean equal fields."""
    features: npt.NDArray[np.float32]
    """(M, N, C) features that the superpixels were grown in."""
    boundary: npt.NDArray[np.float32] | None
    """(M, N) boundary probability; None where the model predicts none."""


@dataclass(frozen=True, slots=True, eq=False)
class RegionModel:
    """Superpixels of a plane, as regions."""

    fields: PixelFields
    """What their pixels are like."""
    graph: RegionGraph
    """Which superpixels touch, and how strong their borders are."""
    tree: MergeTree
    """In which order they join."""

    def updated(
        self, window: Box, before: npt.NDArray[np.int32], after: npt.NDArray[np.int32], changed: npt.NDArray[np.int32]
    ) -> "RegionModel":
        """Return the model after labels changed.

        Parameters
        ----------
        window : tuple of slice
            Part of the plane with all changed pixels, and where the plane goes on one pixel more on each side.
        before, after : ndarray of the window's shape, int32
            Labels there.
        changed : ndarray, int32
            Labels whose pixels changed.
        """
        boundary = self.fields.boundary
        graph = self.graph.updated(
            before, after, self.fields.features[window], None if boundary is None else boundary[window]
        )
        return replace(self, graph=graph, tree=self.tree.updated(graph, changed))


def pixel_fields(result: SolveResult, known: PixelFields | None = None) -> PixelFields:
    """Return the fields of a result's plane: the known ones, if they are the same."""
    key = result.keys["features"]
    if known is not None and known.key == key:
        return known
    network = result.network
    features = pixel_features(network.unit.pixels, network.flattened, result.params.flattening, network.unit.kind)
    return PixelFields(key, features, network.boundary)


def region_model(fields: PixelFields, labels: npt.NDArray[np.int32], cancel: npt.NDArray[np.uint8]) -> RegionModel:
    """Make the model of a plane's superpixels.

    Parameters
    ----------
    fields : PixelFields
        The plane.
    labels : ndarray of shape (M, N), int32
        Its superpixels.
    cancel : ndarray of shape (1,), uint8
        Set its element to 1, from any thread, to stop.

    Raises
    ------
    CancelledError
        If cancelled.
    """
    check_cancelled(cancel)
    graph = region_graph(labels, fields.features, fields.boundary)
    check_cancelled(cancel)
    tree = merge_tree(graph)
    check_cancelled(cancel)
    return RegionModel(fields, graph, tree)
