"""From names to a list of work: files, folders, patterns, names of outputs, clashes."""

from pathlib import Path

import numpy as np
import pytest

from napari_superpixels.data.label_files import write_labels, write_picture
from napari_superpixels.engine.worklist import plan_work


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder, relative to the working directory, with two images, one in a subfolder, and a text."""
    monkeypatch.chdir(tmp_path)
    folder = Path("photos")
    (folder / "day 2").mkdir(parents=True)
    for name in ("a.png", "day 2/b.TIF", "notes.txt", ".hidden.png"):
        (folder / name).write_bytes(b"x")
    return folder


def names(items: list) -> list[tuple[str, str]]:
    return [(item.source.as_posix(), item.target.as_posix()) for item in items]


def test_folder_keeps_its_subfolders(photos: Path) -> None:
    assert names(plan_work(["photos"], Path("out"))) == [
        ("photos/a.png", "out/a_superpixels.tif"),
        ("photos/day 2/b.TIF", "out/day 2/b_superpixels.tif"),
    ]


@pytest.mark.parametrize("pattern", ["photos/**/*", "photos/*"])
def test_pattern_keeps_the_folders_below_its_fixed_part(photos: Path, pattern: str) -> None:
    assert names(plan_work([pattern], Path("out"))) == [
        ("photos/a.png", "out/a_superpixels.tif"),
        ("photos/day 2/b.TIF", "out/day 2/b_superpixels.tif"),
    ]


def test_absolute_pattern(photos: Path) -> None:
    items = plan_work([f"{photos.resolve()}/*.png"], Path("out"))
    assert [item.target.as_posix() for item in items] == ["out/a_superpixels.tif"]


def test_file_whose_name_looks_like_a_pattern(photos: Path) -> None:
    (photos / "c[1].png").write_bytes(b"x")
    assert names(plan_work(["photos/c[1].png"], Path("out"))) == [("photos/c[1].png", "out/c[1]_superpixels.tif")]


@pytest.mark.parametrize(
    ("output", "target"), [("x/y.tif", "x/y.tif"), ("y.png", "y.png"), ("y", "y/a_superpixels.png"), ("v1.2", None)]
)
def test_output_of_one_file(photos: Path, output: str, target: str | None) -> None:
    (item,) = plan_work(["photos/a.png"], Path(output), suffix=".png")
    assert item.target == Path(target or "v1.2/a_superpixels.png")


@pytest.mark.parametrize("inputs", [["photos"], ["photos/a.png", "photos/day 2/b.TIF"]])
def test_several_images_need_a_folder(photos: Path, inputs: list[str]) -> None:
    with pytest.raises(ValueError, match=r"out\.tif is the name of a file"):
        plan_work(inputs, Path("out.tif"))


@pytest.mark.parametrize("inputs", [["photos"], ["photos/a.png", "photos/day 2/b.TIF"]])
def test_several_pictures_need_a_folder(photos: Path, inputs: list[str]) -> None:
    with pytest.raises(ValueError, match=r"o\.png is the name of a file"):
        plan_work(inputs, Path("out"), overlay=Path("o.png"))
    Path("o.png").mkdir()
    items = plan_work(inputs, Path("out"), overlay=Path("o.png"))
    assert all(item.overlay is not None and item.overlay.is_relative_to("o.png") for item in items)


def test_hidden_folders_are_passed_over(photos: Path) -> None:
    for folder in (photos / ".ipynb_checkpoints", photos / "day 2" / ".cache" / "deep"):
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes(b"x")
    assert [item.source.name for item in plan_work(["photos"], Path("out"))] == ["a.png", "b.TIF"]
    (item,) = plan_work(["photos/.ipynb_checkpoints"], Path("out"))
    assert item.source == photos / ".ipynb_checkpoints" / "a.png"


def test_each_image_once(photos: Path) -> None:
    items = plan_work(["photos/a.png", "photos", "photos/*.png", "./photos/a.png"], Path("out"))
    assert [item.source.name for item in items] == ["a.png", "b.TIF"]


def test_named_file_is_listed_though_missing(photos: Path) -> None:
    items = plan_work(["missing.png", "photos/a.png"], Path("out"))
    assert [item.source.name for item in items] == ["missing.png", "a.png"]


@pytest.mark.parametrize("inputs", [["photos/*.jpg"], ["photos/empty"]])
def test_nothing_found(photos: Path, inputs: list[str]) -> None:
    (photos / "empty").mkdir()
    with pytest.raises(ValueError, match="There is no image in photos/"):
        plan_work(inputs, Path("out"))


def test_outputs_that_would_overwrite_each_other(photos: Path) -> None:
    (photos / "a.jpg").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"a\.jpg and photos/a\.png would both be written to out/a_superpixels\.tif"):
        plan_work(["photos"], Path("out"))


def test_output_that_would_overwrite_an_input(photos: Path) -> None:
    with pytest.raises(ValueError, match="would overwrite the input"):
        plan_work(["photos/a.png"], Path("photos/a.png"))


@pytest.mark.parametrize("outputs", [("m.png", None), ("out", "m.png")])
def test_output_that_would_overwrite_a_mask(photos: Path, outputs: tuple[str, str | None]) -> None:
    output, overlay = outputs
    with pytest.raises(ValueError, match=r"m\.png would overwrite the input m\.png"):
        plan_work(["photos/a.png"], Path(output), overlay=overlay and Path(overlay), mask=Path("m.png"))


@pytest.mark.parametrize("numbers", ["", "_0000", "_10000", "_0000_10000"])
def test_earlier_pictures_of_a_stack_are_no_inputs(photos: Path, numbers: str) -> None:
    write_picture(photos / f"a_overlay{numbers}.png", np.zeros((2, 2, 3), np.uint8))
    assert len(plan_work(["photos"], Path("out"))) == 2


@pytest.mark.parametrize("output", ["photos", "photos/labels"])
def test_earlier_outputs_are_no_inputs(photos: Path, output: str) -> None:
    expected = names(plan_work(["photos"], Path(output), overlay=Path(output)))
    for item in plan_work(["photos"], Path(output), overlay=Path(output)):
        write_labels(item.target, np.ones((2, 2), np.int32), {})
        assert item.overlay is not None
        write_picture(item.overlay, np.zeros((2, 2, 3), np.uint8))
    assert names(plan_work(["photos"], Path(output), overlay=Path(output))) == expected
    assert len(plan_work(["photos"], Path("elsewhere"))) == 2


def test_image_named_like_an_output_is_an_input(photos: Path) -> None:
    (photos / "my_overlay.png").write_bytes(b"x")
    assert len(plan_work(["photos"], Path("out"))) == 3


def test_masks_by_name(photos: Path) -> None:
    masks = Path("photos/masks/day 2")
    masks.mkdir(parents=True)
    (masks / "b.png").write_bytes(b"x")
    items = plan_work(["photos"], Path("out"), mask=Path("photos/masks"))
    assert [item.mask for item in items] == [Path("photos/masks/a.png"), masks / "b.png"]
    items = plan_work(["photos/day 2"], Path("out"), mask=Path("photos/a.png"))
    assert [item.mask for item in items] == [Path("photos/a.png")]
