"""Results kept for the time when the user comes back to them."""

from collections import OrderedDict

from napari_superpixels.engine.pipeline import SolveResult

DEFAULT_MAX_BYTES = 512 * 1024**2


class ResultMemory:
    """Results by name, the least recently used of which go when memory runs out.

    Parameters
    ----------
    max_bytes : int
        Memory for the arrays of all results; what several have in common counts once. The latest result stays, however
        large.
    """

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._results: OrderedDict[str, SolveResult] = OrderedDict()
        self._max_bytes = max_bytes

    def put(self, name: str, result: SolveResult) -> None:
        """Keep a result."""
        self._results[name] = result
        self._results.move_to_end(name)
        while len(self._results) > 1 and self.n_bytes > self._max_bytes:
            self._results.popitem(last=False)

    def get(self, name: str | None) -> SolveResult | None:
        """Return a result, None if it is not there."""
        if name is None or name not in self._results:
            return None
        self._results.move_to_end(name)
        return self._results[name]

    def name_of(self, result: SolveResult) -> str | None:
        """Return the name of a result that is kept, None if it is not."""
        return next((name for name, kept in self._results.items() if kept is result), None)

    @property
    def n_bytes(self) -> int:
        """Memory that the results hold."""
        sizes = {}
        for result in self._results.values():
            superpixels, slowness, network = result.superpixels, result.slowness, result.network
            for array in (
                superpixels.labels,
                superpixels.arrival,
                result.base_labels,
                slowness.features,
                slowness.field,
                network.unit.pixels,
                network.flattened,
                network.boundary,
            ):
                if array is not None:
                    sizes[id(array)] = array.nbytes
        return sum(sizes.values())
