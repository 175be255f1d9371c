"""The models that a user can choose from; reading the list needs no torch."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_superpixels.errors import CheckpointError
from napari_superpixels.nets.catalogue import MODEL_SUFFIX, available_models, check_name, find_model, read_header

if TYPE_CHECKING:
    from napari_superpixels.nets.checkpoint import Model

__all__ = [
    "MODEL_SUFFIX",
    "InstalledModel",
    "ModelEvents",
    "check_model_file",
    "check_new_name",
    "installed_models",
    "loaded_model",
    "model_events",
    "model_identity",
]

#: Models kept in memory, of a few megabytes each.
_MOST_LOADED = 4


class ModelEvents:
    """What happens to the installed models while the program runs."""

    changed = Signal(str)
    """A model was put in, replaced or taken out, by name; emitted in the main thread."""


#: The one sender of these events.
model_events = ModelEvents()


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model that can be chosen by its name."""

    name: str
    """Value of the parameter `model`."""
    description: str
    """One line about the model; empty where its file says nothing."""


def installed_models() -> tuple[InstalledModel, ...]:
    """Return the shipped models and the user's own, by name; files that cannot be used are left out."""
    found = []
    for name, path in available_models().items():
        try:
            found.append(InstalledModel(name, read_header(path).card.title))
        except CheckpointError:
            continue
    return tuple(found)


def model_identity(name: str | None) -> tuple[str, int, int, int, int] | None:
    """Return what changes when a model's file does, beginning with its path; None where there is no such model."""
    if name is None:
        return None
    try:
        path = find_model(name)
        status = path.stat()
    except (CheckpointError, OSError):
        return None
    return (str(path), status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def loaded_model(name: str) -> "Model":
    """Return a model, from memory while its file stays as it is; the last few are kept.

    Raises
    ------
    CheckpointError
        If the model can't be loaded.
    """
    # Imported here: torch takes seconds, and must not be imported on the main thread of a window.
    from napari_superpixels.nets.checkpoint import load_model

    identity = model_identity(name)
    return load_model(name) if identity is None else _loaded(identity)


@lru_cache(maxsize=_MOST_LOADED)
def _loaded(identity: tuple[str, int, int, int, int]) -> "Model":
    from napari_superpixels.nets.checkpoint import load_model

    return load_model(identity[0])


def check_new_name(name: str) -> None:
    """Refuse what cannot name a new model.

    Raises
    ------
    ValueError
        If it cannot name a model, or an installed one has that name.
    """
    check_name(name)
    if name in available_models():
        raise ValueError(f"There is a model called {name!r} already; choose another name.")


def check_model_file(path: str) -> None:
    """Raise an error that says what is wrong with a model file, if anything is.

    Raises
    ------
    CheckpointError
        If the file is missing, unreadable, damaged, or not a model of this program.
    """
    read_header(path)
