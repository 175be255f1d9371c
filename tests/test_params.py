"""The declarations: complete, consistent, validated."""

import pytest
from pydantic import ValidationError

from napari_superpixels.params import LAW_WEIGHTS, STAGES, SegmentParams, control


@pytest.mark.parametrize("name", SegmentParams.model_fields)
def test_every_parameter_is_fully_declared(name):
    field = SegmentParams.model_fields[name]
    assert field.title
    assert field.description is not None
    assert len(field.description) > 40
    assert control(field).stage in STAGES
    if isinstance(field.default, int | float):
        bounds = {type(bound).__name__ for bound in field.metadata}
        assert bounds & {"Ge", "Gt"}
        assert "Le" in bounds
        assert control(field).step


@pytest.mark.parametrize("law", LAW_WEIGHTS)
def test_a_law_brings_its_weights(law):
    params = SegmentParams(law=law)
    assert (params.color_weight, params.edge_weight) == LAW_WEIGHTS[law]
    assert SegmentParams(law=law, color_weight=7).color_weight == 7


def test_weights_follow_a_change_of_law_until_they_are_changed():
    assert SegmentParams().updated(law="exponential").color_weight == LAW_WEIGHTS["exponential"][0]
    assert SegmentParams(color_weight=7).updated(law="exponential").color_weight == 7
    assert SegmentParams().updated(law="ergc").updated(law="quadratic") == SegmentParams()


def test_parameters_cannot_be_changed_in_place():
    with pytest.raises(ValidationError):
        SegmentParams().n_segments = 3


def test_json_round_trip():
    params = SegmentParams(law="ergc", n_segments=7, model=None)
    assert SegmentParams.model_validate_json(params.model_dump_json()) == params
