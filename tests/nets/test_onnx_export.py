"""Exported graphs give what the program gives."""

import builtins
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from napari_superpixels.errors import MissingPackageError, WriteError
from napari_superpixels.nets.checkpoint import Model, load_model, save_model
from napari_superpixels.nets.onnx_export import export_onnx
from napari_superpixels.nets.predict import predict
from napari_superpixels.nets.registry import Network, NetworkConfig

NetworkFactory = Callable[[NetworkConfig], Network]


def _run(path: Path, image: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"image": image}), strict=True))


@pytest.mark.parametrize("channels", [(3, 3, True), (2, 1, True), (3, 3, False)])
def test_onnxruntime_gives_what_the_program_gives(
    small_config: NetworkConfig, make_network: NetworkFactory, tmp_path: Path, channels: tuple[int, int, bool]
) -> None:
    names = ("in_channels", "out_channels", "boundary_head")
    save_model(
        tmp_path / "m.safetensors",
        make_network(small_config.model_copy(update=dict(zip(names, channels, strict=True)))),
    )
    model = load_model(tmp_path / "m.safetensors")
    export_onnx(tmp_path / "m.onnx", model)
    for size in ((1, 1), (8, 8), (33, 20)):
        image = np.random.default_rng(0).random((*size, channels[0]), dtype=np.float32)
        expected = predict(model, image, device="cpu")
        found = _run(tmp_path / "m.onnx", np.ascontiguousarray(image.transpose(2, 0, 1)[None]))
        np.testing.assert_allclose(found["flattened"][0].transpose(1, 2, 0), expected.flattened, rtol=0, atol=1e-4)
        assert ("boundary" in found) is channels[2]
        if expected.boundary is not None:
            np.testing.assert_allclose(found["boundary"][0, 0], expected.boundary, rtol=0, atol=1e-4)


def test_shipped_model(tmp_path: Path) -> None:
    model = load_model("natural")
    export_onnx(tmp_path / "natural.onnx", model)
    image = np.random.default_rng(0).random((2, 3, 50, 61), dtype=np.float32)
    found = _run(tmp_path / "natural.onnx", image)
    for i in range(2):
        expected = predict(model, np.ascontiguousarray(image[i].transpose(1, 2, 0)), device="cpu")
        np.testing.assert_allclose(found["flattened"][i].transpose(1, 2, 0), expected.flattened, rtol=0, atol=1e-4)
    proto = onnx.load(tmp_path / "natural.onnx")
    assert proto.producer_name == "napari-superpixels"
    assert proto.graph.doc_string == model.card.title


def test_the_package_is_asked_for(small_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "onnx":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPackageError, match="pip install onnx"):
        export_onnx(tmp_path / "m.onnx", small_model)


def test_unwritable(small_model: Model, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(json.dumps({}))
    with pytest.raises(WriteError):
        export_onnx(tmp_path / "file" / "m.onnx", small_model)
