"""What all sources share, and the sources of BSDS500 and arrays."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from scipy.io import savemat

from napari_superpixels.data.sources import AnnotatedImage, DataSource, array_source, bsds_source, label_map, listed
from napari_superpixels.errors import ReadError

IMAGE = np.arange(48, dtype=np.uint8).reshape(6, 8)
TRUTH = np.repeat([[0, 2]], 6, axis=0).repeat(4, axis=1)


def arrays(names: Sequence[str]) -> DataSource:
    return array_source([IMAGE] * len(names), [TRUTH] * len(names), names=names)


def test_arrays_come_back() -> None:
    source = array_source([IMAGE, np.stack([IMAGE] * 3, -1)], [TRUTH, [TRUTH, TRUTH + 1]])
    first, second = (pickle.loads(pickle.dumps(item)).read() for item in source)
    assert (first.name, second.name, source.kind) == ("0000", "0001", "arrays")
    np.testing.assert_array_equal(first.pixels, IMAGE)
    np.testing.assert_array_equal(second.ground_truths[1], TRUTH + 1)
    assert (first.n_objects, second.n_objects) == ((1,), (1, 2))


def test_array_fingerprints_tell_contents_apart() -> None:
    sources = [
        array_source([IMAGE], [TRUTH]),
        array_source([IMAGE.T.copy().T], [TRUTH]),
        array_source([IMAGE + 1], [TRUTH]),
        array_source([IMAGE], [TRUTH + 1]),
        array_source([IMAGE], [[TRUTH, TRUTH]]),
    ]
    first, same, *others = (source.items[0].fingerprint() for source in sources)
    assert first == same
    assert len({str(each) for each in (first, *others)}) == 4


def test_array_source_refuses() -> None:
    with pytest.raises(ValueError, match="received 2, 1, 2 and 2"):
        array_source([IMAGE, IMAGE], [TRUTH])
    with pytest.raises(ReadError, match="holds no image"):
        array_source([], [])
    with pytest.raises(ReadError, match="0000 has no ground truth"):
        array_source([IMAGE], [[]]).items[0].read()
    with pytest.raises(ReadError, match=r"0000: a ground truth has shape \(3, 8\), its image \(6, 8\)"):
        array_source([IMAGE], [TRUTH[::2]]).items[0].read()


@pytest.mark.parametrize("names", [["../a"], ["/a"], [""], ["a/../b"], ["a\\b"], ["."]])
def test_names_that_lead_out_of_a_folder(names: list[str]) -> None:
    with pytest.raises(ReadError, match="cannot name an image"):
        arrays(names)


def test_names_must_differ() -> None:
    with pytest.raises(ReadError, match="2 images are called 'a'"):
        arrays(["a", "b", "a"])


def test_subset() -> None:
    source = arrays(["a", "b", "c", "d", "e"])
    assert [item.name for item in source.subset({"d", "b"})] == ["b", "d"]
    assert len(source) == 5
    with pytest.raises(ReadError, match="no image called 'x'"):
        source.subset(["a", "x"])
    with pytest.raises(ReadError, match="holds no image"):
        source.subset([])


@pytest.mark.parametrize(
    ("shape", "options", "fits"),
    [
        ((6, 8), {}, True),
        ((6, 8, 3), {}, True),
        ((6, 8, 1), {}, True),
        ((6, 8, 4), {"rgb": True}, True),
        ((5, 6, 8), {"channel_axis": 0}, True),
        ((6, 8, 5), {}, False),
        ((5, 6, 8, 3), {}, False),
        ((6,), {}, False),
        ((6, 8), {"channel_axis": 4}, False),
    ],
)
def test_shapes_of_annotated_images(shape: tuple[int, ...], options: dict, fits: bool) -> None:
    def make() -> AnnotatedImage:
        return AnnotatedImage("a", np.zeros(shape), (TRUTH.astype(np.int32),), (1,), **options)

    if fits:
        assert make().pixels.shape == shape
    else:
        with pytest.raises(ReadError, match="a: "):
            make()


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array([True, False]), [1, 0]),
        (np.array([-5, 7], np.int8), [-5, 7]),
        (np.array([3, 2**40, 0], np.int64), [1, 2, 0]),
        (np.array([2**63, 5], np.uint64), [2, 1]),
        (np.array([-(2**40), 0, 4], np.int64), [-1, 0, 1]),
    ],
)
def test_label_map(labels: np.ndarray, expected: list[int]) -> None:
    found = label_map(labels, "x")
    assert found.dtype == np.int32
    assert found.tolist() == expected


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, "U1"])
def test_labels_of_another_type(dtype: type) -> None:
    with pytest.raises(ReadError, match="x holds values of type"):
        label_map(np.zeros(3).astype(dtype), "x")


def test_listed() -> None:
    assert listed(["a"]) == "'a'"
    assert listed(list("abcdef")) == "'a', 'b', 'c' and 3 more"


def test_bsds(tmp_path: Path) -> None:
    for part in ("images", "groundTruth"):
        (tmp_path / part / "val").mkdir(parents=True)
    cells = np.empty((1, 2), dtype=object)
    for i, truth in enumerate((TRUTH + 1, TRUTH + 4)):
        cells[0, i] = {"Segmentation": truth.astype(np.uint16)}
    iio.imwrite(tmp_path / "images" / "val" / "12.jpg", np.stack([IMAGE] * 3, -1))
    savemat(tmp_path / "groundTruth" / "val" / "12.mat", {"groundTruth": cells})
    source = bsds_source(tmp_path, "val")
    assert (source.kind, source.settings["split"]) == ("bsds", "val")
    (item,) = pickle.loads(pickle.dumps(source.items))
    image = item.read()
    assert (image.name, image.pixels.shape, image.n_objects) == ("12", (6, 8, 3), (2, 2))
    np.testing.assert_array_equal(image.ground_truths[1], TRUTH + 4)
    assert [state[0] for state in item.fingerprint()] == ["12.jpg", "12.mat"]


def test_annotated_areas() -> None:
    area = IMAGE < 20
    truth = np.where(area, TRUTH, 9)
    whole, partly = array_source([IMAGE] * 2, [truth] * 2, annotated=[None, area]).items
    assert whole.read().annotated is None
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(partly)).read().annotated, area)
    assert (whole.read().n_objects, partly.read().n_objects) == ((2,), (1,))
    assert whole.fingerprint() == array_source([IMAGE], [truth]).items[0].fingerprint() != partly.fingerprint()
    with pytest.raises(ReadError, match="0000: nothing is annotated"):
        array_source([IMAGE], [TRUTH], annotated=[np.zeros((6, 8), bool)]).items[0].read()
    for wrong in (area[1:], area.astype(int)):
        with pytest.raises(ReadError, match=r"0000: what is annotated is told by .* expected bool of shape \(6, 8\)"):
            array_source([IMAGE], [TRUTH], annotated=[wrong]).items[0].read()
    with pytest.raises(ValueError, match="received 1, 1, 1 and 2"):
        array_source([IMAGE], [TRUTH], annotated=[area, area])
