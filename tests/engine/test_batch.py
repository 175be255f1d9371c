"""The folder loop: skips, failures, stacks, masks, metadata, cancellation."""

import dataclasses
import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.measure import label

from napari_superpixels.core.eikonal import new_cancel_flag
from napari_superpixels.data.images import read_image
from napari_superpixels.data.label_files import read_metadata
from napari_superpixels.engine import batch
from napari_superpixels.engine.batch import ItemResult, Recipe, prepare, run_batch
from napari_superpixels.engine.worklist import WorkItem, plan_work
from napari_superpixels.errors import CancelledError, ModelNotFoundError
from napari_superpixels.params import SegmentParams

PARAMS = SegmentParams(model=None, n_segments=6)


def save_stack(path: Path, stack: np.ndarray, axes: str, **metadata: Any) -> None:
    tifffile.imwrite(path, stack, photometric="minisblack", metadata={"axes": axes, **metadata})


def run(source: Path, recipe: Recipe | None = None, **plan: Any) -> ItemResult:
    items = plan_work([str(source)], source.parent / "out", **plan)
    (result,) = run_batch(items, recipe or Recipe(PARAMS))
    return result


def status(source: Path, params: SegmentParams = PARAMS, **options: Any) -> str:
    return run(source, Recipe(params, **options)).status


@pytest.fixture
def photo(tmp_path: Path, color_blocks: np.ndarray) -> Path:
    """Return a PNG file of coloured blocks."""
    path = tmp_path / "photo.png"
    Image.fromarray(color_blocks).save(path)
    return path


def test_finished_output_is_skipped_until_something_changes(photo: Path) -> None:
    assert status(photo) == "done"
    assert status(photo) == "skipped"
    assert status(photo, PARAMS.updated(device="cpu")) == "skipped"
    assert status(photo, PARAMS.updated(n_segments=7)) == "done"
    assert read_image(photo.parent / "out" / "photo_superpixels.tif").array.max() == 7
    assert status(photo, PARAMS.updated(n_segments=7)) == "skipped"
    assert status(photo, PARAMS.updated(n_segments=7), overwrite=True) == "done"
    os.utime(photo, (1, 1))
    assert status(photo, PARAMS.updated(n_segments=7)) == "done"


def test_wanted_overlay_is_made_up_for(photo: Path) -> None:
    assert run(photo).status == "done"
    assert run(photo, overlay=photo.parent / "pictures").status == "done"
    assert run(photo, overlay=photo.parent / "pictures").status == "skipped"


def test_overlay_is_the_image_with_boundaries(photo: Path, color_blocks: np.ndarray) -> None:
    run(photo, overlay=photo.parent)
    overlay = read_image(photo.with_name("photo_overlay.png")).array
    is_boundary = (overlay == (255, 220, 0)).all(axis=-1)
    assert 0.02 < is_boundary.mean() < 0.5
    np.testing.assert_array_equal(overlay[~is_boundary], color_blocks[~is_boundary])


def test_foreign_output_is_protected(photo: Path) -> None:
    target = photo.parent / "out" / "photo_superpixels.tif"
    target.parent.mkdir()
    target.write_text("a day of work by hand")
    result = run(photo)
    assert result.status == "failed"
    assert "was not written by this command" in result.error
    assert target.read_text() == "a day of work by hand"
    assert status(photo, overwrite=True) == "done"


def test_foreign_overlay_is_protected(photo: Path) -> None:
    overlay = photo.with_name("precious.png")
    Image.new("L", (5, 5)).save(overlay)
    before = overlay.read_bytes()
    for _ in ("no labels yet", "labels are finished"):
        result = run(photo, overlay=overlay)
        assert result.status == "failed"
        assert "precious.png exists and was not written by this command" in result.error
        assert overlay.read_bytes() == before
        assert run(photo).status in ("done", "skipped")
    items = plan_work([str(photo)], photo.parent / "out", overlay=overlay)
    assert [result.status for result in run_batch(items, Recipe(PARAMS, overwrite=True))] == ["done"]
    assert run(photo, overlay=overlay).status == "skipped"
    assert run(photo, Recipe(PARAMS.updated(n_segments=7)), overlay=overlay).status == "done"


