"""The folder of the user's models."""

from pathlib import Path

import pytest

from napari_superpixels.errors import CheckpointError, ModelNotFoundError
from napari_superpixels.nets.catalogue import MODELS_VARIABLE, available_models, find_model, user_models_folder
from napari_superpixels.nets.checkpoint import Model, load_model
from napari_superpixels.nets.library import install_model, remove_model


@pytest.fixture
def path(small_model: Model, tmp_path: Path) -> Path:
    return tmp_path / "small.safetensors"


def test_installed_models_are_found_by_name_until_they_are_removed(path: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert install_model(path, "my own", folder=home) == home / "my own.safetensors"
    assert install_model(path, folder=home) == home / "small.safetensors"
    assert {"my own", "small", "natural"} <= available_models(home).keys()
    assert load_model(find_model("my own", home)).sha256 == load_model(path).sha256
    assert remove_model("my own", folder=home) == home / "my own.safetensors"
    assert "my own" not in available_models(home)


def test_folder_is_that_of_the_argument_then_of_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "variable"))
    assert user_models_folder() == tmp_path / "variable"
    assert user_models_folder(tmp_path / "argument") == tmp_path / "argument"
    monkeypatch.delenv(MODELS_VARIABLE)
    assert user_models_folder().name == "models"


def test_models_are_replaced_only_when_allowed(path: Path, tmp_path: Path) -> None:
    install_model(path, folder=tmp_path / "home")
    with pytest.raises(CheckpointError, match=r"small\.safetensors exists"):
        install_model(path, folder=tmp_path / "home")
    install_model(path, folder=tmp_path / "home", overwrite=True)


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "a/b", "none", "a\nb"])
def test_names_that_cannot_be(path: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a model"):
        install_model(path, name, folder=tmp_path / "home")


def test_files_that_are_no_models_stay_out(path: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(path.read_bytes()[:-4])
    for file in (damaged, tmp_path / "gone.safetensors"):
        with pytest.raises(CheckpointError):
            install_model(file, folder=tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_shipped_and_unknown_models_cannot_be_removed(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="came with the program"):
        remove_model("natural", folder=tmp_path)
    with pytest.raises(ModelNotFoundError, match="No model is called 'x'"):
        remove_model("x", folder=tmp_path)
