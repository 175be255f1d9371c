"""Project files: everything comes back; nothing foreign, damaged or malicious gets in."""

import errno
import hashlib
import io
import json
import os
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from napari_superpixels.engine import project as projects
from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.project import Project, hash_pixels, image_reference, open_project, save_project
from napari_superpixels.errors import ReadError, WriteError

from .journal_acts import IMAGE, annotation_after, facts, new_annotation
from .solved_cases import SHAPE, Solver

SETTINGS = {"segmentation": {"parameters": {"n_segments": 80}}, "layer": {"scale": [0.5, 0.5]}}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "work" / "cells.nsp"
    save_project(path, annotation_after(30).snapshot(), image_reference(IMAGE, "cells"), SETTINGS)
    return path


def rewritten(path: Path, *, drop: str = "", **members: bytes) -> Path:
    """Replace members of an archive, by their name without suffix."""
    with zipfile.ZipFile(path) as archive:
        content = {info.filename: archive.read(info) for info in archive.infolist() if info.filename != drop}
    for name, data in members.items():
        content[next((known for known in content if known.startswith(f"{name}.")), name)] = data
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def changed_head(path: Path, **changes) -> Path:
    with zipfile.ZipFile(path) as archive:
        head = json.loads(archive.read("project.json"))
    return rewritten(path, project=json.dumps(head | changes).encode())