@pytest.mark.parametrize(("volume", "name"), [(False, "o_0002.png"), (True, "o_0000_0001.png")])
def test_foreign_numbered_overlay_is_found_before_anything_is_written(
    tmp_path: Path, noisy_disks: np.ndarray, volume: bool, name: str
) -> None:
    stack = np.stack([noisy_disks[:20, :20]] * 6)
    save_stack(tmp_path / "a.tif", stack.reshape(3, 2, 20, 20) if volume else stack, "TZYX" if volume else "TYX")
    Image.new("L", (5, 5)).save(tmp_path / name)
    result = run(tmp_path / "a.tif", Recipe(PARAMS, volume=volume), overlay=tmp_path / "o.png")
    assert f"{name} exists and was not written by this command" in result.error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", name]


@pytest.mark.parametrize("part", ["source", "mask", "target"])
def test_numbered_overlay_never_replaces_a_file_of_the_batch(
    tmp_path: Path, noisy_disks: np.ndarray, part: str
) -> None:
    stack, other = tmp_path / "a.tif", tmp_path / "o_0001.png"
    save_stack(stack, np.stack([noisy_disks, noisy_disks.T]), "TYX")
    Image.new("L", (96, 96), 255).save(other)
    before = other.read_bytes()
    first = WorkItem(stack, tmp_path / "a_labels.tif", tmp_path / "o.png")
    second = WorkItem(stack, tmp_path / "b_labels.tif")
    items = [first, dataclasses.replace(second, **{part: other})]
    result = next(run_batch(items, Recipe(PARAMS, overwrite=True)))
    assert result.status == "failed"
    assert "o_0001.png would replace an image, a mask or labels of this run" in result.error
    assert other.read_bytes() == before


def test_metadata_tells_how_it_was_made(photo: Path) -> None:
    result = run(photo)
    metadata = read_metadata(result.item.target)
    assert metadata is not None
    assert SegmentParams(**metadata["parameters"]) == PARAMS
    assert metadata["model"] is None
    assert metadata["n_segments"] == [6] == list(result.n_segments)
    assert metadata["source"] == "photo.png"
    assert metadata["version"]


def test_one_bad_file_does_not_stop_the_rest(photo: Path) -> None:
    (photo.parent / "a.png").write_bytes(photo.read_bytes()[:200])
    (photo.parent / "b.tif").write_bytes(b"")
    Image.new("L", (2, 2)).save(photo.parent / "c.png")
    results = list(run_batch(plan_work([str(photo.parent)], photo.parent / "out"), Recipe(PARAMS)))
    assert [result.status for result in results] == ["failed", "failed", "failed", "done"]
    for result, expected in zip(results, ["damaged", "0 bytes", "4", ""], strict=True):
        assert expected in result.error
    assert [path.name for path in (photo.parent / "out").iterdir()] == ["photo_superpixels.tif"]


