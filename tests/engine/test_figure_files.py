"""Figures as files: of a known kind, and no part of one left."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from napari_superpixels.engine.figure_files import save_figure
from napari_superpixels.errors import WriteError


def test_other_kinds_of_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match=r"ends with \.svg or \.png"):
        save_figure(tmp_path / "figure.bmp", Figure())
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WriteError, match="cannot be written"):
        save_figure(tmp_path / "file" / "figure.svg", Figure())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["figure.png", "figure.svg"])
def test_files_do_not_name_the_program_or_the_day(tmp_path: Path, name: str) -> None:
    for folder in ("a", "b"):
        figure = Figure()
        figure.subplots().plot([1, 2])
        save_figure(tmp_path / folder / name, figure)
    data = (tmp_path / "a" / name).read_bytes()
    assert data == (tmp_path / "b" / name).read_bytes()
    assert b"Software" not in data
    assert b"dc:date" not in data