def npy(array: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def test_everything_comes_back(saved: Path) -> None:
    project = open_project(saved)
    assert facts(project.state) == facts(annotation_after(30).snapshot())
    assert project.settings == SETTINGS
    assert project.image == image_reference(IMAGE, "cells")
    assert project.notes == ()
    again = new_annotation()
    again.restore(project.state)
    again.go_to(0)
    assert not again.classes.any()


def test_stacks_and_checked_planes_come_back(tmp_path: Path) -> None:
    annotation = Annotation(np.ones((3, 8, 9), np.int32), np.zeros((3, 8, 9), np.uint8))
    annotation.set_plane((2, slice(None), slice(None)))
    annotation.paint([1])
    annotation.mark_checked(1)
    save_project(tmp_path / "a.nsp", annotation.snapshot(), image_reference(np.zeros((3, 8, 9)), "stack"))
    state = open_project(tmp_path / "a.nsp").state
    assert state.classes[2].all()
    assert not state.classes[:2].any()
    assert state.planes[2, None, None].checked == annotation.checked


def test_planes_without_acts_come_back_as_beginnings(tmp_path: Path) -> None:
    solver, shape = Solver(), (2, *SHAPE)
    annotation = Annotation(np.zeros(shape, np.int32), np.zeros(shape, np.uint8))
    annotation.accept(solver.result())
    annotation.paint([1])
    annotation.set_plane((1, slice(None), slice(None)))
    annotation.accept(solver.result(n_segments=20))
    save_project(tmp_path / "a.nsp", annotation.snapshot(), image_reference(np.zeros(shape), "stack"))
    project = open_project(tmp_path / "a.nsp")
    assert (facts(project.state), project.notes) == (facts(annotation.snapshot()), ())
    again = Annotation(np.zeros(shape, np.int32), np.zeros(shape, np.uint8))
    again.restore(project.state)
    again.set_plane((1, slice(None), slice(None)))
    assert again.params["n_segments"] == 20
    again.undo()
    again.accept(solver.result())
    again.redo()
    assert facts(again.snapshot())[1] == facts(annotation.snapshot())[1]


def test_an_image_whose_name_is_no_utf8_is_found_again(tmp_path: Path) -> None:
    image = tmp_path / os.fsdecode(b"caf\xe9.png")
    try:
        image.write_bytes(b"pixels")
    except OSError:
        pytest.skip("This file system takes no such name.")
    save_project(tmp_path / "a.nsp", new_annotation().snapshot(), image_reference(IMAGE, image.name, image))
    project = open_project(tmp_path / "a.nsp")
    assert project.image.name == image.name
    assert project.find_image() == image
    assert image.samefile(tmp_path / project.image.relative_path)


def test_numpy_reads_the_arrays_of_a_project(saved: Path) -> None:
    with np.load(saved, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["classes"], annotation_after(30).classes)
        np.testing.assert_array_equal(arrays["labels"], annotation_after(30).labels)


def test_a_full_disk_leaves_the_project_that_was_there(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def fail(number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(WriteError, match="No space left on device"):
        save_project(saved, new_annotation().snapshot(), image_reference(IMAGE, "cells"))
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["cells.nsp"]


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for path, message in {
        tmp_path / "file" / "a.nsp": "cannot be written",
        tmp_path / "a.zip": r"ends with \.nsp",
    }.items():
        with pytest.raises(WriteError, match=message):
            save_project(path, new_annotation().snapshot(), image_reference(IMAGE, "cells"))


def test_the_image_is_found_where_it_was_or_beside_the_project(tmp_path: Path) -> None:
    image = tmp_path / "photos" / "cells.png"
    image.parent.mkdir()
    image.write_bytes(b"pixels")
    folder = tmp_path / "work"
    save_project(folder / "a.nsp", new_annotation().snapshot(), image_reference(IMAGE, "cells", image))
    assert open_project(folder / "a.nsp").find_image() == folder / ".." / "photos" / "cells.png"
    moved = tmp_path / "elsewhere" / "deep" / "a.nsp"
    moved.parent.mkdir(parents=True)
    (folder / "a.nsp").rename(moved)
    assert open_project(moved).find_image() == image
    image.rename(moved.with_name("cells.png"))
    assert open_project(moved).find_image() == moved.with_name("cells.png")
    moved.with_name("cells.png").unlink()
    assert open_project(moved).find_image() is None


@pytest.mark.parametrize(
    ("project", "image", "is_looked_at"),
    [
        ("work/a.nsp", "/photos/cells.png", True),
        ("work/a.nsp", "C:/photos/cells.png", True),
        ("work/a.nsp", r"\\host\share\cells.png", False),
        ("work/a.nsp", "//host/share/cells.png", False),
        ("work/a.nsp", r"\\?\UNC\host\share\cells.png", False),
        ("work/a.nsp", r"\??\UNC\host\share\cells.png", False),
        ("work/a.nsp", r"\\.\COM1", False),
        ("//host/share/a.nsp", r"\\HOST\share\photos\cells.png", True),
        ("//host/share/a.nsp", r"\\host\other\cells.png", False),
    ],
)
def test_shares_and_devices_that_a_project_names_are_not_looked_at(
    project: str, image: str, is_looked_at: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[Path] = []
    monkeypatch.setattr(Path, "is_file", lambda place: places.append(place))
    reference = image_reference(IMAGE, "cells").model_copy(update={"path": image, "relative_path": "/etc/passwd"})
    state = new_annotation().snapshot()
    assert Project(Path(project), state, reference, {}).find_image() is None
    beside = Path(project).parent / Path(image).name
    assert places == [beside, *[Path(image)][: int(is_looked_at)]]


def test_another_image_is_noticed() -> None:
    reference = image_reference(IMAGE, "cells")
    assert reference.difference(IMAGE.copy()) == ""
    assert reference.difference(np.asfortranarray(IMAGE)) == ""
    changed = IMAGE.copy()
    changed[3, 4] += 1
    assert "pixels are others" in reference.difference(changed)
    assert "pixels are others" in reference.difference(IMAGE.astype(np.int32))
    assert "(80, 64)" in reference.difference(IMAGE.T)


def test_lazy_images_have_the_hash_of_their_pixels() -> None:
    dask = pytest.importorskip("dask.array")
    pixels = np.random.default_rng(0).integers(0, 255, (3, 20, 30, 3), np.uint8)
    assert hash_pixels(dask.from_array(pixels, chunks=7)) == hash_pixels(pixels)
    assert hash_pixels(pixels[:0]) != hash_pixels(pixels)


class Counted:
    """An array that counts how often it is read."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels, self.shape, self.dtype, self.n_reads = pixels, pixels.shape, pixels.dtype, 0

    def __getitem__(self, index):
        self.n_reads += 1
        return self.pixels[index]


@pytest.mark.parametrize(
    ("shape", "n_bytes", "n_reads"),
    [
        ((30, 20), 100, 1),
        ((30, 20, 3), 100, 1),
        ((30, 20, 5), 100, 30),
        ((7, 30, 20), 100, 7),
        ((7, 30, 20), 1300, 4),
        ((2, 7, 30, 20), 1300, 8),
        ((2, 7, 30, 20), 5000, 2),
        ((2, 7, 30, 20), 10_000, 1),
        ((2, 7, 30, 20, 3), 5000, 8),
        ((0, 20, 3), 100, 1),
        ((20,), 100, 1),
    ],
)
def test_images_are_read_in_planes(monkeypatch: pytest.MonkeyPatch, shape, n_bytes: int, n_reads: int) -> None:
    monkeypatch.setattr(projects, "_PART_BYTES", n_bytes)
    image = Counted(np.random.default_rng(0).integers(0, 255, shape, np.uint8))
    digest = hashlib.sha256(f"{image.dtype.str} {shape}".encode())
    digest.update(image.pixels.tobytes())
    assert hash_pixels(image) == digest.hexdigest()
    assert image.n_reads == n_reads


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"GIF89a" * 50])
def test_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.nsp").write_bytes(content)
    with pytest.raises(ReadError, match=r"a\.nsp is no project"):
        open_project(tmp_path / "a.nsp")


def test_a_missing_file_and_a_folder_are_explained(tmp_path: Path) -> None:
    for path in (tmp_path / "a.nsp", tmp_path):
        with pytest.raises(ReadError, match="cannot be read"):
            open_project(path)


def test_a_file_cut_anywhere_is_refused(saved: Path) -> None:
    content = saved.read_bytes()
    for length in range(0, len(content), 997):
        saved.write_bytes(content[:length])
        with pytest.raises(ReadError, match="no project"):
            open_project(saved)


def test_a_changed_byte_is_noticed_or_harmless(saved: Path) -> None:
    content, expected = saved.read_bytes(), facts(open_project(saved).state)
    for place in range(0, len(content), 61):
        saved.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
        try:
            project = open_project(saved)
        except ReadError:
            continue
        assert facts(project.state)[:4] == expected[:4]
        assert project.notes or facts(project.state) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, "newer napari-superpixels .* Update"),
        ({"schema": "one"}, "cannot be understood"),
        ({"format": "something else"}, "no project"),
        ({"shape": [64]}, "cannot be understood"),
        ({"shape": [10**6, 10**6]}, "expected 1 to"),
        ({"shape": [0, 80]}, "expected 1 to"),
        ({"shape": [46_000, 46_000]}, r"expected int32 of shape \(46000, 46000\)"),
        ({"classes": [{"number": 300, "name": "a"}]}, "number 300"),
        ({"planes": [{"position": [7, None, None]}]}, "does not lie in the shape"),
        ({"planes": [{"position": [None, None], "checked": "all"}]}, "cannot be understood"),
        ({"planes": [{"position": [None, None], "checked": [[64, 0]]}]}, "lies outside a plane of 64 x 80"),
        ({"planes": [{"position": [None, None], "corrections": ["merge"]}]}, "cannot be understood"),
        ({"extra": {"image": 3}}, "does not tell which image"),
    ],
)
def test_changed_heads_are_explained(saved: Path, changes, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        open_project(changed_head(saved, **changes))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"kind": "merge"}, "must have exactly"),
        ({"kind": "swap"}, "whose kind is one of"),
        ({"kind": "merge", "path": [[0, 0], [64, 0]]}, r"\[64, 0\] lies outside a plane of 64 x 80"),
    ],
)
def test_bad_corrections_cost_themselves_and_the_history(saved: Path, bad, message: str) -> None:
    good = {"kind": "merge", "path": [[0, 0], [0, 1]]}
    project = open_project(changed_head(saved, planes=[{"position": [None, None], "corrections": [bad, good]}]))
    assert [correction.path for correction in project.state.planes[None, None].corrections] == [((0, 0), (0, 1))]
    assert facts(project.state)[:3] == facts(annotation_after(30).snapshot())[:3]
    assert (project.state.entries, project.state.position) == ((), 0)
    [note] = project.notes
    assert "1 of the corrections cannot be used" in note
    assert re.search(message, note)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"project": b"{"}, "not valid JSON"),
        ({"project": b"[" * 100_000}, "not valid JSON"),
        ({"labels": npy(np.ones((64, 80), np.int64))}, "labels are int64"),
        ({"classes": npy(np.ones((80, 64), np.uint8))}, r"shape \(80, 64\); expected"),
        ({"classes": npy(np.ones((64, 80), np.uint8))[:-5]}, "end after 5115 of 5120"),
        ({"classes": b"no array"}, "cannot be understood"),
    ],
)
def test_changed_arrays_are_explained(saved: Path, members, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        open_project(rewritten(saved, **members))


def test_negative_labels_are_outside(saved: Path) -> None:
    labels = annotation_after(30).labels.copy()
    labels[3:5, 4:8] *= -1
    project = open_project(rewritten(saved, labels=npy(labels)))
    assert np.array_equal(project.state.labels, np.maximum(labels, 0))
    assert facts(project.state)[1:] == facts(annotation_after(30).snapshot())[1:]
    assert project.notes == ("8 pixels had a negative number; they belong to no superpixel now.",)


@pytest.mark.parametrize("name", ["labels.npy", "classes.npy", "project.json"])
def test_missing_parts_are_explained(saved: Path, name: str) -> None:
    with pytest.raises(ReadError, match=name.partition(".")[0]):
        open_project(rewritten(saved, drop=name))


def test_a_damaged_history_costs_only_the_history(saved: Path) -> None:
    expected = facts(open_project(saved).state)
    with zipfile.ZipFile(saved) as archive:
        history = archive.read("history.bin")
    for data in (history[:-9], history + b"\1", b"\xff" * 50, b""):
        project = open_project(rewritten(saved, history=data))
        assert facts(project.state)[:4] == expected[:4]
        assert (project.state.entries, project.state.position) == ((), 0)
        assert "history is damaged" in project.notes[0]
    assert "history is damaged" in open_project(rewritten(saved, drop="history.bin")).notes[0]


class Bomb:
    """Leaves a folder where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def test_nothing_is_unpickled(saved: Path, tmp_path: Path) -> None:
    objects = np.empty((64, 80), object)
    objects[...] = Bomb(tmp_path / "boom")
    for data in (npy(objects, allow_pickle=True), pickle.dumps(Bomb(tmp_path / "boom"))):
        with pytest.raises(ReadError):
            open_project(rewritten(saved, labels=data))
    project = open_project(rewritten(saved, labels=npy(annotation_after(30).labels), history=pickle.dumps(objects)))
    assert "history is damaged" in project.notes[0]
    assert not (tmp_path / "boom").exists()


def test_archives_that_grow_or_escape_do_no_harm(saved: Path, tmp_path: Path) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<i4", "fortran_order": False, "shape": (64, 80)})
    bomb = head.getvalue() + b"\0" * 70_000_000
    project = open_project(rewritten(saved, labels=bomb, **{"../../escaped.txt": b"out", "/escaped.txt": b"out"}))
    assert project.state.labels.shape == (64, 80)
    assert not list(tmp_path.rglob("escaped.txt"))
    rewritten(saved, project=b" " * 70_000_000)
    with pytest.raises(ReadError, match="no project"):
        open_project(saved)
