"""Validation: the same superpixels as in use, of the number asked for, on evenly spread images."""

import numpy as np
import pytest

from napari_superpixels.core.metrics import evaluate
from napari_superpixels.data.sources import AnnotatedImage, array_source
from napari_superpixels.engine import validation
from napari_superpixels.engine.api import segment
from napari_superpixels.engine.validation import (
    MEASURES,
    ValidationConfig,
    ValidationPicture,
    choose_items,
    measure_network,
    picture_network,
)
from napari_superpixels.errors import CancelledError
from napari_superpixels.nets.checkpoint import Model, load_model


def test_superpixels_are_those_of_the_segment_command(photo: np.ndarray, truths: list[np.ndarray]) -> None:
    source = array_source([photo], [truths])
    picture = picture_network(load_model("natural"), source.items[0].read(), ValidationConfig(n_segments=15))
    np.testing.assert_array_equal(picture.labels, segment(photo, n_segments=15, device="cpu").labels)
    np.testing.assert_allclose(picture.image, photo / 255, atol=1e-6)
    assert picture.flattened.shape == photo.shape
    assert picture.boundary is not None


def test_measures_are_those_of_each_image(photo: np.ndarray, truths: list[np.ndarray]) -> None:
    source = array_source([photo, photo[::-1].copy()], [truths, [truth[::-1] for truth in truths]])
    config = ValidationConfig(n_segments=15, tolerance=1)
    values = measure_network(load_model("natural"), source.items, config)
    assert {name: len(each) for name, each in values.items()} == dict.fromkeys(MEASURES, 2)
    labels = segment(photo, n_segments=15, device="cpu").labels
    expected = evaluate(labels, truths, photo / 255, tolerance=1)
    for name in MEASURES:
        assert values[name][0] == pytest.approx(getattr(expected, name), rel=1e-4)


@pytest.mark.parametrize(("size", "number"), [(100.0, 22), (1e9, 1), (1.0, 2240)])
def test_size_decides_the_number(photo: np.ndarray, truths: list[np.ndarray], size: float, number: int) -> None:
    read = array_source([photo], [truths]).items[0].read()
    picture = picture_network(load_model("natural"), read, ValidationConfig(superpixel_size=size))
    assert len(np.unique(picture.labels)) == number


@pytest.mark.parametrize(("truth", "number"), [("objects", 24), ("none", 6)])
def test_size_of_the_objects_decides_the_number(photo: np.ndarray, truth: str, number: int) -> None:
    """Two objects with a mean of an eighth of the image, three superpixels each; without object all is one."""
    labels = np.zeros(photo.shape[:2], int)
    if truth == "objects":
        labels[: photo.shape[0] // 8] = 7
        labels[-(photo.shape[0] // 8) :] = 2
    read = array_source([photo], [labels]).items[0].read()
    config = ValidationConfig(superpixels_per_object=3 if truth == "objects" else 6)
    picture = picture_network(load_model("natural"), read, config)
    assert len(np.unique(picture.labels)) == number


def test_images_are_spread_over_the_split(photo: np.ndarray, truths: list[np.ndarray]) -> None:
    source = array_source([photo] * 10, [truths] * 10)
    assert [item.name for item in choose_items(source, ValidationConfig(n_images=4))] == [
        "0000",
        "0002",
        "0005",
        "0007",
    ]
    assert len(choose_items(source, ValidationConfig(n_images=50))) == 10


def test_only_what_is_annotated_is_measured(photo: np.ndarray, truths: list[np.ndarray]) -> None:
    annotated = np.indices(truths[0].shape)[1] < 30
    noise = np.random.default_rng(0).integers(0, 9, truths[0].shape)
    config = ValidationConfig(superpixels_per_object=3)
    found = [
        measure_network(
            load_model("natural"),
            array_source([photo], [np.where(annotated, truths[0], other)], annotated=[annotated]).items,
            config,
        )
        for other in (truths[0], noise)
    ]
    assert found[0] == found[1]
    whole = measure_network(load_model("natural"), array_source([photo], [truths[0]]).items, config)
    assert whole["undersegmentation_error"] != found[0]["undersegmentation_error"]
    assert whole["compactness_px"] != [0.0]


@pytest.mark.parametrize("n_questions", [0, 1, 2])
def test_a_stop_is_heard_before_the_next_image(
    photo: np.ndarray, truths: list[np.ndarray], n_questions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures: list[str] = []
    answers = iter([False] * n_questions)
    picture = validation.picture_network

    def count(model: Model, read: AnnotatedImage, *arguments: object, **_: object) -> ValidationPicture:
        pictures.append(read.name)
        return picture(model, read, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(validation, "picture_network", count)
    source = array_source([photo] * 3, [truths] * 3)
    with pytest.raises(CancelledError):
        measure_network(
            load_model("natural"), source.items, ValidationConfig(), should_stop=lambda: next(answers, True)
        )
    assert len(pictures) == n_questions


def test_a_stop_is_heard_in_the_network(photo: np.ndarray, truths: list[np.ndarray]) -> None:
    read = array_source([photo], [truths]).items[0].read()
    with pytest.raises(CancelledError):
        picture_network(load_model("natural"), read, ValidationConfig(), should_stop=lambda: True)
