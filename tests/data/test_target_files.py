"""Files of targets."""

import errno
from pathlib import Path

import numpy as np
import pytest

from napari_superpixels.data.target_files import Targets, read_record, read_targets, write_targets
from napari_superpixels.errors import ReadError, WriteError

LABELS = np.arange(1, 13, dtype=np.uint8).reshape(3, 4)
TARGETS = Targets(
    (LABELS, np.minimum(LABELS, 5)),
    (np.random.default_rng(0).random((13, 3), np.float32), np.ones((6, 3), np.float32)),
    (np.arange(13, dtype=np.int32) - 70_000, np.zeros(6, np.int32)),
    np.full((3, 4), 128, np.uint8),
)


def test_targets_come_back(tmp_path: Path) -> None:
    write_targets(tmp_path / "sub" / "a.npz", TARGETS, {"name": "µ", "n": [1, 2]})
    found = read_targets(tmp_path / "sub" / "a.npz")
    for kind in ("labels", "colors", "regions"):
        for one, other in zip(getattr(found, kind), getattr(TARGETS, kind), strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
    np.testing.assert_array_equal(found.boundary, TARGETS.boundary)
    assert read_record(tmp_path / "sub" / "a.npz") == {"name": "µ", "n": [1, 2]}
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["a.npz"]


def test_equal_targets_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        write_targets(tmp_path / name, TARGETS, {"n": 1})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_damaged_and_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_targets(path, TARGETS, {})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ReadError, match=r"a\.npz is damaged"):
        read_targets(path)
    assert read_record(path) is None
    np.save(tmp_path / "b.npy", np.zeros(3))
    for content in (b"", b"text", (tmp_path / "b.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(ReadError, match="is damaged"):
            read_targets(path)
        assert read_record(path) is None
    with pytest.raises(ReadError, match="does not exist"):
        read_targets(tmp_path / "c.npz")


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", boundary=np.array([{}], object), record=np.array([{}], object))
    with pytest.raises(ReadError, match="is damaged"):
        read_targets(tmp_path / "a.npz")
    assert read_record(tmp_path / "a.npz") is None


@pytest.mark.parametrize(
    "targets",
    [
        Targets((LABELS,), (np.zeros((12, 3), np.float32),), (np.zeros(13, np.int32),), TARGETS.boundary),
        Targets((LABELS,), (np.zeros((13, 3), np.float32),), (np.zeros(12, np.int32),), TARGETS.boundary),
        Targets((LABELS[1:],), (np.zeros((13, 3), np.float32),), (np.zeros(13, np.int32),), TARGETS.boundary),
        Targets((), (), (), TARGETS.boundary),
    ],
)
def test_parts_that_do_not_fit(tmp_path: Path, targets: Targets) -> None:
    write_targets(tmp_path / "a.npz", targets, {})
    with pytest.raises(ReadError, match="do not fit each other"):
        read_targets(tmp_path / "a.npz")


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_targets(tmp_path / "a.npz", TARGETS, {"n": 1})

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(WriteError, match="No space left on device"):
        write_targets(tmp_path / "a.npz", TARGETS, {"n": 2})
    assert read_record(tmp_path / "a.npz") == {"n": 1}
    assert len(list(tmp_path.iterdir())) == 1
