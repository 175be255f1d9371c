"""Inference: tiles equal the whole, any size, cancellation, and falling back when a GPU fails."""

import itertools
import threading
import time
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_superpixels.errors import CancelledError
from napari_superpixels.nets import predict as module
from napari_superpixels.nets import tiling
from napari_superpixels.nets.can import CAN, CANConfig
from napari_superpixels.nets.checkpoint import Model, load_model, save_model
from napari_superpixels.nets.devices import DeviceFallbackWarning
from napari_superpixels.nets.predict import predict


def _image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random((*shape, 3), dtype=np.float32)


def _expected(model: Model, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flattened image and boundary from the network as it was trained, all at once."""
    with torch.inference_mode():
        out = model.network(torch.from_numpy(image).permute(2, 0, 1)[None])[0]
    return out[:3].clamp(0, 1).permute(1, 2, 0).numpy(), out[3].sigmoid().numpy()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (33, 65), (100, 40)])
@pytest.mark.parametrize("tile", [None, 1000, 32, 17])
def test_prediction_equals_the_trained_network(small_model: Model, shape: tuple[int, int], tile: int | None) -> None:
    image = _image(*shape)
    result = predict(small_model, image, device="cpu", tile=tile)
    flattened, boundary = _expected(small_model, image)
    assert result.boundary is not None
    np.testing.assert_allclose(result.flattened, flattened, rtol=0, atol=1e-4)
    np.testing.assert_allclose(result.boundary, boundary, rtol=0, atol=1e-4)
    assert result.flattened.dtype == result.boundary.dtype == np.float32
    assert result.device == "cpu"
    assert result.seconds > 0


@pytest.mark.parametrize("tile", [None, 150])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_streamed_tiles_on_any_number_of_cores_equal_the_whole(
    full_model: Model, tile: int | None, n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiling, "_WHOLE_PIXELS", 1)
    monkeypatch.setattr(module, "_SMALL_PIXELS", 1)
    monkeypatch.setattr(module, "_SMALLEST_TILE", 80)
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    image = _image(290, 310)
    result = predict(full_model, image, device="cpu", tile=tile)
    flattened, boundary = _expected(full_model, image)
    assert result.boundary is not None
    np.testing.assert_allclose(result.flattened, flattened, rtol=0, atol=1e-4)
    np.testing.assert_allclose(result.boundary, boundary, rtol=0, atol=1e-4)


def test_prediction_leaves_torch_as_it_was(small_model: Model) -> None:
    usual = torch.get_num_threads()
    predict(small_model, _image(90, 90), device="cpu", tile=30)
    cancelled = iter([False])
    with pytest.raises(CancelledError) as caught:
        predict(small_model, _image(90, 90), device="cpu", tile=90, cancel=lambda: next(cancelled, True))
    assert not torch.is_inference_mode_enabled()  # even while the error is held
    assert caught.value is not None
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert [torch.get_num_threads(), *seen] == [usual, usual]


def test_values_stay_in_range(full_model: Model) -> None:
    result = predict(full_model, _image(40, 40) * 20 - 10, device="cpu")
    assert result.boundary is not None
    for array in (result.flattened, result.boundary):
        assert array.min() >= 0
        assert array.max() <= 1


def test_network_without_boundary_and_with_other_channels(tmp_path: object) -> None:
    config = CANConfig(in_channels=2, out_channels=1, width=4, dilations=(1, 2), boundary_head=False)
    save_model(f"{tmp_path}/m.safetensors", CAN(config))
    image = np.random.default_rng(0).random((12, 10, 2), dtype=np.float32)
    result = predict(load_model(f"{tmp_path}/m.safetensors"), image, device="cpu")
    assert result.boundary is None
    np.testing.assert_allclose(result.flattened, image[..., :1], atol=1e-6)


def test_views_and_read_only_images(small_model: Model) -> None:
    image = _image(60, 50)
    image.flags.writeable = False
    view = image[::2, ::-1]
    before = image.copy()
    result = predict(small_model, view, device="cpu")
    np.testing.assert_array_equal(result.flattened, predict(small_model, view.copy(), device="cpu").flattened)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4), np.float32), "shape"),
        (np.zeros((4, 4, 4), np.float32), "shape"),
        (np.zeros((0, 4, 3), np.float32), "not empty"),
        (np.zeros((4, 4, 3), np.uint8), "received uint8"),
        (np.full((4, 4, 3), np.nan, np.float32), "NaN"),
    ],
)
def test_images_that_do_not_fit(small_model: Model, image: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        predict(small_model, image, device="cpu")


def test_tile_must_be_positive(small_model: Model) -> None:
    with pytest.raises(ValueError, match="received 0"):
        predict(small_model, _image(4, 4), tile=0)


@pytest.mark.parametrize("tile", [None, 30])
def test_progress_rises_to_one_in_the_calling_thread(small_model: Model, tile: int | None) -> None:
    seen: list[float] = []
    threads: set[int] = set()

    def progress(share: float) -> None:
        seen.append(share)
        threads.add(threading.get_ident())

    predict(small_model, _image(100, 70), device="cpu", tile=tile, progress=progress)
    assert seen[0] == 0.0
    assert seen[-1] == 1.0
    assert all(a < b for a, b in itertools.pairwise(seen))
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("tile", [None, 30])
@pytest.mark.parametrize("polls", [0, 1])
def test_cancel_ends_the_computation(small_model: Model, polls: int, tile: int | None) -> None:
    calls = iter(range(polls + 1))
    progress: list[float] = []
    with pytest.raises(CancelledError):
        predict(
            small_model,
            _image(100, 70),
            device="cpu",
            tile=tile,
            cancel=lambda: next(calls) == polls,
            progress=progress.append,
        )
    assert progress == [0.0] * polls


def test_an_error_in_a_tile_reaches_the_caller(small_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of cheese")

    monkeypatch.setattr(tiling.Output, "store", fail)
    with pytest.raises(RuntimeError, match="out of cheese"):
        predict(small_model, _image(100, 70), device="cpu", tile=30)
    assert not any(thread.name.startswith("superpixels-network") for thread in threading.enumerate())


def test_cancel_is_quick(full_model: Model) -> None:
    cancelled = threading.Event()
    stopped: list[float] = []

    def run() -> None:
        with pytest.raises(CancelledError):
            predict(full_model, _image(3000, 1500), device="cpu", cancel=cancelled.is_set)
        stopped.append(time.perf_counter())

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.5)
    start = time.perf_counter()
    cancelled.set()
    thread.join()
    assert stopped[0] - start < 0.5


class _FakeGpu:
    """Lets the GPU path run on the CPU, and fail for tiles with more pixels than it has room for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int, error: str = "CUDA out of memory.") -> None:
        self.tiles: list[tuple[int, int]] = []
        self.room, self.error = room, error
        monkeypatch.setattr(module, "choose_device", lambda name: name)
        monkeypatch.setattr(module, "network_on", lambda model, device: self._wrap(model.folded))
        tensor_to = Tensor.to
        monkeypatch.setattr(
            Tensor, "to", lambda x, *a, **k: tensor_to(x, *("cpu" if v == "cuda" else v for v in a), **k)
        )

    def _wrap(self, network: CAN) -> CAN:
        def hook(_: object, arguments: tuple[Tensor, ...]) -> None:
            height, width = arguments[0].shape[2:]
            self.tiles.append((height, width))
            if height * width > self.room:
                raise torch.OutOfMemoryError(self.error) if "memory" in self.error else RuntimeError(self.error)

        folded = CAN(network.config, folded=True).eval().requires_grad_(False)
        folded.load_state_dict(network.state_dict())
        folded.register_forward_pre_hook(hook)
        return folded


