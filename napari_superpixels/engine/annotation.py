"""The evented state of the corrected and annotated superpixels of one image."""

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.engine.annotation_brush import BrushActs
from napari_superpixels.engine.annotation_classes import ClassActs
from napari_superpixels.engine.annotation_core import splices
from napari_superpixels.engine.corrections import holds
from napari_superpixels.engine.deltas import DTYPES, ArrayDelta, ArrayName, classes_used
from napari_superpixels.engine.history import Entry
from napari_superpixels.engine.pipeline import SolveResult

_COPY = "Copy superpixels"


class Annotation(BrushActs, ClassActs):
    """Labels and classes of an image, all that can be done to them, and the history of what was.

    No window is needed: views call its methods and listen to its signals. See
    :class:`napari_superpixels.engine.annotation_core.AnnotationCore` for the parameters and signals.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.repeat(np.arange(1, 5, dtype=np.int32), 25).reshape(10, 10)
    >>> annotation = Annotation(labels, np.zeros((10, 10), np.uint8))
    >>> annotation.paint([2, 3]).name
    'Paint class 1'
    >>> annotation.progress
    0.5
    >>> annotation.undo().name
    'Paint class 1'
    """

    @property
    def is_worked_on(self) -> bool:
        """Whether the plane at hand was corrected, painted or checked by hand, or has superpixels that were copied."""
        return super().is_worked_on or self._is_copied()

    def take_array(self, array: ArrayName, values: npt.NDArray[np.integer[Any]]) -> Entry | None:
        """Write an array that another program made, in all planes, as one act.

        Superpixels are taken as they are: they may lie in several parts, and nothing holds them in the next
        segmentation.

        Parameters
        ----------
        array : {"labels", "classes"}
            Which array.
        values : ndarray of integers
            All of it.

        Returns
        -------
        Entry or None
            The act; None if nothing changes.

        Raises
        ------
        ValueError
            If the shape is another, or a number is below 0, above 255 for classes, or for superpixels above the number
            of pixels and all that are there.
        """
        self.end_stroke()
        old = self._arrays.arrays[array]
        if values.shape != old.shape:
            raise ValueError(f"The {array} have shape {values.shape}; expected {old.shape}.")
        highest = 255 if array == "classes" else max(old.size, int(old.max()))
        if values.min() < 0 or values.max() > highest:
            raise ValueError(f"The {array} are numbers from {values.min()} to {values.max()}; expected 0 to {highest}.")
        everywhere = tuple(slice(0, n) for n in old.shape)
        delta = ArrayDelta.between(array, everywhere, old, values.astype(DTYPES[array]))
        if delta is None:
            return None
        self._put(delta)
        if array == "classes":
            return self._commit_classes("Replace classes", delta, classes_used(self.classes))
        return self._record("Replace superpixels", [delta], [])

    def take_superpixels(self, labels: npt.NDArray[np.integer[Any]]) -> Entry | None:
        """Write superpixels of the plane at hand that were not computed here, as one act.

        They are taken as they are: what was corrected by hand and does not hold in them is dropped, and the parameters
        are not known any more.

        Parameters
        ----------
        labels : ndarray of integers
            Superpixels, of the plane's shape; 0 where there is none.

        Returns
        -------
        Entry or None
            The act; None if nothing changes.

        Raises
        ------
        ValueError
            If the shape is another.
        """
        if labels.shape != self.labels_plane.shape:
            raise ValueError(
                f"The superpixels have shape {labels.shape}; expected {self.labels_plane.shape}, the plane's."
            )
        self.end_stroke()
        if np.array_equal(labels, self.labels_plane):
            return None
        state = self._plane_state(self.plane)
        delta = self._arrays.replace("labels", np.ascontiguousarray(labels, DTYPES["labels"]))
        self._tell(delta)
        kept = tuple(correction for correction in state.corrections if holds(correction, self.labels_plane))
        before, after = splices(state.corrections, kept)
        before |= {"params": state.params, "result": state.result}
        after |= {"params": None, "result": None}
        return self._commit(_COPY, (delta,), before, after)

    def _is_copied(self) -> bool:
        """Say whether the superpixels of the plane at hand are a copy that no segmentation has replaced since."""
        done = reversed(self._history.entries[: self._history.position])
        makers = (entry.name for entry in done if entry.plane == self.plane and "params" in entry.after)
        return next(makers, "") == _COPY


def warm_up_acts(result: SolveResult) -> None:
    """Load the compiled code of every act, which takes a moment the first time, by repairing a small result.

    Parameters
    ----------
    result : SolveResult
        A result of two superpixels or more in a plane; it stays as it is.
    """
    shape = result.superpixels.labels.shape
    annotation = Annotation(np.zeros(shape, np.int32), np.zeros(shape, np.uint8))
    annotation.accept(result)
    index = annotation.index
    first, last = (index.anchor_of(int(label)) for label in index.labels[[0, -1]])
    annotation.paint([int(index.labels[0])])
    annotation.mark_checked(int(index.labels[0]))
    annotation.fill(index.label_at(last), 0)
    annotation.add_seed(first)
    annotation.assign([last], first)
    annotation.split_all_mixed()
    annotation.cut([(first[0], first[1] + step) for step in (0, 1)])
    annotation.remove_seed(first)
    annotation.go_to(0)
