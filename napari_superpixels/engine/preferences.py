"""Parameters remembered between starts, as JSON in the user's configuration folder."""

import json
import logging
import os
from pathlib import Path
from typing import Any, TypeVar

import platformdirs
from pydantic import BaseModel, ValidationError

from napari_superpixels.errors import WriteError
from napari_superpixels.files import replacing
from napari_superpixels.params import SegmentParams, ViewParams

#: Environment variable that names another folder for the preferences.
CONFIG_VARIABLE = "NAPARI_SUPERPIXELS_CONFIG"
_FILE = "preferences.json"
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
    try:
        content: Any = json.loads((config_folder() / _FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        content = {}
    except (OSError, ValueError) as error:
        _LOG.info("The preferences cannot be read, so the defaults are used: %s", error)
        content = {}
    if not isinstance(content, dict):
        content = {}
    return _valid_part(SegmentParams, content.get("segment")), _valid_part(ViewParams, content.get("view"))


def save_preferences(params: SegmentParams, view: ViewParams) -> bool:
    """Save parameters, replacing the file as a whole; return whether that worked.

    A folder that cannot be written is logged once and otherwise ignored: preferences are a comfort.
    """
    folder = config_folder()
    content = {"schema": _SCHEMA, "segment": params.model_dump(), "view": view.model_dump()}
    try:
        with replacing(folder / _FILE) as part, part.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
    except WriteError as error:
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
