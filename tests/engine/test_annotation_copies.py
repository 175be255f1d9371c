"""Superpixels from elsewhere, copied into a plane of an annotation."""

import numpy as np
import pytest

from .annotation_cases import annotation, assert_index_is_exact, grid

# Squares of 8 pixels, 1 to 5 in the first row, 6 to 10 in the second.
LABELS = grid()


def test_superpixels_from_elsewhere_are_one_act_in_one_plane():
    subject = annotation(np.stack([LABELS] * 2))
    subject.set_plane((0, slice(None), slice(None)))
    subject.merge([(4, column) for column in range(4, 13)])
    subject.split([[(20, 20)], [(20, 22)]])
    corrections = subject.corrections
    assert len(corrections) == 2
    copied = LABELS.copy()
    copied[:8, :16] = 1
    assert subject.take_superpixels(copied).name == "Copy superpixels"
    assert np.array_equal(subject.labels, np.stack([copied, LABELS]))
    assert subject.corrections == corrections[:1]
    assert_index_is_exact(subject)
    assert subject.take_superpixels(copied) is None
    with pytest.raises(ValueError, match="shape"):
        subject.take_superpixels(copied[1:])
    subject.undo()
    assert subject.corrections == corrections
    subject.redo()
    assert np.array_equal(subject.labels_plane, copied)


def test_copied_superpixels_count_as_work():
    subject = annotation()
    assert not subject.is_worked_on
    subject.take_superpixels(LABELS[::-1])
    assert subject.is_worked_on
    subject.undo()
    assert not subject.is_worked_on