@pytest.mark.parametrize("error", [MemoryError("8 TiB"), ZeroDivisionError("surprise")])
def test_any_error_of_one_file_is_told(photo: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(path: Path) -> None:
        raise error

    monkeypatch.setattr(batch, "read_image", fail)
    result = run(photo)
    assert result.status == "failed"
    assert str(error) in result.error


def test_full_disk_is_told(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", fail)
    result = run(photo)
    assert result.status == "failed"
    assert "No space left on device" in result.error
    assert list((photo.parent / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.full((8, 8), np.nan, np.float32), "no finite value"),
        (np.zeros((8, 8), np.complex64), "dtype complex64"),
        (np.zeros((2, 2), np.uint8), "6 superpixels do not fit into 4 pixels"),
    ],
)
def test_image_that_cannot_be_segmented(tmp_path: Path, pixels: np.ndarray, message: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    result = run(tmp_path / "a.tif")
    assert result.status == "failed"
    assert message in result.error


def test_some_nan_are_noted(tmp_path: Path) -> None:
    pixels = np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)
    pixels[3, 4] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    result = run(tmp_path / "a.tif")
    assert result.status == "done"
    assert "NaN" in result.notes[0]


def test_stack_is_segmented_plane_by_plane(tmp_path: Path, noisy_disks: np.ndarray) -> None:
    stack = np.stack([noisy_disks, noisy_disks[::-1], noisy_disks.T])
    save_stack(tmp_path / "a.tif", stack, "TYX")
    result = run(tmp_path / "a.tif", overlay=tmp_path / "o")
    assert (result.shape, result.n_segments) == ((3, 96, 96), (6, 6, 6))
    image = read_image(result.item.target)
    assert image.axes == "TYX"
    assert run(tmp_path / "a.tif", overlay=tmp_path / "o").status == "skipped"
    for plane in image.array:
        np.testing.assert_array_equal(np.unique(plane), range(1, 7))
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == [f"a_overlay_000{i}.png" for i in range(3)]


def test_one_plane_of_a_stack(tmp_path: Path, noisy_disks: np.ndarray) -> None:
    save_stack(tmp_path / "a.tif", np.stack([noisy_disks, noisy_disks.T]), "ZYX")
    result = run(tmp_path / "a.tif", Recipe(PARAMS, plane=1))
    assert result.shape == (96, 96)
    assert read_image(result.item.target).axes == "YX"
    result = run(tmp_path / "a.tif", Recipe(PARAMS, plane=2))
    assert "plane 2 is not in this image of 2 planes; give 0 to 1" in result.error


def test_volume_is_segmented_in_3d_with_its_spacing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = np.random.default_rng(0).integers(0, 255, (5, 20, 30), dtype=np.uint8)
    metadata = {"axes": "ZYX", "PhysicalSizeZ": 2.0, "PhysicalSizeY": 0.5, "PhysicalSizeX": 0.5}
    tifffile.imwrite(tmp_path / "a.ome.tif", volume, ome=True, metadata=metadata)
    seen = []
    original = batch.Pipeline.run

    def spy(self: batch.Pipeline, inputs: Any, *args: Any, **options: Any) -> Any:
        seen.append(inputs.spacing)
        return original(self, inputs, *args, **options)

    monkeypatch.setattr(batch.Pipeline, "run", spy)
    result = run(tmp_path / "a.ome.tif", Recipe(PARAMS, volume=True), overlay=tmp_path / "o")
    assert result.shape == (5, 20, 30)
    assert seen == [pytest.approx((4, 1, 1))]
    labels = read_image(result.item.target).array
    np.testing.assert_array_equal(np.unique(labels), range(1, 7))
    assert label(labels, connectivity=1).max() == 6
    assert len(list((tmp_path / "o").iterdir())) == 5


@pytest.mark.parametrize("volume", [False, True])
def test_png_of_a_stack_is_refused_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, volume: bool
) -> None:
    save_stack(tmp_path / "a.tif", np.zeros((2, 12, 14), np.uint8), "ZYX")
    with monkeypatch.context() as patch:
        patch.setattr(batch.Pipeline, "run", lambda *_, **__: pytest.fail("computed"))
        result = run(tmp_path / "a.tif", Recipe(PARAMS, volume=volume), suffix=".png", overlay=tmp_path / "o")
    assert "A PNG holds one plane; these labels have the shape (2, 12, 14). Write TIFF instead" in result.error
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]
    assert run(tmp_path / "a.tif", Recipe(PARAMS, plane=1), suffix=".png").status == "done"


def test_volumes_grow_along_z_wherever_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (2, 3, 20, 30), dtype=np.uint8)  # times, depths
    mask = np.zeros(pixels.shape, np.uint8)
    mask[0, :, :10], mask[1, :, 5:] = 1, 1
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0}
    spacings = []
    run_pipeline = batch.Pipeline.run

    def record(self: batch.Pipeline, inputs: Any, *args: Any, **options: Any) -> Any:
        spacings.append(inputs.spacing)
        return run_pipeline(self, inputs, *args, **options)

    monkeypatch.setattr(batch.Pipeline, "run", record)
    found = {}
    for axes in ("TZYX", "ZTYX"):
        arrays = [array if axes == "TZYX" else array.swapaxes(0, 1) for array in (pixels, mask)]
        folder = tmp_path / axes
        folder.mkdir()
        tifffile.imwrite(folder / "a.ome.tif", arrays[0], ome=True, metadata={"axes": axes, **sizes})
        tifffile.imwrite(folder / "m.tif", arrays[1], photometric="minisblack")
        result = run(folder / "a.ome.tif", Recipe(PARAMS, volume=True), overlay=folder / "o", mask=folder / "m.tif")
        assert (result.status, result.shape, len(result.n_segments)) == ("done", (2, 3, 20, 30), 2), result.error
        with tifffile.TiffFile(result.item.target) as file:
            assert file.series[0].axes == "TZYX"
            found[axes] = file.asarray()
        assert len(list((folder / "o").iterdir())) == 6
    assert spacings == [(4.0, 1.0, 1.0)] * 4
    np.testing.assert_array_equal(found["ZTYX"], found["TZYX"])
    np.testing.assert_array_equal(found["TZYX"] > 0, mask > 0)


