"""Methods run on every image of a data set and measured, on all cores; what is done is not done again."""

import hashlib
import itertools
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from napari_superpixels.core.metrics import evaluate
from napari_superpixels.core.parallel import n_processors
from napari_superpixels.data.sources import AnnotatedImage, DataSource, SourceItem
from napari_superpixels.engine.pipeline import Pipeline
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.errors import SuperpixelsError
from napari_superpixels.evaluation.results import Result, ResultStore, result_key
from napari_superpixels.nets.catalogue import find_model, read_header
from napari_superpixels.params import SegmentParams


class Method(Protocol):
    """Something that makes superpixels."""

    @property
    def name(self) -> str:
        """Name in tables and figures."""

    @property
    def settings(self) -> Mapping[str, JsonValue]:
        """What decides its labels beside the image and the number of superpixels."""

    def segment(self, image: AnnotatedImage, n_segments: int | None) -> npt.NDArray[np.integer[Any]]:
        """Return labels of the shape of the ground truth; called from several threads at once."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that could not be measured."""

    case: str
    """Name of the image."""
    error: str
    """Why, in words."""


class EikonalMethod:
    """The superpixels of this package.

    Parameters
    ----------
    params : SegmentParams
        Parameters, beside the number of superpixels.
    name : str
        Name in tables and figures.

    Raises
    ------
    CheckpointError
        If the model is missing or its file is unusable.
    """

    def __init__(self, params: SegmentParams, name: str = "eikonal") -> None:
        self.name = name
        self._params = params
        self._own = threading.local()
        self.settings: dict[str, JsonValue] = params.model_dump(mode="json", exclude={"n_segments", "device"})
        if params.model is not None:
            path = find_model(params.model)
            read_header(path)
            self.settings["model_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()

    def segment(self, image: AnnotatedImage, n_segments: int | None) -> npt.NDArray[np.integer[Any]]:
        """Segment an image; the network runs once for all numbers of superpixels that follow each other."""
        if not hasattr(self._own, "pipeline"):
            self._own.pipeline = Pipeline()
        inputs = ImageInput(
            image.pixels, source=image.name, key=image.name, channel_axis=image.channel_axis, rgb=image.rgb
        )
        params = self._params if n_segments is None else self._params.updated(n_segments=n_segments)
        labels: npt.NDArray[np.int32] = self._own.pipeline.run(inputs, params).superpixels.labels
        return labels


def evaluate_methods(
    source: DataSource,
    methods: Sequence[Method],
    n_segments: Sequence[int | None],
    *,
    tolerance: int = 2,
    store: ResultStore | None = None,
    workers: int | None = None,
) -> Generator[Result | Failure, None, None]:
    """Run each method on each image with each number of superpixels, and measure.

    Parameters
    ----------
    source : DataSource
        Images with ground truth.
    methods : sequence of Method
        With names that differ.
    n_segments : sequence of int or None
        Numbers of superpixels to ask for; None for a method that has labels already.
    tolerance : int
        Tolerance of the boundary measures, in pixels.
    store : ResultStore, optional
        Where finished results are found and kept.
    workers : int, optional
        Number of threads; one for each processor that this process may use by default.

    Yields
    ------
    Result or Failure
        As they come; their order varies.
    """
    workers = workers or n_processors()
    waiting = iter(source)

    def measure(item: SourceItem) -> list[Result | Failure]:
        return _measure_image(item, methods, n_segments, tolerance, store)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="evaluation")
    try:
        running: set[Future[list[Result | Failure]]] = set()
        while True:
            running |= {pool.submit(measure, item) for item in itertools.islice(waiting, 2 * workers - len(running))}
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield from future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def color_values(
    pixels: npt.NDArray[Any], channel_axis: int | None = None, rgb: bool | None = None
) -> npt.NDArray[Any]:
    """Return pixels with the channels last and without transparency, for explained variation.

    Parameters
    ----------
    pixels : ndarray
        (M, N) or (P, M, N), with channels along `channel_axis` or, where that is None, perhaps RGB(A) last.
    channel_axis : int, optional
        Axis of the channels.
    rgb : bool, optional
        Whether the last axis holds RGB(A); None guesses from the shape.
    """
    if channel_axis is not None:
        pixels = np.moveaxis(pixels, channel_axis, -1)
    is_color = rgb or (rgb is None and channel_axis is None and pixels.ndim == 3)
    return pixels[..., :3] if is_color and pixels.shape[-1] == 4 else pixels


def _measure_image(
    item: SourceItem,
    methods: Sequence[Method],
    n_segments: Sequence[int | None],
    tolerance: int,
    store: ResultStore | None,
) -> list[Result | Failure]:
    image: AnnotatedImage | None = None
    fingerprint = [item.name, *item.fingerprint()]
    results: list[Result | Failure] = []
    try:
        for method, number in itertools.product(methods, n_segments):
            key = result_key(fingerprint, method.name, method.settings, number, tolerance)
            known = None if store is None else store.get(key)
            if known is not None:
                results.append(known)
                continue
            image = image or item.read()
            result = _measure(image, method, number, tolerance)
            if store is not None:
                store.add(key, result)
            results.append(result)
    except (SuperpixelsError, ValueError, TypeError) as error:
        results.append(Failure(item.name, str(error)))
    except MemoryError as error:
        results.append(Failure(item.name, f"not enough memory ({error}); measure a smaller image"))
    return results


def _measure(image: AnnotatedImage, method: Method, number: int | None, tolerance: int) -> Result:
    start = time.perf_counter()
    labels = method.segment(image, number)
    seconds = time.perf_counter() - start
    values = color_values(image.pixels, image.channel_axis, image.rgb)
    metrics = evaluate(labels, image.ground_truths, values, tolerance, annotated=image.annotated)
    return Result(method.name, image.name, number, metrics, seconds)
