"""Files appear as a whole or not at all."""

import threading
from pathlib import Path

import pytest

from napari_superpixels.errors import WriteError
from napari_superpixels.files import replacing


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "table.csv"
    with replacing(target) as part:
        part.write_text("a")
        assert part.suffix == ".csv"
        assert not target.exists()
    assert target.read_text() == "a"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_raises_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old")

    def write() -> None:
        with replacing(target) as part:
            part.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_told_with_the_name(tmp_path: Path) -> None:
    with (
        pytest.raises(WriteError, match=r"table\.csv cannot be written: No space left"),
        replacing(tmp_path / "table.csv"),
    ):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(WriteError, match=r"file is a file, not a folder"), replacing(place / "table.csv"):
            pytest.fail("the block must not run")


def test_two_threads_do_not_meet_in_one_temporary_file(tmp_path: Path) -> None:
    names: list[Path] = []
    both = threading.Barrier(2)

    def write(text: str) -> None:
        with replacing(tmp_path / "table.csv") as part:
            part.write_text(text)
            names.append(part)
            both.wait(10)

    threads = [threading.Thread(target=write, args=(text,)) for text in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 2
    assert (tmp_path / "table.csv").read_text() in "ab"
