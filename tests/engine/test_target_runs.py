"""Targets of whole data sets: true to the annotations, repeatable, resumable, and steady in the face of bad input."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from napari_superpixels.data import target_files
from napari_superpixels.data.coco import coco_source
from napari_superpixels.data.folders import folder_source
from napari_superpixels.data.sources import DataSource, array_source
from napari_superpixels.data.target_files import read_record, read_targets
from napari_superpixels.engine import target_runs
from napari_superpixels.engine.target_growth import TargetConfig
from napari_superpixels.engine.target_runs import TargetResult, run_targets, target_path
from napari_superpixels.errors import SuperpixelsError, WriteError

CONFIG = TargetConfig(n_segments=40)


def run(source: DataSource, folder: Path, config: TargetConfig = CONFIG, **options: Any) -> list[TargetResult]:
    return list(run_targets(source, folder, config, **{"workers": 1, **options}))


def statuses(*arguments: Any, **options: Any) -> list[str]:
    return [result.status for result in run(*arguments, **options)]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.npz"))}


@pytest.fixture
def blocks(color_blocks: np.ndarray) -> DataSource:
    """Return five images in memory."""
    truth = np.indices(color_blocks.shape[:2])[0] // 13
    images = [np.roll(color_blocks, 5 * i, axis=1) for i in range(5)]
    return array_source(images, [truth, truth + 1, [truth, truth.T[:60, :60].repeat(2, axis=1)[:, :80]], truth, truth])


@pytest.mark.parametrize("kind", ["instances", "panoptic"])
def test_no_superpixel_crosses_an_annotation_border(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    annotations = request.getfixturevalue(f"coco_{kind}")
    source = coco_source(annotations, annotations.parent / "images")
    results = run(source, tmp_path / "out")
    assert {result.status for result in results} == {"done"}
    for item, result in zip(source, results, strict=True):
        targets = read_targets(result.path)
        (truth,), (labels,) = item.read().ground_truths, targets.labels
        n_labels = int(labels.max())
        assert set(np.unique(labels)) == set(range(1, n_labels + 1))
        pairs = np.unique(np.stack([labels.ravel().astype(int), truth.ravel()]), axis=1)
        assert pairs.shape[1] == n_labels  # each superpixel meets one segment only
        np.testing.assert_array_equal(targets.regions[0][labels], truth)
        assert result.record is not None
        assert result.record["n_superpixels"] == [n_labels]
        assert result.record["n_asked"] == 40


def test_results_do_not_depend_on_workers_or_repetition(blocks: DataSource, tmp_path: Path) -> None:
    results = [run(blocks, tmp_path / name, workers=workers) for name, workers in (("a", 1), ("b", 1), ("c", 2))]
    assert [[result.name for result in each] for each in results] == [["0000", "0001", "0002", "0003", "0004"]] * 3
    assert contents(tmp_path / "a") == contents(tmp_path / "b") == contents(tmp_path / "c")
    assert len(contents(tmp_path / "a")) == 5


def test_interrupted_run_goes_on(blocks: DataSource, tmp_path: Path) -> None:
    first = run_targets(blocks, tmp_path / "a", CONFIG, workers=1)
    for _ in range(2):
        next(first)
    first.close()
    before = contents(tmp_path / "a")
    assert len(before) == 2
    assert statuses(blocks, tmp_path / "a") == ["skipped"] * 2 + ["done"] * 3
    run(blocks, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert before.items() <= contents(tmp_path / "a").items()


@pytest.mark.slow
def test_closed_run_stops_images_under_way(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sizes = [20, *[1800] * 6]
    images = [rng.integers(0, 255, (size, size), np.uint8) for size in sizes]
    source = array_source(images, [np.zeros(image.shape, int) for image in images])
    results = run_targets(source, tmp_path, TargetConfig(superpixel_size=30, refine_rounds=40), workers=2)
    assert next(results).status == "done"
    time.sleep(1)  # the others are under way
    results.close()
    assert [path.name for path in tmp_path.iterdir()] == ["0000.npz"]


@pytest.mark.slow
def test_killed_run_goes_on_and_leaves_no_process(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "import numpy as np\n"
        "from napari_superpixels.data.sources import array_source\n"
        "from napari_superpixels.engine.target_growth import TargetConfig\n"
        "from napari_superpixels.engine.target_runs import run_targets\n"
        "if __name__ == '__main__':\n"
        "    images = np.random.default_rng(0).integers(0, 255, (60, 90, 90), np.uint8)\n"
        "    source = array_source(images, [np.zeros((90, 90), int)] * 60)\n"
        "    for result in run_targets(source, sys.argv[1], TargetConfig(n_segments=60), workers=2):\n"
        "        print(result.name, result.status, flush=True)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    command = [sys.executable, str(script), str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "0000 done\n"
    process.kill()
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 20
    while _session_lives(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _session_lives(process.pid)
    done = len(list((tmp_path / "out").glob("[0-9]*.npz")))
    assert 1 <= done < 60
    result = subprocess.run(command, capture_output=True, text=True)
    lines = result.stdout.splitlines()
    assert len(lines) == 60
    assert sum("skipped" in line for line in lines) == done


def _session_lives(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


class _Deadly:
    name = "x"

    def fingerprint(self) -> list[Any]:
        os.kill(os.getpid(), signal.SIGKILL)
        return []


def test_dead_worker_is_told(blocks: DataSource, tmp_path: Path) -> None:
    with pytest.raises(SuperpixelsError, match="ended unexpectedly, probably for lack of memory"):
        run(DataSource("arrays", (_Deadly(), *blocks.items)), tmp_path, workers=2)


def test_other_settings_and_images_are_done_anew(tmp_path: Path, blocks: DataSource) -> None:
    for config in (CONFIG, TargetConfig(n_segments=41), TargetConfig(superpixel_size=48)):
        assert statuses(blocks, tmp_path, config) == ["done"] * 5
        assert statuses(blocks, tmp_path, config) == ["skipped"] * 5
    assert statuses(blocks, tmp_path, TargetConfig(superpixel_size=48), overwrite=True) == ["done"] * 5
    changed = array_source([np.zeros((60, 80))], [np.ones((60, 80), int)], names=["0000"])
    assert statuses(changed, tmp_path, TargetConfig(superpixel_size=48)) == ["done"]


def test_superpixel_size_follows_the_image(tmp_path: Path) -> None:
    images = [np.zeros((40, 50)), np.zeros((80, 100)), np.zeros((3, 3))]
    source = array_source(images, [np.zeros(image.shape, int) for image in images])
    results = run(source, tmp_path, TargetConfig(superpixel_size=40))
    assert [result.record and result.record["n_superpixels"] for result in results] == [[50], [200], [1]]


def test_record_tells_how_it_was_made(blocks: DataSource, tmp_path: Path) -> None:
    result = run(blocks, tmp_path)[2]
    record = read_record(result.path)
    assert record == result.record
    assert record is not None
    assert record["shape"] == [60, 80]
    assert record["n_objects"] == [4, 3]
    assert record["identity"]["config"] == CONFIG.model_dump()
    assert [sum(sizes) for sizes in record["segment_sizes"]] == [
        4800 - 13 * 80,
        60 * 80 - int((read_truth(blocks) == 0).sum()),
    ]
    assert [len(colors) - 1 for colors in read_targets(result.path).colors] == record["n_superpixels"]


def read_truth(source: DataSource) -> np.ndarray:
    return source.items[2].read().ground_truths[1]


def test_more_parts_than_superpixels(tmp_path: Path) -> None:
    truth = np.arange(16).reshape(4, 4).repeat(10, axis=0).repeat(14, axis=1)
    (result,) = run(array_source([np.zeros(truth.shape)], [truth]), tmp_path, TargetConfig(n_segments=3))
    assert result.record is not None
    assert (result.record["n_asked"], result.record["n_superpixels"]) == (3, [16])


def test_foreign_files_are_protected(blocks: DataSource, tmp_path: Path) -> None:
    target_path(tmp_path, "0001").write_text("a day of work by hand")
    results = run(blocks, tmp_path)
    assert [result.status for result in results] == ["done", "failed", "done", "done", "done"]
    assert "was not written by this command, or is damaged" in results[1].error
    assert target_path(tmp_path, "0001").read_text() == "a day of work by hand"
    assert statuses(blocks, tmp_path, overwrite=True) == ["done"] * 5


def _folders(root: Path, image: np.ndarray, truth: np.ndarray) -> DataSource:
    good = np.random.default_rng(0).integers(0, 255, (12, 16), np.uint8)
    for name, pixels, labels in (("a", image, truth), ("b", good, np.ones((12, 16), np.uint8))):
        for place, array in (("images", pixels), ("labels", labels)):
            (root / place).mkdir(exist_ok=True)
            tifffile.imwrite(root / place / f"{name}.tif", array, photometric="minisblack")
    return folder_source(root / "images", root / "labels")


TRUTH = np.ones((12, 16), np.uint8)


@pytest.mark.parametrize(
    ("image", "truth", "message"),
    [
        (np.full((12, 16), np.nan, np.float32), TRUTH, "no finite value"),
        (np.zeros((12, 16), np.complex64), TRUTH, "dtype complex64"),
        (np.zeros((12, 16), np.uint8), TRUTH[:5], r"a ground truth has shape (5, 16), its image (12, 16)"),
        (np.zeros((12, 16), np.uint8), TRUTH.astype(np.float32), "labels are whole numbers"),
    ],
)
def test_bad_image_is_told_and_does_not_stop_the_rest(
    tmp_path: Path, image: np.ndarray, truth: np.ndarray, message: str
) -> None:
    failed, done = run(_folders(tmp_path, image, truth), tmp_path / "out")
    assert (failed.status, done.status) == ("failed", "done")
    assert message in failed.error
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.npz"]


@pytest.mark.parametrize("value", [0, 7, 255])
def test_constant_image_and_single_pixel(tmp_path: Path, value: int) -> None:
    source = array_source([np.full((30, 40), value, np.uint8), np.full((1, 1), value, np.uint8)],
                          [np.ones((30, 40), int), np.ones((1, 1), int)])  # fmt: skip
    results = run(source, tmp_path)
    assert [result.record and result.record["n_superpixels"] for result in results] == [[40], [1]]


def test_some_nan_are_replaced(tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((12, 16), np.float32)
    image[3, 4] = np.nan
    done, _ = run(_folders(tmp_path, image, TRUTH), tmp_path / "out", TargetConfig(n_segments=5))
    assert done.status == "done"
    assert np.isfinite(read_targets(done.path).colors[0]).all()


@pytest.mark.parametrize("error", [MemoryError("8 TiB"), ZeroDivisionError("surprise")])
def test_any_error_of_one_image_is_told(
    blocks: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(target_runs, "grow_targets", _raiser(error))
    results = run(blocks, tmp_path)
    assert [result.status for result in results] == ["failed"] * 5
    assert all(str(error) in result.error for result in results)


def _raiser(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_full_disk_stops_the_run(blocks: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(blocks.subset(["0000"]), tmp_path)
    monkeypatch.setattr(target_files.np, "savez_compressed", _raiser(OSError(errno.ENOSPC, "No space left on device")))
    results = run_targets(blocks, tmp_path, CONFIG, workers=1)
    assert next(results).status == "skipped"
    with pytest.raises(WriteError, match="No space left on device"):
        next(results)
    assert [path.name for path in tmp_path.iterdir()] == ["0000.npz"]


def test_folder_that_cannot_be_made(blocks: DataSource, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteError, match="cannot be written"):
        run(blocks, tmp_path / "file" / "out")


def test_names_in_subfolders(coco_instances: Path, tmp_path: Path) -> None:
    source = coco_source(coco_instances, coco_instances.parent / "images")
    run(source, tmp_path / "out", workers=2)
    assert list(contents(tmp_path / "out")) == ["a.npz", "sub/b.npz"]
    assert json.loads(json.dumps(read_record(tmp_path / "out" / "sub" / "b.npz")))["name"] == "sub/b"


def test_colours_of_grey_images_are_as_the_network_sees_them(tmp_path: Path, noisy_disks: np.ndarray) -> None:
    iio.imwrite(tmp_path / "a.png", noisy_disks)
    (result,) = run(array_source([noisy_disks], [noisy_disks > 6000]), tmp_path, TargetConfig(n_segments=30))
    targets = read_targets(result.path)
    target = targets.colors[0][targets.labels[0]]
    assert (target[..., 0] == target[..., 1]).all()
    assert target[noisy_disks > 6000].min() > 0.5 > target[noisy_disks <= 6000].max()
