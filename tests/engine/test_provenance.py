import json

import numpy as np

from napari_superpixels.engine.pipeline import Pipeline
from napari_superpixels.engine.provenance import METADATA_SCHEMA, layer_metadata
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.params import SegmentParams


def test_metadata_is_json_and_tells_how_to_do_it_again(color_blocks) -> None:
    params = SegmentParams(n_segments=9, model=None)
    inputs = ImageInput(color_blocks, source=1, key=1, name="blocks", position=(4, None, None), spacing=(1.0, 2.0))
    metadata = layer_metadata(Pipeline().run(inputs, params))
    assert json.loads(json.dumps(metadata)) == metadata
    assert metadata["schema"] == METADATA_SCHEMA
    assert metadata["image"] == "blocks"
    assert metadata["position"] == [4, None, None]
    assert metadata["spacing"] == [1.0, 2.0]
    assert metadata["model"] is None
    assert SegmentParams(**metadata["parameters"]) == params
    assert metadata["n_segments"] == 9
    assert metadata["libraries"]["numpy"] == np.__version__


def test_metadata_names_the_model_and_the_seeds(color_blocks) -> None:
    seeds = np.array([[3, 4], [50, 60]])
    inputs = ImageInput(color_blocks, source=1, key=1, seeds=seeds)
    metadata = layer_metadata(Pipeline().run(inputs, SegmentParams()))
    assert metadata["model"]["name"] == "natural"
    assert len(metadata["model"]["sha256"]) == 64
    assert metadata["seeds"] == seeds.tolist()
    json.dumps(metadata)
