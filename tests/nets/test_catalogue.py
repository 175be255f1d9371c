"""Finding model files and reading their headers, without torch."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from napari_superpixels.assets import resource_path
from napari_superpixels.errors import CheckpointError, ModelNotFoundError
from napari_superpixels.nets.catalogue import (
    HEADER_KEY,
    MODELS_VARIABLE,
    ModelCard,
    available_models,
    find_model,
    read_header,
    user_models_folder,
)


@pytest.fixture
def models_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def _write(path: Path, header: object) -> Path:
    text = header if isinstance(header, str) else json.dumps(header)
    save_file({"x": np.zeros(3, np.float32)}, path, {HEADER_KEY: text})
    return path


def _header(**changes: object) -> dict[str, object]:
    return {"format": 1, "architecture": "can", "config": {}, "library": "0.1.0", **changes}


@pytest.mark.parametrize(("name", "data"), [("natural", "BSDS500"), ("nuclei", "2018 Data Science Bowl")])
def test_the_shipped_models_are_there(models_folder: Path, name: str, data: str) -> None:
    path = available_models()[name]
    header = read_header(path)
    assert header.architecture == "unet"
    assert header.card.title
    assert data in header.card.training_data
    assert "val_undersegmentation_error" in header.card.metrics
    assert path.stat().st_size < 2_000_000
    assert path.with_suffix(".md").is_file()


def test_a_users_model_is_listed_and_hides_a_shipped_one(models_folder: Path) -> None:
    own = _write(models_folder / "natural.safetensors", _header())
    other = _write(models_folder / "cells.safetensors", _header())
    assert available_models() == {
        "cells": other,
        "natural": own,
        "nuclei": resource_path("models", "nuclei.safetensors"),
    }
    assert find_model("natural") == own


def test_hidden_files_are_no_models(models_folder: Path) -> None:
    before = available_models()
    _write(models_folder / ".cells.safetensors.1-2.part.safetensors", _header())
    assert available_models() == before


def test_the_users_folder_need_not_exist(models_folder: Path) -> None:
    models_folder.rmdir()
    assert list(available_models()) == ["natural", "nuclei"]


def test_the_users_folder_is_per_user_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MODELS_VARIABLE, raising=False)
    folder = user_models_folder()
    assert folder.name == "models"
    assert "napari-superpixels" in folder.parts


def test_a_file_is_found_by_its_path(tmp_path: Path, models_folder: Path) -> None:
    path = _write(tmp_path / "mine.safetensors", _header())
    assert find_model(path) == find_model(str(path)) == path


def test_an_unknown_name_is_told_with_the_installed_ones(models_folder: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"'nature'.*Installed models: natural, nuclei"):
        find_model("nature")


def test_header_comes_back(tmp_path: Path) -> None:
    card = ModelCard(title="Cells", metrics={"UE": 0.1}, recipe={"steps": 5, "seeds": [1, 2]})
    path = _write(tmp_path / "m.safetensors", _header(config={"width": 8}, card=card.model_dump()))
    header = read_header(path)
    assert header.card == card
    assert header.config == {"width": 8}


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_header(tmp_path / "none.safetensors")


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_header(tmp_path)


@pytest.mark.parametrize("keep", [0, 5, 40, -1])
def test_truncated_file(tmp_path: Path, keep: int) -> None:
    path = _write(tmp_path / "m.safetensors", _header())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="damaged, incomplete or no"):
        read_header(path)


def test_foreign_safetensors(tmp_path: Path) -> None:
    save_file({"x": np.zeros(3, np.float32)}, tmp_path / "m.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"not one of napari-superpixels"):
        read_header(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.pth", b"anything"),
        ("m.safetensors", b"PK\x03\x04 a zip as torch writes it"),
        ("m.safetensors", b"\x80\x04\x95 a bare pickle"),
    ],
)
def test_pickles_are_never_opened(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match="pickled checkpoint"):
        read_header(tmp_path / name)


def test_newer_format(tmp_path: Path) -> None:
    path = _write(tmp_path / "m.safetensors", {"format": 2, "something": "else"})
    with pytest.raises(CheckpointError, match=r"format 2;.*up to 1\. Update"):
        read_header(path)


@pytest.mark.parametrize("header", ["{", "[]", "3", _header(extra=1), {"format": 1}, _header(format="1.0")])
def test_header_that_cannot_be_understood(tmp_path: Path, header: object) -> None:
    with pytest.raises(CheckpointError, match="cannot be understood"):
        read_header(_write(tmp_path / "m.safetensors", header))


def test_listing_and_headers_need_no_torch() -> None:
    code = (
        "import sys; from napari_superpixels.nets.catalogue import available_models, read_header; "
        "[read_header(path) for path in available_models().values()]; sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
