"""Choice of device, on a machine that may have no GPU."""

import pytest
import torch

from napari_superpixels.nets.checkpoint import Model
from napari_superpixels.nets.devices import (
    DeviceFallbackWarning,
    choose_device,
    full_precision,
    is_out_of_memory,
    network_on,
)


def _pretend(monkeypatch: pytest.MonkeyPatch, *, cuda: bool, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_automatic_choice(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str) -> None:
    _pretend(monkeypatch, cuda=cuda, mps=mps)
    assert choose_device("auto") == expected
    assert choose_device("cpu") == "cpu"


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_gpu_that_is_not_there_is_replaced_with_a_warning(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    _pretend(monkeypatch, cuda=False, mps=False)
    with pytest.warns(DeviceFallbackWarning, match=f"no {name.upper()} device"):
        assert choose_device(name) == "cpu"


def test_unknown_device() -> None:
    with pytest.raises(ValueError, match="received 'tpu'"):
        choose_device("tpu")


def test_out_of_memory_is_recognised() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"))
    assert not is_out_of_memory(RuntimeError("no kernel image is available"))


def test_the_network_moves_without_leaving_the_model(small_model: Model) -> None:
    assert network_on(small_model, "cpu") is small_model.folded
    assert network_on(small_model, "meta").head.weight.device.type == "meta"
    assert small_model.folded.head.weight.device.type == "cpu"


def test_full_precision_keeps_cuda_from_rounding_and_restores_the_setting() -> None:
    before = torch.backends.cudnn.allow_tf32
    with full_precision():
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before
