"""Small annotations, and what must be true of any."""

import numpy as np

from napari_superpixels.data.class_table import ClassTable
from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.region_index import RegionIndex

TABLE = ClassTable().added("nucleus").added("border").added("glass")


def grid(n_rows=4, n_cols=5, side=8):
    """Squares of `side` pixels, numbered from 1 in rows."""
    numbers = 1 + np.arange(n_rows * n_cols, dtype=np.int32).reshape(n_rows, n_cols)
    return np.kron(numbers, np.ones((side, side), np.int32))


def annotation(labels=None, **options):
    labels = grid() if labels is None else labels
    return Annotation(labels, np.zeros(labels.shape, np.uint8), table=TABLE, **options)


def facts(index):
    """All that an index knows, by label."""
    labels = index.labels.tolist()
    return {
        "next": index.next_label,
        "mixed": index.mixed().tolist(),
        "superpixels": index.superpixels_per_class(),
        "pixels": index.pixels_per_class(),
        "share": index.annotated_share(),
        "of": {k: (index.box_of(k), index.area_of(k), index.class_of(k), index.is_mixed(k)) for k in labels},
    }


def assert_index_is_exact(subject):
    anew = RegionIndex(subject.labels_plane, subject.classes_plane)
    assert facts(subject.index) == facts(anew)
    assert np.array_equal(subject.index.majority[subject.index.labels], anew.majority[anew.labels])
