"""Network stage against the bare folded convolutions, its memory at 4096x4096, and how it stalls the main thread.

Run with ``python tests/benchmarks/bench_network.py``; nothing else should be running.
"""

import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from napari_superpixels.nets.checkpoint import Model, load_model
from napari_superpixels.nets.predict import predict

SHAPES = ((321, 481), (512, 512), (1024, 1024), (2048, 2048))
ROUNDS = 9


def main() -> None:
    """Print every figure."""
    model = load_model("natural")
    _say(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    _report_memory(model)
    for shape in SHAPES:
        _report_ratio(model, shape)
    _report_stalls(model)


def _report_ratio(model: Model, shape: tuple[int, int]) -> None:
    """Measure both in turn, so that what else the machine does meets both."""
    image = _image(shape)
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None]  # (1, 3, H, W), channels-last
    convolve = _bare_convolutions(model, tensor)
    ours, bare = [], []
    for _ in range(ROUNDS + 1):
        bare.append(_seconds(convolve))
        ours.append(_seconds(lambda: predict(model, image, device="cpu")))
    ours_median, bare_median = statistics.median(ours[1:]), statistics.median(bare[1:])
    _say(
        f"{shape[0]}x{shape[1]}: predict {1e3 * ours_median:.1f} ms, bare folded convolutions {1e3 * bare_median:.1f} "
        f"ms, ratio {ours_median / bare_median:.2f} (best {min(ours) / min(bare):.2f})"
    )


@torch.inference_mode()
def _bare_convolutions(model: Model, image: Tensor) -> Callable[[], None]:
    """Return a call of the folded network's convolutions alone, each on an input of its size."""
    convolutions: list[tuple[nn.Module, Tensor]] = []

    def note(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        convolutions.append((module, arguments[0].clone()))

    hooks = [layer.register_forward_pre_hook(note) for layer in model.folded.modules() if isinstance(layer, nn.Conv2d)]
    model.folded(image)
    for hook in hooks:
        hook.remove()

    @torch.inference_mode()
    def call() -> None:
        for module, maps in convolutions:
            module(maps)

    return call


def _report_memory(model: Model) -> None:
    image = _image((4096, 4096))
    predict(model, image[:64, :64], device="cpu")
    before = _peak_megabytes()
    start = time.perf_counter()
    result = predict(model, image, device="cpu")
    seconds = time.perf_counter() - start
    assert result.boundary is not None
    outputs = (result.flattened.nbytes + result.boundary.nbytes) / 2**20
    _say(
        f"4096x4096: {seconds:.2f} s, {1e9 * seconds / 4096**2:.0f} ns per pixel, extra memory "
        f"{_peak_megabytes() - before:.0f} MB, of which the result takes {outputs:.0f} MB"
    )


def _report_stalls(model: Model) -> None:
    """Tick every 5 ms in the main thread while another one predicts; a stall is what a tick comes late."""
    image = _image((1024, 1024))
    for _ in range(3):
        worker = threading.Thread(target=lambda: predict(model, image, device="cpu"))
        late = []
        worker.start()
        while worker.is_alive():
            start = time.perf_counter()
            time.sleep(0.005)
            late.append(time.perf_counter() - start - 0.005)
        _say(f"1024x1024 in a thread: longest stall of the main thread {1e3 * max(late):.1f} ms of {len(late)} ticks")


def _image(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).random((*shape, 3), dtype=np.float32)


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
