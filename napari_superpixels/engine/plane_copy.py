"""Classes of one plane of a stack for the superpixels of the next."""

import numpy as np
import numpy.typing as npt


def classes_for_plane(
    classes: npt.NDArray[np.uint8], labels: npt.NDArray[np.int32], present: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Give each superpixel of a plane the class that most of its pixels have in another plane.

    Parameters
    ----------
    classes : ndarray of uint8, (M, N)
        Classes of the other plane; 0 is none.
    labels : ndarray of int32, (M, N)
        Superpixels of the plane; 0 is none, where the class of the same pixel is taken.
    present : ndarray of uint8, (M, N)
        Classes that the plane has; they stay where the other plane gives none.

    Returns
    -------
    ndarray of uint8, (M, N)
        The plane's new classes.
    """
    n_classes = int(classes.max(initial=0)) + 1
    n_labels = int(labels.max(initial=0)) + 1
    pairs = labels.astype(np.int64) * n_classes + classes
    counts = np.bincount(pairs.ravel(), minlength=n_labels * n_classes).reshape(n_labels, n_classes)
    most = counts.argmax(axis=1).astype(np.uint8)
    given = np.where(labels > 0, most[labels], classes)
    return np.where(given > 0, given, present)