def test_gpu_out_of_memory_takes_smaller_tiles(small_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SMALLEST_TILE", 20)
    gpu = _FakeGpu(monkeypatch, room=60 * 60)
    image = _image(150, 120)
    with pytest.warns(DeviceFallbackWarning, match="smaller tiles") as caught:
        result = predict(small_model, image, device="cuda")
    assert len(caught) == 1
    assert result.device == "cuda"
    assert gpu.tiles[0] == (150, 120)
    assert max(height * width for height, width in gpu.tiles[-4:]) <= gpu.room
    np.testing.assert_allclose(result.flattened, _expected(small_model, image)[0], rtol=0, atol=1e-4)


def test_gpu_without_any_memory_leaves_it_to_the_cpu(small_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SMALLEST_TILE", 20)
    _FakeGpu(monkeypatch, room=0)
    image = _image(150, 120)
    with pytest.warns(DeviceFallbackWarning) as caught:
        result = predict(small_model, image, device="cuda")
    assert len(caught) == 1
    assert result.device == "cpu"
    np.testing.assert_allclose(result.flattened, _expected(small_model, image)[0], rtol=0, atol=1e-4)


def test_gpu_that_fails_otherwise_leaves_it_to_the_cpu(small_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = _FakeGpu(monkeypatch, room=0, error="no kernel image is available\nlong explanation")
    with pytest.warns(DeviceFallbackWarning, match=r"CUDA failed \(no kernel image is available\)") as caught:
        result = predict(small_model, _image(50, 40), device="cuda")
    assert len(caught) == 1
    assert len(gpu.tiles) == 1
    assert result.device == "cpu"


def test_gpu_that_works_is_silent_and_can_be_cancelled(small_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    _FakeGpu(monkeypatch, room=10**9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert predict(small_model, _image(50, 40), device="cuda").device == "cuda"
        calls = iter(range(9))
        with pytest.raises(CancelledError):
            predict(small_model, _image(50, 40), device="cuda", tile=10, cancel=lambda: next(calls) == 8)
