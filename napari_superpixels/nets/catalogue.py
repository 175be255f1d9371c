"""Model files: their header, and where installed ones lie. Reading a header needs no torch."""

import json
import os
import re
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from safetensors import SafetensorError, safe_open

from napari_superpixels.assets import resource_path
from napari_superpixels.errors import CheckpointError, ModelNotFoundError

#: Suffix of model files.
MODEL_SUFFIX = ".safetensors"
#: Version of the header that this program writes; it reads this one and older ones.
FORMAT_VERSION = 1
#: Entry of the safetensors metadata that holds the header.
HEADER_KEY = "napari_superpixels"
#: Environment variable that names another folder for the user's models.
MODELS_VARIABLE = "NAPARI_SUPERPIXELS_MODELS"

_NAME = re.compile(r"\w[\w .+-]*")
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_PICKLE_SUFFIXES = (".pt", ".pth", ".ckpt", ".pkl", ".pickle")


class ModelCard(BaseModel):
    """What a model is, how it was made and how good it is; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = ""
    """One line for lists and tooltips."""
    text: str = ""
    """What it is for and where it fails, in Markdown."""
    training_data: str = ""
    """Data it was trained on, and their terms."""
    recipe: dict[str, JsonValue] = Field(default_factory=dict)
    """Everything needed to train it again: configuration, targets, seeds."""
    metrics: dict[str, float] = Field(default_factory=dict)
    """Measured figures by name."""


class ModelHeader(BaseModel):
    """Header of a model file; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    """Version of this header."""
    architecture: str
    """Name of the network's architecture, for example ``"can"``."""
    config: dict[str, JsonValue]
    """Configuration of the architecture."""
    library: str
    """Version of napari-superpixels that wrote the file."""
    card: ModelCard = ModelCard()
    """Description of the model."""


def check_name(name: str) -> None:
    """Refuse what cannot name a model.

    Raises
    ------
    ValueError
        If it cannot be the name of a file everywhere, or means no model.
    """
    if _NAME.fullmatch(name) is None or name.lower() == "none":
        raise ValueError(
            f"{name!r} cannot name a model; use letters, digits, spaces and . + - _, beginning with a letter or digit"
        )


def user_models_folder(folder: str | Path | None = None) -> Path:
    """Return the folder of the user's own models, which need not exist yet.

    Parameters
    ----------
    folder : str or pathlib.Path, optional
        The folder, where it is known; else the variable :data:`MODELS_VARIABLE` of the environment, then the usual
        place for data of the user's programs decide.
    """
    override = folder or os.environ.get(MODELS_VARIABLE)
    return Path(override) if override else platformdirs.user_data_path("napari-superpixels", appauthor=False) / "models"


def available_models(folder: str | Path | None = None) -> dict[str, Path]:
    """Return every installed model's file by name, sorted; a user's model hides a shipped one of the same name.

    Hidden files, such as those of an installation that was killed, are none.

    Parameters
    ----------
    folder : str or pathlib.Path, optional
        Folder of the user's models, as in :func:`user_models_folder`.
    """
    models: dict[str, Path] = {}
    for place in (resource_path("models"), user_models_folder(folder)):
        if place.is_dir():
            found = (path for path in place.glob(f"*{MODEL_SUFFIX}") if not path.name.startswith("."))
            models.update({path.stem: path for path in found})
    return dict(sorted(models.items()))


def find_model(name_or_path: str | Path, folder: str | Path | None = None) -> Path:
    """Return the file of an installed model, or the path given if it is a file.

    Parameters
    ----------
    name_or_path : str or pathlib.Path
        Name of a model, or its file.
    folder : str or pathlib.Path, optional
        Folder of the user's models, as in :func:`user_models_folder`.

    Raises
    ------
    ModelNotFoundError
        If there is neither.
    """
    models = available_models(folder)
    if str(name_or_path) in models:
        return models[str(name_or_path)]
    path = Path(name_or_path)
    if path.is_file():
        return path
    raise ModelNotFoundError(
        f"No model is called {str(name_or_path)!r}, and no such file exists. Installed models: "
        f"{', '.join(models) or 'none'}. Give one of these names or the path of a {MODEL_SUFFIX} file."
    )


def read_header(path: str | Path) -> ModelHeader:
    """Read and check the header of a model file, without its weights.

    Raises
    ------
    CheckpointError
        If the file is missing, unreadable, truncated, pickled, not written by this program, or of a newer format.
    """
    path = Path(path)
    _refuse_pickle(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except FileNotFoundError as error:
        raise CheckpointError(f"The model file {path} does not exist.") from error
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} is damaged, incomplete or no {MODEL_SUFFIX} file ({error}). Copy or download the model again."
        ) from error
    if HEADER_KEY not in metadata:
        raise CheckpointError(
            f"{path} is a safetensors file, but not one of napari-superpixels: it lacks the header {HEADER_KEY!r}. "
            "Only models trained by this program can be used."
        )
    return _parse_header(path, metadata[HEADER_KEY])


def _refuse_pickle(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise CheckpointError(f"The model file {path} cannot be read: {error.strerror or error}.") from error
    if path.suffix.lower() in _PICKLE_SUFFIXES or start.startswith(_PICKLE_STARTS):
        raise CheckpointError(
            f"{path} is a pickled checkpoint. Pickles can run any code when they are opened, so this program never "
            f"opens them; it needs a {MODEL_SUFFIX} file that it wrote itself."
        )


def _parse_header(path: Path, text: str) -> ModelHeader:
    try:
        values: Any = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError(f"expected an object, received {type(values).__name__}")
        found = values.get("format")
        if isinstance(found, int) and found > FORMAT_VERSION:
            raise CheckpointError(
                f"{path} has format {found}; this version of napari-superpixels reads formats up to {FORMAT_VERSION}. "
                "Update napari-superpixels."
            )
        return ModelHeader.model_validate(values)
    except (ValueError, ValidationError) as error:
        raise CheckpointError(f"{path} has a header that cannot be understood: {error}") from error
