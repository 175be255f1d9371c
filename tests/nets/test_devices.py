"""Choice of device, on a machine that may have no GPU."""

from collections.abc import Iterator
from operator import attrgetter
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

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
    moved = network_on(small_model, "meta")
    assert moved.head.weight.device.type == "meta"
    assert network_on(small_model, "meta") is moved
    assert small_model.folded.head.weight.device.type == "cpu"


@pytest.fixture
def precision_settings() -> Iterator[None]:
    """Give all settings of the precision back as they were, from the widest to the narrowest."""
    cudnn = torch.backends.cudnn
    places = (torch.backends, cudnn, cudnn.conv, cudnn.rnn)
    before = [place.fp32_precision for place in places]
    yield
    for place, value in zip(places, before, strict=True):
        if place.fp32_precision != value:  # what was never written follows the wider ones
            place.fp32_precision = value


def test_full_precision_keeps_cuda_from_rounding_and_restores_the_setting() -> None:
    before = torch.backends.cudnn.allow_tf32
    with full_precision():
        assert torch.backends.cudnn.conv.fp32_precision == "ieee"
    assert torch.backends.cudnn.allow_tf32 == before


@pytest.mark.usefixtures("precision_settings")
def test_full_precision_leaves_convolutions_to_follow_a_later_setting() -> None:
    with full_precision():
        pass
    torch.backends.cudnn.fp32_precision = "ieee"
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"


def test_full_precision_by_the_older_setting_where_there_is_no_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    older = SimpleNamespace(enabled=False, benchmark=True, deterministic=False, allow_tf32=True)
    monkeypatch.setattr(torch.backends, "cudnn", older)
    with full_precision():
        assert older == SimpleNamespace(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    assert older == SimpleNamespace(enabled=False, benchmark=True, deterministic=False, allow_tf32=True)


@pytest.mark.usefixtures("precision_settings")
@pytest.mark.parametrize("value", ["ieee", "tf32"])
@pytest.mark.parametrize("place", ["backends", "backends.cudnn", "backends.cudnn.conv"])
def test_full_precision_whatever_newer_setting_other_code_made(place: str, value: str) -> None:
    attrgetter(place)(torch).fp32_precision = value
    before = torch.backends.cudnn.conv.fp32_precision
    with full_precision():
        assert torch.backends.cudnn.conv.fp32_precision == "ieee"
        functional.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3))  # reads the setting
    assert torch.backends.cudnn.conv.fp32_precision == before
