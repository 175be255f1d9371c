"""Files of a run: written, read, and refused."""

from pathlib import Path

import pytest

from napari_superpixels.engine.run_folder import RunConfig, RunFolder, Split
from napari_superpixels.errors import ReadError, TrainingError
from napari_superpixels.nets.catalogue import ModelCard
from napari_superpixels.nets.unet import CANUNetConfig

SPLIT = Split(train=("a", "b/c"), validation=("d",))


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.create(RunConfig(network=CANUNetConfig(widths=(4, 8)), card=ModelCard(title="T"), data={"bsds": "x"}), SPLIT)
    return folder


def test_configuration_and_split_come_back(folder: RunFolder) -> None:
    assert folder.read_config().network == CANUNetConfig(widths=(4, 8))
    assert folder.read_config().data == {"bsds": "x"}
    assert folder.read_split() == SPLIT
    with pytest.raises(TrainingError, match="holds a training run already"):
        folder.create(RunConfig(), SPLIT)


def test_rows_after_the_state_are_dropped(folder: RunFolder) -> None:
    assert folder.read_rows(5) == []
    rows = [{"epoch": 1, "step": 2, "loss": 0.25}, {"epoch": 2, "step": 4, "boundary_recall": 0.5}]
    folder.write_rows(rows)
    assert folder.read_rows(4) == rows
    assert folder.read_rows(3) == rows[:1]


def test_damaged_files_are_named(folder: RunFolder) -> None:
    (folder.root / "split.json").write_text('{"train": 3}')
    with pytest.raises(ReadError, match=r"split\.json cannot be understood"):
        folder.read_split()
    (folder.root / "config.json").unlink()
    with pytest.raises(ReadError, match=r"config\.json cannot be read"):
        folder.read_config()
    for table in ("epoch,step\n1,many\n", "epoch\n1\n", "epoch,step\n1,2,3\n"):
        folder.metrics.write_text(table)
        with pytest.raises(ReadError, match=r"metrics\.csv cannot be read"):
            folder.read_rows(5)


def test_card_holds_measures_and_recipe(folder: RunFolder) -> None:
    card = ModelCard(title="T", text="Text.", metrics={"val_boundary_recall": 0.875}, recipe={"steps": 3})
    folder.write_card(card)
    text = (folder.root / "card.md").read_text()
    for part in ("# T", "Text.", "| val_boundary_recall | 0.875 |", '"steps": 3', "Not stated."):
        assert part in text