@pytest.mark.parametrize("volume", [False, True])
def test_stack_whose_axes_have_no_names(tmp_path: Path, volume: bool) -> None:
    stack = np.random.default_rng(0).integers(0, 255, (2, 2, 3, 12, 14), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    result = run(tmp_path / "a.tif", Recipe(PARAMS, volume=volume), overlay=tmp_path / "o")
    assert (result.error, result.shape) == ("", stack.shape)
    labels = read_image(result.item.target)
    assert (labels.axes, labels.array.shape) == ("QQQYX", stack.shape)
    assert len(list((tmp_path / "o").iterdir())) == 12


def test_channels_are_found_or_stated(tmp_path: Path, color_blocks: np.ndarray) -> None:
    channels = np.moveaxis(color_blocks, -1, 0)
    save_stack(tmp_path / "told.tif", channels, "CYX")
    tifffile.imwrite(tmp_path / "untold.tif", channels, photometric="minisblack")
    told, stated = run(tmp_path / "told.tif"), run(tmp_path / "untold.tif", Recipe(PARAMS, channel_axis=0))
    assert told.shape == stated.shape == (60, 80)
    np.testing.assert_array_equal(read_image(told.item.target).array, read_image(stated.item.target).array)
    assert run(tmp_path / "untold.tif").shape == (3, 60, 80)


def test_mask(photo: Path) -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[10:50, 20:60] = 255
    Image.fromarray(mask).save(photo.with_name("mask.png"))
    result = run(photo, mask=photo.with_name("mask.png"))
    np.testing.assert_array_equal(read_image(result.item.target).array > 0, mask > 0)
    Image.fromarray(mask[:5]).save(photo.with_name("mask.png"))
    result = run(photo, mask=photo.with_name("mask.png"))
    assert "has shape (5, 80); expected (60, 80)" in result.error
    photo.with_name("mask.png").unlink()
    assert "no such file" in run(photo, mask=photo.with_name("mask.png")).error


def test_mask_with_a_palette(photo: Path) -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[10:50, 20:60] = 1
    picture = Image.fromarray(mask)
    picture.putpalette([255, 255, 255, 0, 0, 0])
    picture.save(photo.with_name("mask.png"))
    result = run(photo, mask=photo.with_name("mask.png"))
    np.testing.assert_array_equal(read_image(result.item.target).array > 0, mask > 0)


def test_cancel_stops_and_keeps_what_is_done(photo: Path) -> None:
    second = photo.with_name("second.png")
    second.write_bytes(photo.read_bytes())
    cancel = new_cancel_flag()
    results = run_batch(plan_work([str(photo.parent)], photo.parent / "out"), Recipe(PARAMS), cancel=cancel)
    assert next(results).status == "done"
    cancel[0] = 1
    with pytest.raises(CancelledError):
        next(results)
    assert [path.name for path in (photo.parent / "out").iterdir()] == ["photo_superpixels.tif"]


def test_progress_rises_for_each_file(photo: Path) -> None:
    shares: list[float] = []

    def on_progress(item: WorkItem, share: float, text: str) -> None:
        assert item.source == photo
        assert text
        shares.append(share)

    list(run_batch(plan_work([str(photo)], photo.parent / "o"), Recipe(PARAMS), progress=on_progress))
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert 0.9 < shares[-1] <= 1


def test_prepare_checks_the_model_first() -> None:
    with pytest.raises(ModelNotFoundError, match="'no-such-model'"):
        prepare(SegmentParams(model="no-such-model"))
    recipe = prepare(SegmentParams(), volume=True)
    assert len(recipe.model_sha256) == 64
    assert recipe.volume


def test_shipped_model_is_named_in_the_output(photo: Path) -> None:
    recipe = prepare(SegmentParams(n_segments=6))
    result = run(photo, recipe)
    assert result.status == "done", result.error
    assert result.timings["network"] > 0
    metadata = read_metadata(result.item.target)
    assert metadata is not None
    assert metadata["model"] == {"name": "natural", "sha256": recipe.model_sha256}
    assert run(photo, recipe).status == "skipped"
    assert run(photo, Recipe(recipe.params, model_sha256="of another file")).status == "done"
