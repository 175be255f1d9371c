"""Earlier corrections, while another one is put into effect: which it would break, and what keeps them."""

from collections.abc import Iterable

import numpy as np

from napari_superpixels.core.regrow import Box, LabelPatch, Labels, Pixels
from napari_superpixels.engine.constraints import Correction, is_met, linked_sets, reader


class Kept:
    """Corrections to be kept.

    Parameters
    ----------
    corrections : iterable of Correction
        The corrections; only those that hold now can be kept.
    labels : ndarray of shape (M, N), int32
        Labels now.
    """

    def __init__(self, corrections: Iterable[Correction], labels: Labels) -> None:
        self._corrections = corrections
        self._labels = labels
        self._read = reader(labels)

    def near(self, box: Box, but: Correction | None) -> list[Correction]:
        """Return the corrections, but for one, that hold now and speak of pixels of a box."""
        rows, columns = box
        found = []
        for other in self._corrections:
            top, bottom, left, right = other.bounds
            if bottom < rows.start or top >= rows.stop or right < columns.start or left >= columns.stop:
                continue
            if other != but and is_met(other, self._read):
                found.append(other)
        return found

    def broken(self, patch: LabelPatch, but: Correction | None) -> list[Correction]:
        """Return the corrections, but for one, that a patch breaks."""
        after = reader(self._labels, patch)
        return [other for other in self.near(patch.box, but) if not is_met(other, after)]

    def together(self, box: Box, but: Correction | None) -> list[Pixels]:
        """Return the sets of pixels near a box that are to stay in one superpixel each."""
        return [pixels for other in self.near(box, but) for pixels in linked_sets(other, self._read)]

    def sharing(self, pixels: Pixels, but: Correction | None) -> Pixels:
        """Return pixels, (n, 2), with all of each set that shares some with them, or with a set that does."""
        pixels = np.unique(pixels, axis=0)
        n_before = 0
        while len(pixels) > n_before:
            n_before = len(pixels)
            (top, left), (bottom, right) = pixels.min(axis=0).tolist(), pixels.max(axis=0).tolist()
            near = self.together((slice(top, bottom + 1), slice(left, right + 1)), but)
            shared = [other for other in near if np.any(np.isin(self._flat(other), self._flat(pixels)))]
            pixels = np.unique(np.concatenate([pixels, *shared]), axis=0)
        return pixels

    def taken(self, broken: Iterable[Correction], patch: LabelPatch) -> tuple[Pixels, Labels]:
        """Return pixels that a patch gives to a superpixel from which they are to be apart; and their labels now."""
        after = reader(self._labels, patch)
        pairs = np.concatenate([other.apart for other in broken])
        found = after(pairs.reshape(-1, 2)).reshape(-1, 2)
        pixels = pairs[(found[:, 0] == found[:, 1]) & (found[:, 0] != 0)].reshape(-1, 2)
        before = self._read(pixels)
        changed = before != after(pixels)
        return pixels[changed], before[changed]

    def fair_neighbours(self, box: Box, label: int, border: Pixels, taking: Labels) -> tuple[Pixels, Labels]:
        """Choose which neighbours may grow over a superpixel, so that they keep apart and together what is to be.

        Parameters
        ----------
        box : tuple of slice
            The superpixel's box.
        label : int
            Its label.
        border : ndarray of shape (n, 2), int64
            Pixels at its border, one for each neighbouring pixel.
        taking : ndarray of shape (n,), int32
            The neighbouring pixels' labels.

        Returns
        -------
        border, taking
            Without neighbours that are to be apart from the superpixel, unless there are no others; and where several
            touch what is to stay together, without all but the one that touches most of it.
        """
        near = self.near(box, None)
        pairs = np.concatenate([np.empty((0, 2, 2), np.int64), *(other.apart for other in near)])
        labels = self._read(pairs.reshape(-1, 2)).reshape(-1, 2)
        allowed = ~np.isin(taking, labels[np.any(labels == label, axis=1)])
        if np.any(allowed):
            border, taking = border[allowed], taking[allowed]
        for pixels in self.together(box, None):
            touching = np.isin(self._flat(border), self._flat(pixels))
            if np.any(touching):
                chosen = ~touching | (taking == np.bincount(taking[touching]).argmax())
                border, taking = border[chosen], taking[chosen]
        return border, taking

    def _flat(self, pixels: Pixels) -> Pixels:
        return pixels[:, 0] * self._labels.shape[1] + pixels[:, 1]
