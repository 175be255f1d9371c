"""Plans of tiles, and the arrays they are written to."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_superpixels.errors import CancelledError
from napari_superpixels.nets.can import CANConfig
from napari_superpixels.nets.tiling import Output, plan_tiles

sides = st.integers(1, 90)


@given(shape=st.tuples(sides, sides), height=sides, width=sides)
def test_tiles_cover_every_pixel_once(shape: tuple[int, int], height: int, width: int) -> None:
    count = np.zeros(shape, int)
    for tile in plan_tiles(shape, height, width):
        part = count[tile.rows, tile.columns]
        part += 1
        assert 1 <= part.shape[0] <= height
        assert 1 <= part.shape[1] <= width
    assert (count == 1).all()


def test_tiles_are_of_nearly_equal_size() -> None:
    assert [tile.columns.stop - tile.columns.start for tile in plan_tiles((1, 10), 1, 4)] == [3, 3, 4]


def test_output_clips_the_image_and_turns_the_logit_into_a_probability() -> None:
    out = Output((2, 3), CANConfig())
    values = torch.tensor([-0.5, 0.25, 1.5, 0.0]).reshape(1, 4, 1, 1).expand(1, 4, 2, 2)
    out.store(values, 0, 1)
    assert out.boundary is not None
    np.testing.assert_array_equal(out.flattened[1, 2], np.float32([0, 0.25, 1]))
    np.testing.assert_array_equal(out.boundary[:, 1:], np.float32(0.5))


def test_output_reports_progress_once_and_notices_cancellation() -> None:
    seen: list[float] = []
    cancelled = False
    out = Output((2, 2), CANConfig(boundary_head=False), lambda: cancelled, seen.append)
    out.poll()
    out.poll()
    out.store(torch.zeros(1, 3, 1, 2), 0, 0)
    out.poll()
    out.restart()
    out.poll()
    assert seen == [0.0, 0.5, 0.0]
    cancelled = True
    with pytest.raises(CancelledError):
        out.poll()
