"""The evented state of the corrected and annotated superpixels of one image."""

from napari_superpixels.engine.annotation_brush import BrushActs
from napari_superpixels.engine.annotation_classes import ClassActs


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
