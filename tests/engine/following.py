"""Helpers for the tests of what follows superpixels."""

import threading

import numpy as np

from napari_superpixels.engine.pipeline import Pipeline, SolveResult
from napari_superpixels.engine.region_follower import RegionFollower
from napari_superpixels.engine.region_model import RegionModel
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.params import SegmentParams


def solved(pixels: np.ndarray, n_segments: int = 30, key: str = "a") -> SolveResult:
    """Return superpixels of an image, without a network."""
    return Pipeline().run(ImageInput(pixels, source=key, key=key), SegmentParams(model=None, n_segments=n_segments))


class Followed(RegionFollower):
    """A follower of an image's superpixels that keeps what it emitted and can be waited for."""

    def __init__(self, pixels: np.ndarray, n_segments: int = 30) -> None:
        self.pixels = pixels
        self.result = solved(pixels, n_segments)
        self.labels = np.array(self.result.superpixels.labels, order="C")
        self.told: list = []
        self.has_built = threading.Event()
        super().__init__(dispatch=lambda function: function())
        self.rebuilt.connect(self.note_built)
        self.updated.connect(self.told.append)
        self.cleared.connect(lambda: self.told.append("cleared"))

    def note_built(self) -> None:
        self.told.append("rebuilt")
        self.has_built.set()

    def start(self) -> None:
        self.set_plane(self.result, self.labels)
        self.wait()

    def wait(self) -> None:
        assert self.has_built.wait(120)
        self.has_built.clear()


def assert_models_equal(model: RegionModel, other: RegionModel, same_tree: bool = True) -> None:
    """Check that two models say the same; after edits, trees need only have the same leaves."""
    n = 1 + min(model.graph.n_labels, other.graph.n_labels)
    np.testing.assert_array_equal(model.graph.sizes[:n], other.graph.sizes[:n])
    assert not model.graph.sizes[n:].any()
    assert not other.graph.sizes[n:].any()
    np.testing.assert_array_equal(model.sums.sums[:n], other.sums.sums[:n])
    for name in ("edges", "lengths", "strengths"):
        np.testing.assert_array_equal(getattr(model.graph, name), getattr(other.graph, name))
    for name in ("labels", "parents") if same_tree else ("labels",):
        np.testing.assert_array_equal(getattr(model.tree, name), getattr(other.tree, name))
