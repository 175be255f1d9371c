"""The registry of everything that the benchmark compares, and our own ablations."""

import numpy as np
import pytest

from napari_superpixels.data.sources import AnnotatedImage
from napari_superpixels.errors import MissingPackageError
from napari_superpixels.evaluation import methods
from napari_superpixels.evaluation.ablations import ABLATIONS
from napari_superpixels.evaluation.methods import METHODS, load_methods
from napari_superpixels.params import LAW_WEIGHTS, SegmentParams


def test_all_methods_have_names_of_their_own() -> None:
    assert len({method.title for method in METHODS.values()}) == len(METHODS)
    assert next(iter(METHODS)) == "eikonal"


def test_methods_keep_the_order_asked_for() -> None:
    loaded, notes = load_methods(["slic-20", "raw"])
    assert [method.name for method in loaded] == ["SLIC 20", "eikonal, raw image"]
    assert notes == []


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["slick-10"], "no method 'slick-10'; did you mean 'slic-10'"),
        (["?"], "no method '\\?'; known are eikonal, raw"),
        (["raw", "raw"], "named once; received raw, raw"),
    ],
)
def test_wrong_names(keys: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_methods(keys)


def test_missing_library_is_left_out_with_a_note_unless_it_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        def load(self) -> None:
            raise MissingPackageError("X needs the package x.")

    monkeypatch.setattr(methods, "METHODS", {"x": Missing(), "raw": METHODS["raw"]})
    loaded, notes = load_methods()
    assert [method.name for method in loaded] == ["eikonal, raw image"]
    assert notes == ["X needs the package x. It is left out."]
    with pytest.raises(MissingPackageError):
        load_methods(["x"])


def test_each_ablation_changes_one_thing() -> None:
    default = SegmentParams()
    assert ABLATIONS[0].changes == {}
    for ablation in ABLATIONS[1:]:
        assert len(ablation.changes) == 1
        assert default.updated(**ablation.changes) != default
    laws = {ablation.changes["law"] for ablation in ABLATIONS if "law" in ablation.changes}
    assert laws | {default.law} == set(LAW_WEIGHTS)


def test_ablations_differ_in_labels_and_settings(color_blocks: np.ndarray) -> None:
    noise = np.random.default_rng(0).normal(0, 20, color_blocks.shape)
    pixels = np.clip(color_blocks + noise, 0, 255).astype(np.uint8)
    image = AnnotatedImage("blocks", pixels, (np.ones(pixels.shape[:2], np.int32),), (1,))
    loaded = [ablation.load() for ablation in ABLATIONS]
    labels = [method.segment(image, 40) for method in loaded]
    for i, found in enumerate(labels):
        assert np.unique(found).size == 40
        assert not any(np.array_equal(found, other) for other in labels[:i]), ABLATIONS[i].key
    assert len({str(method.settings) for method in loaded}) == len(loaded)
