"""What the speed benchmark times: our stages, other methods, and the march of another eikonal solver."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.data import astronaut

from napari_superpixels.core.features import pixel_features
from napari_superpixels.core.fmm import travel_time
from napari_superpixels.core.seeds import place_seeds
from napari_superpixels.core.slowness import constant_slowness, label_slowness
from napari_superpixels.core.superpixels import given_seeds, grow_superpixels, march_from
from napari_superpixels.engine.pipeline import Pipeline
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.evaluation.methods import load_chosen
from napari_superpixels.evaluation.rivals import RIVALS, Image, Rival
from napari_superpixels.params import SegmentParams

# Compactness does not change the time; SLICO takes that of SLIC.
_TIMED = ("slic-20", "watershed", "fast-slic-20", "opencv-slic", "seeds", "lsc")
#: Pixels across a superpixel: 2601 of them on 1024 x 1024.
CELL = 20.08

Call = Callable[[], object]


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """What a method is timed on."""

    image: Image
    """RGB image, uint8 of shape (M, N, 3)."""
    n_segments: int
    """Number of superpixels."""
    n_threads: int
    """Number of threads."""
    model: str
    """Model of the network: the name of an installed one, or a file."""

    @property
    def unit(self) -> npt.NDArray[np.float32]:
        """The image in [0, 1], float32."""
        return self.image.astype(np.float32) / np.float32(255)


@dataclass(frozen=True, slots=True)
class SpeedMethod:
    """Something that is timed."""

    key: str
    """Name on the command line."""
    title: str
    """Name in tables and figures."""
    prepare: Callable[[Workload], Call]
    """Returns the call that is timed."""
    is_rival: bool = False
    """Whether it is another method: those are left out where one call takes too long."""
    largest_edge: int | None = None
    """Larger images are not tried."""
    most_superpixels: int | None = None
    """Largest number that it takes; None without a limit."""


def n_superpixels(edge: int) -> int:
    """Return K for an image of edge x edge pixels: superpixels are equally large on all."""
    return max(1, round((edge / CELL) ** 2))


def tiled_astronaut(edge: int) -> Image:
    """Return scikit-image's astronaut, repeated or cut to edge x edge, uint8 of shape (edge, edge, 3)."""
    repeats = -(-edge // 512)
    return np.ascontiguousarray(np.tile(astronaut(), (repeats, repeats, 1))[:edge, :edge])


def _eikonal(work: Workload) -> Call:
    features = pixel_features(work.unit, None, 1.0, "rgb")
    params = SegmentParams()

    def call() -> object:
        slowness = label_slowness(features, params.law, color_weight=params.color_weight, regularity=params.regularity)
        return grow_superpixels(slowness, work.n_segments, n_threads=work.n_threads)

    return call


def _segment(work: Workload, model: str | None) -> Call:
    params = SegmentParams(model=model, n_segments=work.n_segments, device="cpu")
    return lambda: Pipeline().run(ImageInput(work.image, source=None, key=None), params)


def _raw(work: Workload) -> Call:
    return _segment(work, None)


def _whole(work: Workload) -> Call:
    return _segment(work, work.model)


def _slider_step(work: Workload) -> Call:
    pipeline, inputs = Pipeline(), ImageInput(work.image, source="image", key="image")
    params = SegmentParams(model=work.model, n_segments=work.n_segments, device="cpu")
    pipeline.run(inputs, params)
    positions = itertools.cycle((0.48, 0.52))
    return lambda: pipeline.run(inputs, params.updated(regularity=next(positions)))


def _network(work: Workload) -> Call:
    from napari_superpixels.nets.checkpoint import load_model
    from napari_superpixels.nets.predict import predict

    model, unit = load_model(work.model), work.unit
    return lambda: predict(model, unit, device="cpu")


def _bare_convolutions(work: Workload) -> Call:
    """Only the folded network's convolutions, each on an input of its size: what the network stage cannot go below."""
    import torch
    from torch import Tensor, nn

    from napari_superpixels.nets.checkpoint import load_model

    network = load_model(work.model).folded
    convolutions: list[tuple[nn.Module, Tensor]] = []

    def note(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        convolutions.append((module, arguments[0].clone()))

    hooks = [
        m.register_forward_pre_hook(note) for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)
    ]
    with torch.inference_mode():
        network(torch.from_numpy(work.unit).permute(2, 0, 1)[None])
    for hook in hooks:
        hook.remove()

    @torch.inference_mode()
    def call() -> None:
        for module, x in convolutions:
            module(x)

    return call


def _one_march(work: Workload) -> Call:
    field, seeds = _field_and_seeds(work.image, work.n_segments)
    slowness = constant_slowness(field)
    return lambda: march_from(slowness, given_seeds(slowness, seeds), n_threads=work.n_threads)


def _scikit_fmm(work: Workload) -> Call:
    field, seeds = _field_and_seeds(work.image, work.n_segments)
    travel_time(field[:2, :2], np.zeros((1, 2), np.int64))  # says what is wrong where scikit-fmm is missing
    return lambda: travel_time(field, seeds)


def _field_and_seeds(image: Image, n_segments: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return a slowness with borders in it, and K seeds on a grid."""
    grey = image.mean(axis=2, dtype=np.float32)
    slowness = 1 + np.hypot(*np.gradient(grey)) / 8
    return slowness.astype(np.float32), place_seeds(grey.shape, n_segments, placement="grid")


def _rival(rival: Rival) -> SpeedMethod:
    def prepare(work: Workload) -> Call:
        run = rival.load().run
        return lambda: run(work.image, work.n_segments)

    return SpeedMethod(rival.key, rival.title, prepare, is_rival=True, most_superpixels=rival.most_asked)


SPEED_METHODS = (
    SpeedMethod("eikonal", "eikonal: features to labels", _eikonal),
    SpeedMethod("raw", "whole segmentation, no network", _raw),
    SpeedMethod("slider", "slider step, network cached", _slider_step, largest_edge=4096),
    SpeedMethod("network", "network", _network, largest_edge=4096),
    SpeedMethod("convolutions", "network: bare convolutions", _bare_convolutions, largest_edge=2048),
    SpeedMethod("whole", "whole segmentation", _whole, largest_edge=2048),
    SpeedMethod("march", "eikonal: one march, one slowness", _one_march),
    SpeedMethod("scikit-fmm", "scikit-fmm: the same march, no labels", _scikit_fmm, is_rival=True),
    *(_rival(rival) for rival in RIVALS if rival.key in _TIMED),
)


def load_speed_methods(keys: Sequence[str] | None = None) -> tuple[list[SpeedMethod], list[str]]:
    """Return what can be timed here, and notes; see :func:`napari_superpixels.evaluation.methods.load_chosen`."""
    return load_chosen({method.key: method for method in SPEED_METHODS}, keys, _tried)


def _tried(method: SpeedMethod) -> SpeedMethod:
    """Return a method whose library is there."""
    if method.is_rival:
        method.prepare(Workload(tiled_astronaut(64), 1, 1, ""))
    return method
