"""Time and memory of our stages and of the rivals, and the budgets: ``python -m pytest -m benchmark``.

Nothing else should be running. For tables and figures over all sizes: ``napari-superpixels benchmark --speed``.
"""

import threading
import time
from functools import cache
from typing import Any

import pytest

from napari_superpixels.core.parallel import n_processors
from napari_superpixels.errors import MissingPackageError
from napari_superpixels.evaluation.speed import DEFAULT_MODEL, Timing, measure_memory, measure_speed
from napari_superpixels.evaluation.speed_methods import (
    SPEED_METHODS,
    SpeedMethod,
    Workload,
    n_superpixels,
    tiled_astronaut,
)
from napari_superpixels.nets.checkpoint import load_model
from napari_superpixels.nets.predict import predict

pytestmark = pytest.mark.benchmark
BY_KEY = {method.key: method for method in SPEED_METHODS}
TICK = 0.005


def ready(method: SpeedMethod, edge: int) -> Any:
    """Return the call that is timed, after one that compiles; skip where the library is missing."""
    try:
        call = method.prepare(Workload(tiled_astronaut(edge), n_superpixels(edge), n_processors(), DEFAULT_MODEL))
    except MissingPackageError as error:
        pytest.skip(str(error))
    call()
    return call


@pytest.mark.parametrize("edge", [512, 1024])
@pytest.mark.parametrize("method", SPEED_METHODS, ids=lambda method: method.key)
def test_time(benchmark: Any, method: SpeedMethod, edge: int) -> None:
    benchmark.group = f"{edge} x {edge}"
    benchmark.pedantic(ready(method, edge), rounds=5)


@cache
def measured(edge: int, *keys: str) -> dict[str, Timing]:
    """Time methods in turn, in a process of their own."""
    methods = [BY_KEY[key] for key in keys]
    (timings,) = measure_speed(methods, sizes=[edge], threads=[n_processors()])
    return dict(zip(keys, timings, strict=True))


def ratio(found: dict[str, Timing], key: str, other: str) -> float:
    medians = found[key].median, found[other].median
    if None in medians:
        pytest.skip(found[other].note or found[key].note)
    return medians[0] / medians[1]  # type: ignore[operator]


def test_eikonal_stage_against_slic() -> None:
    found = measured(1024, "eikonal", "slic-20", "fast-slic-20")
    assert ratio(found, "eikonal", "slic-20") < 1 / 12
    assert ratio(found, "eikonal", "fast-slic-20") < 3


def test_eikonal_stage_is_linear_in_pixels() -> None:
    small, large = (measured(edge, "eikonal")["eikonal"].median or 0 for edge in (1024, 4096))
    assert large < 1.5 * 16 * small


def test_slider_step() -> None:
    assert (measured(1024, "slider")["slider"].median or 0) < 0.15


@pytest.mark.parametrize("edge", [512, 1024, 2048])
def test_network_against_its_bare_convolutions(edge: int) -> None:
    assert ratio(measured(edge, "network", "convolutions"), "network", "convolutions") < 1.25


def test_memory_of_the_network() -> None:
    network = BY_KEY["network"]
    timed = Timing(network.title, 4096, n_processors(), (1.0,))
    (found,) = measure_memory([network], [timed])
    assert found.extra_bytes is not None
    assert found.extra_bytes < 2**30


def test_network_leaves_the_main_thread_alone() -> None:
    """Tick every 5 ms in the main thread while another one predicts; a stall is what a tick comes late."""
    model = load_model(DEFAULT_MODEL)
    image = tiled_astronaut(1024).astype("float32") / 255
    predict(model, image, device="cpu")
    stalls = []
    for _ in range(3):
        worker = threading.Thread(target=lambda: predict(model, image, device="cpu"))
        worker.start()
        late = [0.0]
        while worker.is_alive():
            start = time.perf_counter()
            time.sleep(TICK)
            late.append(time.perf_counter() - start - TICK)
        stalls.append(max(late))
    assert min(stalls) < 0.05
