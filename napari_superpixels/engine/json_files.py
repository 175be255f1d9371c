"""Files of JSON with a declared content, written as a whole or not at all."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from napari_superpixels.errors import ReadError
from napari_superpixels.files import replacing

_Kind = TypeVar("_Kind", bound=BaseModel)


def write_json(path: Path, content: BaseModel) -> None:
    """Write one.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    with replacing(path) as part:
        part.write_text(content.model_dump_json(indent=2), encoding="utf-8")


def read_json(path: Path, kind: type[_Kind]) -> _Kind:
    """Read what :func:`write_json` wrote.

    Raises
    ------
    ReadError
        If the file is missing or cannot be understood.
    """
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReadError(
            f"{path} cannot be read ({error.strerror or error}); is {path.parent} a training run?"
        ) from error
    except (ValueError, ValidationError) as error:
        raise ReadError(f"{path} cannot be understood: {error}") from error
