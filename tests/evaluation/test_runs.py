"""Methods are run on every image, measured, kept, and not run again."""

from pathlib import Path

import numpy as np
import pytest

from napari_superpixels.core.metrics import evaluate
from napari_superpixels.data.sources import AnnotatedImage, DataSource, array_source
from napari_superpixels.engine.api import segment
from napari_superpixels.errors import ImageError, ModelNotFoundError
from napari_superpixels.evaluation.results import Result, ResultStore
from napari_superpixels.evaluation.runs import EikonalMethod, Failure, color_values, evaluate_methods
from napari_superpixels.params import SegmentParams

RAW = SegmentParams(model=None)


class Stripes:
    """A method that cuts images into vertical stripes."""

    def __init__(self, name: str = "stripes") -> None:
        self.name = name
        self.settings = {"cut": "vertical"}
        self.calls: list[tuple[str, int | None]] = []

    def segment(self, image: AnnotatedImage, n_segments: int | None) -> np.ndarray:
        self.calls.append((image.name, n_segments))
        n_rows, n_cols = image.ground_truths[0].shape
        return np.tile(np.arange(n_cols) * (n_segments or 1) // n_cols, (n_rows, 1))


def key(row: Result | Failure) -> tuple:
    return (row.method, row.case, row.n_segments) if isinstance(row, Result) else ("failed", row.case, 0)


def test_rows_are_what_segment_and_evaluate_give(source: DataSource) -> None:
    rows = sorted(evaluate_methods(source, [EikonalMethod(RAW)], [6, 12], tolerance=1), key=key)
    assert [key(row) for row in rows] == [("eikonal", case, k) for case in ("blocks", "disks") for k in (6, 12)]
    image = source.items[0].read()
    labels = segment(image.pixels, n_segments=12, model=None).labels
    assert rows[1].metrics == evaluate(labels, image.ground_truths, image.pixels, 1)
    assert rows[1].seconds > 0


def test_only_what_is_annotated_is_measured() -> None:
    truth = np.zeros((20, 40), np.int32)
    truth[:, 20:] = 1
    truth[3:9, 3:9] = 2  # nothing that vertical stripes could follow
    source = array_source([np.zeros((20, 40), np.uint8)], [truth], annotated=[truth != 2])
    [row] = evaluate_methods(source, [Stripes()], [2])
    assert isinstance(row, Result)
    assert row.metrics.undersegmentation_error == 0


@pytest.mark.parametrize("workers", [1, 3])
def test_several_methods_in_any_number_of_threads(source: DataSource, workers: int) -> None:
    methods = [Stripes("one"), Stripes("two")]
    rows = list(evaluate_methods(source, methods, [2, 4], workers=workers))
    assert len({key(row) for row in rows}) == len(rows) == 8
    assert len(methods[0].calls) == len(methods[1].calls) == 4
    assert {row.metrics.n_superpixels for row in rows} == {2, 4}


def test_what_is_kept_is_not_computed_again(source: DataSource, tmp_path: Path) -> None:
    method = Stripes()
    store = ResultStore(tmp_path / "store.jsonl")
    first = sorted(evaluate_methods(source, [method], [2, 4], store=store), key=key)
    method.calls.clear()
    again = ResultStore(tmp_path / "store.jsonl")
    assert sorted(evaluate_methods(source, [method], [2, 4, 8], store=again), key=key)[:2] == first[:2]
    assert sorted(method.calls) == [("blocks", 8), ("disks", 8)]
    method.calls.clear()
    list(evaluate_methods(source, [method], [2], tolerance=1, store=again))
    assert len(method.calls) == 2


def test_closing_stops_after_the_images_under_way(tmp_path: Path) -> None:
    images = [np.zeros((9, 9))] * 40
    method = Stripes()
    rows = evaluate_methods(array_source(images, images), [method], [2], workers=1)
    next(rows)
    rows.close()
    assert len(method.calls) < 10


def test_an_image_that_fails_does_not_stop_the_others(source: DataSource) -> None:
    class Choosy(Stripes):
        def segment(self, image: AnnotatedImage, n_segments: int | None) -> np.ndarray:
            if image.name == "blocks":
                raise ImageError("too colourful")
            return super().segment(image, n_segments)

    rows = list(evaluate_methods(source, [Choosy()], [2, 4]))
    assert Failure("blocks", "too colourful") in rows
    assert sorted(row.n_segments for row in rows if isinstance(row, Result)) == [2, 4]


def test_failures_say_what_is_wrong() -> None:
    image, truth = np.zeros((6, 8)), np.zeros((6, 8), int)
    images = [image, image, np.full((6, 8), np.nan)]
    truths = [truth[:5], truth - 1, truth]
    rows = {row.case: row for row in evaluate_methods(array_source(images, truths), [Stripes()], [2])}
    assert "(5, 8)" in rows["0000"].error
    assert "must not be negative; received -1" in rows["0001"].error
    assert "NaN" in rows["0002"].error
    (row,) = evaluate_methods(array_source([image], [truth]), [EikonalMethod(RAW)], [49])
    assert "49" in row.error
    assert "48" in row.error


def test_settings_tell_everything_that_decides_the_labels() -> None:
    settings = EikonalMethod(SegmentParams(regularity=0.7)).settings
    assert settings["regularity"] == 0.7
    assert len(settings["model_sha256"]) == 64
    assert not {"device", "n_segments"} & settings.keys()
    assert EikonalMethod(RAW).settings["model"] is None
    with pytest.raises(ModelNotFoundError):
        EikonalMethod(SegmentParams(model="nowhere"))


@pytest.mark.parametrize(
    ("shape", "channel_axis", "rgb", "expected"),
    [
        ((5, 6), None, None, (5, 6)),
        ((5, 6, 3), None, True, (5, 6, 3)),
        ((5, 6, 4), None, True, (5, 6, 3)),
        ((5, 6, 4), None, None, (5, 6, 3)),
        ((4, 5, 6), 0, None, (5, 6, 4)),
        ((5, 6, 4), 2, False, (5, 6, 4)),
        ((7, 5, 4), None, False, (7, 5, 4)),
        ((7, 5, 6, 4), None, True, (7, 5, 6, 3)),
    ],
)
def test_explained_variation_is_of_colours_without_transparency(shape, channel_axis, rgb, expected) -> None:
    assert color_values(np.zeros(shape), channel_axis, rgb).shape == expected
