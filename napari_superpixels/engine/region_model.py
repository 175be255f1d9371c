"""What is known of the superpixels of a plane; made as a whole, or brought up to date after an edit."""

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_superpixels.core.eikonal import check_cancelled
from napari_superpixels.core.features import pixel_features
from napari_superpixels.core.merge_tree import MergeTree, merge_tree
from napari_superpixels.core.region_features import PixelMaps, RegionSums, region_sums
from napari_superpixels.core.region_graph import RegionGraph, region_graph
from napari_superpixels.engine.pipeline import SolveResult

Box = tuple[slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class PlaneMaps:
    """What the pixels of a plane are like, and of which plane."""

    network: Hashable
    """Equal keys mean equal images."""
    features: Hashable
    """Equal keys mean equal features."""
    maps: PixelMaps
    """The plane."""


@dataclass(frozen=True, slots=True, eq=False)
class RegionModel:
    """Superpixels of a plane, as regions."""

    plane: PlaneMaps
    """What their pixels are like."""
    graph: RegionGraph
    """Which superpixels touch, and how strong their borders are."""
    tree: MergeTree
    """In which order they join."""
    sums: RegionSums
    """What each superpixel is like."""

    def updated(
        self, window: Box, before: npt.NDArray[np.int32], after: npt.NDArray[np.int32], changed: npt.NDArray[np.int32]
    ) -> "RegionModel":
        """Return the model after labels changed.

        Parameters
        ----------
        window : tuple of slice
            Part of the plane with all changed pixels, and where the plane goes on
            :data:`napari_superpixels.core.region_features.MARGIN` pixels more on each side.
        before, after : ndarray of the window's shape, int32
            Labels there.
        changed : ndarray, int32
            Labels whose pixels changed.
        """
        maps = self.plane.maps
        boundary = None if maps.boundary is None else maps.boundary[window]
        graph = self.graph.updated(before, after, maps.flattened[window], boundary)
        sums = self.sums.updated(window, before, after, maps)
        return replace(self, graph=graph, tree=self.tree.updated(graph, changed), sums=sums)


def plane_maps(result: SolveResult, known: PlaneMaps | None = None) -> PlaneMaps:
    """Return the maps of a result's plane, with those of the known ones that are the same."""
    network, features = result.keys["network"], result.keys["features"]
    if known is not None and known.features == features:
        return known
    unit, flattened = result.network.unit, result.network.flattened
    is_known = known is not None and known.network == network
    raw = known.maps.raw if known is not None and is_known else pixel_features(unit.pixels, None, 0.0, unit.kind)
    mixed = raw if flattened is None else pixel_features(unit.pixels, flattened, result.params.flattening, unit.kind)
    return PlaneMaps(network, features, PixelMaps(raw, mixed, result.network.boundary))


def region_model(plane: PlaneMaps, labels: npt.NDArray[np.int32], cancel: npt.NDArray[np.uint8]) -> RegionModel:
    """Make the model of a plane's superpixels.

    Parameters
    ----------
    plane : PlaneMaps
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
    graph = region_graph(labels, plane.maps.flattened, plane.maps.boundary)
    check_cancelled(cancel)
    tree = merge_tree(graph)
    check_cancelled(cancel)
    sums = region_sums(labels, plane.maps)
    check_cancelled(cancel)
    return RegionModel(plane, graph, tree, sums)
