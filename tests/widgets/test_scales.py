import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_superpixels.widgets._scales import LinearScale, LogScale

SCALES = [LinearScale(0, 1, 0.01), LogScale(0, 100, 0.01), LogScale(1, 2_000_000, 1)]


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_ends_are_reached(scale) -> None:
    assert scale.value(0) == scale.low
    assert scale.value(scale.n_positions) == scale.high
    assert scale.position(scale.low) == 0
    assert scale.position(scale.high) == scale.n_positions


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_values_grow_with_the_position(scale) -> None:
    values = [scale.value(i) for i in range(scale.n_positions + 1)]
    assert values == sorted(values)
    assert all(scale.low <= value <= scale.high for value in values)


@given(st.floats(0, 100))
def test_log_scale_comes_close_to_any_value(value: float) -> None:
    scale = LogScale(0, 100, 0.01)
    assert scale.value(scale.position(value)) == pytest.approx(value, rel=0.02, abs=0.01)


def test_log_scale_has_equal_ratios() -> None:
    scale = LogScale(0, 100, 0.01)
    assert scale.value(250) / scale.value(200) == pytest.approx(scale.value(450) / scale.value(400), rel=0.02)
