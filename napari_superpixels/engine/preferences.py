"""Parameters remembered between starts, as JSON in the user's configuration folder."""

import json
import logging
import os
from pathlib import Path
from typing import Any, TypeVar

import platformdirs
from pydantic import BaseModel, ValidationError

from napari_superpixels.engine.journal import default_journal_folder
from napari_superpixels.engine.runs import chosen_runs_folder
from napari_superpixels.errors import WriteError
from napari_superpixels.files import replacing
from napari_superpixels.params import SegmentParams, ViewParams

#: Environment variable that names another folder for the preferences.
CONFIG_VARIABLE = "NAPARI_SUPERPIXELS_CONFIG"
#: Environment variable that names another folder for the journals, whatever the user chose.
JOURNAL_VARIABLE = "NAPARI_SUPERPIXELS_JOURNALS"
_FILE = "preferences.json"
_PARTS = ("segment", "view", "journal_folder", "runs_folder")
_SCHEMA = 1
_LOG = logging.getLogger(__name__)
_warned_folders: set[Path] = set()
_Model = TypeVar("_Model", bound=BaseModel)


def config_folder() -> Path:
    """Return the folder that holds the preferences, which need not exist yet."""
    override = os.environ.get(CONFIG_VARIABLE)
    return Path(override) if override else platformdirs.user_config_path("napari-superpixels", appauthor=False)


def load_preferences() -> tuple[SegmentParams, ViewParams]:
    """Return what was saved last; the default for everything that is missing, unknown or out of bounds."""
    content = _read()
    return _valid_part(SegmentParams, content.get("segment")), _valid_part(ViewParams, content.get("view"))


def save_preferences(params: SegmentParams, view: ViewParams) -> bool:
    """Save parameters, replacing the file as a whole; return whether that worked.

    A folder that cannot be written is logged once and otherwise ignored: preferences are a comfort.
    """
    return _save({"segment": params.model_dump(), "view": view.model_dump()})


def journal_folder() -> Path:
    """Return the folder where annotations are journaled: the one that the user chose, or one in the user's data."""
    override = os.environ.get(JOURNAL_VARIABLE)
    chosen = override or _read().get("journal_folder")
    return Path(chosen) if isinstance(chosen, str) and chosen else default_journal_folder()


def save_journal_folder(folder: str | Path) -> bool:
    """Remember the folder that the user chose for journals, as :func:`save_preferences` does."""
    return _save({"journal_folder": str(Path(folder).absolute())})


def runs_folder() -> Path:
    """Return the folder where fine-tunings are kept: the one that the user chose, or one in the user's data."""
    chosen = _read().get("runs_folder")
    return chosen_runs_folder(chosen if isinstance(chosen, str) else None)


def save_runs_folder(folder: str | Path) -> bool:
    """Remember the folder that the user chose for fine-tunings, as :func:`save_preferences` does."""
    return _save({"runs_folder": str(Path(folder).absolute())})


def _read() -> dict[str, Any]:
    """Return what is saved; nothing if it cannot be read."""
    try:
        return _content()
    except OSError as error:
        _LOG.info("The preferences cannot be read, so the defaults are used: %s", error)
        return {}


def _content() -> dict[str, Any]:
    """Return what is saved; nothing if there is no file or it is damaged, OSError where it may be there unread."""
    try:
        content: Any = json.loads((config_folder() / _FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        _LOG.info("The preferences cannot be understood, so the defaults are used: %s", error)
        return {}
    return content if isinstance(content, dict) else {}


def _save(changes: dict[str, Any]) -> bool:
    """Put parts in the place of those that are saved; return whether that worked."""
    folder = config_folder()
    try:
        known = {name: part for name, part in _content().items() if name in _PARTS}
        content = {**known, "schema": _SCHEMA, **changes}
        with replacing(folder / _FILE) as part, part.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
    except (OSError, WriteError) as error:
        if folder not in _warned_folders:
            _warned_folders.add(folder)
            _LOG.warning("The preferences cannot be saved: %s", error)
        return False
    return True


def _valid_part(model: type[_Model], values: Any) -> _Model:
    """Build a model of those values that it accepts."""
    known = {k: v for k, v in values.items() if k in model.model_fields} if isinstance(values, dict) else {}
    while known:
        try:
            return model(**known)
        except ValidationError as error:
            wrong = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
            known = {k: v for k, v in known.items() if k not in wrong} if wrong else {}
    return model()
