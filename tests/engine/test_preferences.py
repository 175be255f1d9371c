import json
import logging
from pathlib import Path

import pytest

from napari_superpixels.engine.journal import default_journal_folder
from napari_superpixels.engine.preferences import (
    config_folder,
    journal_folder,
    load_preferences,
    save_journal_folder,
    save_preferences,
)
from napari_superpixels.params import SegmentParams, ViewParams

CHANGED = (
    SegmentParams(n_segments=77, model=None, law="ergc"),
    ViewParams(live=False, view_mode="filled", quality_open=True, tolerance=4),
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SUPERPIXELS_CONFIG", str(tmp_path / "deep" / "config"))
    return tmp_path / "deep" / "config"


def test_first_start_has_the_defaults() -> None:
    assert load_preferences() == (SegmentParams(), ViewParams())


def test_what_was_saved_comes_back(folder) -> None:
    assert save_preferences(*CHANGED)
    assert load_preferences() == CHANGED
    assert [path.name for path in folder.iterdir()] == ["preferences.json"]


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "null", '{"segment": 3}', "\x00\xff"])
def test_unreadable_content_gives_the_defaults(folder, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / "preferences.json").write_text(text)
    assert load_preferences() == (SegmentParams(), ViewParams())


def test_only_the_wrong_fields_are_forgotten(folder) -> None:
    folder.mkdir(parents=True)
    segment = {"n_segments": -1, "regularity": 0.9, "law": "magic", "from_a_later_version": 1, "solver": "scikit-fmm"}
    content = {"schema": 99, "segment": segment, "view": {"live": "maybe", "view_mode": "filled"}}
    (folder / "preferences.json").write_text(json.dumps(content))
    params, view = load_preferences()
    assert params == SegmentParams(regularity=0.9, solver="scikit-fmm")
    assert view == ViewParams(view_mode="filled")


def test_folder_that_cannot_be_written_is_told_once(tmp_path, monkeypatch, caplog) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NAPARI_SUPERPIXELS_CONFIG", str(tmp_path / "file" / "config"))
    with caplog.at_level(logging.WARNING):
        assert not save_preferences(*CHANGED)
        assert not save_preferences(*CHANGED)
    assert len(caplog.records) == 1
    assert "cannot be saved" in caplog.text
    assert load_preferences() == (SegmentParams(), ViewParams())


def test_failed_save_leaves_what_was_there(folder, monkeypatch) -> None:
    save_preferences(*CHANGED)

    def full_disk(*args, **kwargs) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(json, "dump", full_disk)
    assert not save_preferences(SegmentParams(), ViewParams())
    assert load_preferences() == CHANGED
    assert len(list(folder.iterdir())) == 1


def test_a_file_that_cannot_be_read_is_not_overwritten(folder, monkeypatch) -> None:
    save_preferences(*CHANGED)
    save_journal_folder(folder / "journals")
    read_text = Path.read_text

    def locked(path, *args, **kwargs) -> str:
        if path.name == "preferences.json":
            raise PermissionError(13, "Permission denied")
        return read_text(path, *args, **kwargs)

    with monkeypatch.context() as held:
        held.setattr(Path, "read_text", locked)
        assert load_preferences() == (SegmentParams(), ViewParams())
        assert not save_preferences(SegmentParams(), ViewParams())
    assert load_preferences() == CHANGED
    assert journal_folder() == folder / "journals"


def test_folder_of_the_user_is_the_default(monkeypatch) -> None:
    monkeypatch.delenv("NAPARI_SUPERPIXELS_CONFIG")
    assert config_folder().name == "napari-superpixels"


def test_the_folder_of_journals_is_remembered_beside_the_parameters(tmp_path, monkeypatch) -> None:
    assert journal_folder() == default_journal_folder()
    save_preferences(*CHANGED)
    assert save_journal_folder(tmp_path / "journals")
    assert load_preferences() == CHANGED
    save_preferences(SegmentParams(), ViewParams())
    assert journal_folder() == tmp_path / "journals"
    monkeypatch.setenv("NAPARI_SUPERPIXELS_JOURNALS", str(tmp_path / "other"))
    assert journal_folder() == tmp_path / "other"
