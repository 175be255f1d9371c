"""What each parameter makes run again."""

import numpy as np
import pytest

from napari_superpixels.engine.resolve import ImageInput, dirty_stages, stage_keys, wanted_segments
from napari_superpixels.params import STAGES, SegmentParams, control

INPUTS = ImageInput(np.zeros((4, 4)), source="a", key="a")

CHANGES = {
    "model": ("other", "network"),
    "device": ("cuda", "network"),
    "flattening": (0.5, "features"),
    "law": ("ergc", "slowness"),
    "color_weight": (0.7, "slowness"),
    "edge_weight": (3.0, "slowness"),
    "regularity": (0.9, "slowness"),
    "compactness": (5.0, "slowness"),
    "n_segments": (7, "seeds"),
    "seed_placement": ("grid", "seeds"),
    "refine_start": (0.3, "seeds"),
    "refine_rounds": (9, "seeds"),
    "solver": ("scikit-fmm", "arrival"),
}


def rerun(before, after, inputs=INPUTS, inputs_after=None):
    return dirty_stages(stage_keys(inputs, before), stage_keys(inputs_after or inputs, after))


def test_every_parameter_is_stated_here():
    assert CHANGES.keys() == SegmentParams.model_fields.keys()


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_reruns_its_stage_and_all_later_ones(name):
    value, stage = CHANGES[name]
    params = SegmentParams(law="ergc") if name == "compactness" else SegmentParams()
    assert control(SegmentParams.model_fields[name]).stage == stage
    assert rerun(params, params.updated(**{name: value})) == STAGES[STAGES.index(stage) :]


@pytest.mark.parametrize("name", CHANGES)
def test_the_same_value_reruns_nothing(name):
    params = SegmentParams()
    assert rerun(params, params.updated(**{name: getattr(params, name)})) == ()


@pytest.mark.parametrize(("name", "value"), [("flattening", 0.2), ("edge_weight", 5.0), ("device", "cuda")])
def test_what_a_model_reads_changes_nothing_without_one(name, value):
    params = SegmentParams(model=None)
    assert rerun(params, params.updated(**{name: value})) == ()


def test_compactness_belongs_to_one_law():
    params = SegmentParams()
    assert rerun(params, params.updated(compactness=9.0)) == ()


def test_the_number_changes_the_slowness_of_the_law_that_reads_it():
    params = SegmentParams(law="ergc")
    assert rerun(params, params.updated(n_segments=9)) == ("slowness", "seeds", "arrival", "corrections")


def test_given_seeds_replace_the_number():
    def seeded(seeds):
        return ImageInput(INPUTS.pixels, source="a", key="a", seeds=np.array(seeds))

    params = SegmentParams()
    assert rerun(params, params.updated(n_segments=9), seeded([[0, 0]])) == ()
    assert rerun(params, params, seeded([[0, 0]]), seeded([[0, 1]])) == ("seeds", "arrival", "corrections")
    assert rerun(params, params, INPUTS, seeded([[0, 1]])) == ("seeds", "arrival", "corrections")


def test_other_pixels_rerun_everything_and_a_mask_the_slowness():
    params = SegmentParams()
    other = ImageInput(INPUTS.pixels, source="a", key="b")
    masked = ImageInput(INPUTS.pixels, source="a", key="a", mask=np.eye(4, dtype=bool))
    assert rerun(params, params, INPUTS, other) == STAGES
    assert rerun(params, params, INPUTS, masked) == ("slowness", "seeds", "arrival", "corrections")


def test_a_changed_model_file_reruns_everything():
    params = SegmentParams()
    assert dirty_stages(stage_keys(INPUTS, params, "one"), stage_keys(INPUTS, params, "two")) == STAGES


def test_the_number_of_given_seeds_counts_for_the_law_that_reads_it():
    seeds = np.array([[0, 0], [3, 3], [1, 2]])
    seeded = ImageInput(INPUTS.pixels, source="a", key="a", seeds=seeds)
    params = SegmentParams(law="ergc")
    assert wanted_segments(seeded, params) == 3
    assert rerun(params, params.updated(n_segments=9), seeded) == ()
