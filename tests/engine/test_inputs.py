import threading

import numpy as np
import pytest

from napari_superpixels.engine.models import check_model_file, installed_models
from napari_superpixels.engine.resolve import ImageInput, stage_keys, unread_parameters
from napari_superpixels.engine.session import Session
from napari_superpixels.errors import CheckpointError
from napari_superpixels.params import SegmentParams


def test_lazy_pixels_are_read_in_the_worker(color_blocks) -> None:
    readers: list[threading.Thread] = []

    def read() -> np.ndarray:
        readers.append(threading.current_thread())
        return color_blocks

    session = Session(SegmentParams(model=None, n_segments=12))
    session.set_input(ImageInput(read, source=1, key=1))
    assert readers == []
    session.segment()
    while session.is_busy:
        pass
    assert session.result.n_segments == 12
    assert readers
    assert threading.main_thread() not in readers
    session.close()


@pytest.mark.parametrize(
    ("params", "seeds", "name"),
    [
        ({"model": None}, None, "flattening"),
        ({"model": None}, None, "edge_weight"),
        ({"model": None}, None, "device"),
        ({"law": "quadratic"}, None, "compactness"),
        ({}, np.array([[1, 1]]), "n_segments"),
        ({}, np.array([[1, 1]]), "refine_rounds"),
    ],
)
def test_unread_parameters_change_no_key(params, seeds, name) -> None:
    chosen = SegmentParams(**params)
    inputs = ImageInput(np.zeros((4, 4)), source=1, key=1, seeds=seeds)
    assert name in unread_parameters(inputs, chosen)
    other = {"device": "cpu", "flattening": 0.3, "compactness": 7}.get(name, 5)
    changed = chosen.updated(**{name: other})
    assert changed != chosen
    assert stage_keys(inputs, chosen) == stage_keys(inputs, changed)


def test_all_parameters_that_are_read_are_offered() -> None:
    assert unread_parameters(None, SegmentParams(law="ergc")) == frozenset()


def test_shipped_model_is_listed() -> None:
    assert [model.name for model in installed_models()] == ["natural", "nuclei"]


def test_damaged_model_is_not_listed(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("NAPARI_SUPERPIXELS_MODELS", str(tmp_path))
    (tmp_path / "damaged.safetensors").write_bytes(b"nothing")
    assert [model.name for model in installed_models()] == ["natural", "nuclei"]
    with pytest.raises(CheckpointError, match="damaged"):
        check_model_file(str(tmp_path / "damaged.safetensors"))


def test_same_input_again_is_not_computed_twice(color_blocks) -> None:
    session = Session(SegmentParams(model=None, n_segments=12))
    results: list[object] = []
    session.solved.connect(lambda result: results.append(result))
    release = threading.Event()

    def read() -> np.ndarray:
        release.wait(10)
        return color_blocks

    session.set_input(ImageInput(read, source=1, key=1))
    session.segment()
    session.set_input(ImageInput(read, source=1, key=1))
    release.set()
    while session.is_busy:
        pass
    session.close()
    assert len(results) == 1
