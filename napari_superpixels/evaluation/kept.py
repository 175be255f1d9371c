"""What is measured, kept on disk as it comes, so that an interrupted run goes on where it was."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from napari_superpixels.errors import WriteError

_Value = TypeVar("_Value")


class KeptValues(Generic[_Value]):
    """Values by key in a file that only grows; may be used from several threads.

    Parameters
    ----------
    path : pathlib.Path
        File of JSON lines; its folder is made if missing. Lines that were cut off, or are foreign, are ignored.
    encode : callable
        Turns a value into what JSON can hold.
    decode : callable
        The reverse; a ValueError, KeyError or TypeError says that it is foreign.

    Raises
    ------
    WriteError
        If the file cannot be read or written.
    """

    def __init__(self, path: Path, encode: Callable[[_Value], Any], decode: Callable[[Any], _Value]) -> None:
        self._path = path
        self._encode = encode
        self._lock = threading.Lock()
        self._found: dict[str, _Value] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a+", encoding="utf-8", errors="replace") as file:
                file.seek(0)
                lines = file.read().splitlines()
        except OSError as error:
            raise self._unusable(error) from error
        for line in lines:
            try:
                entry = json.loads(line)
                self._found[entry["key"]] = decode(entry["value"])
            except (ValueError, KeyError, TypeError):
                continue  # it is measured again

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self._found)

    def get(self, key: str) -> _Value | None:
        """Return the value with that key; None where there is none."""
        return self._found.get(key)

    def add(self, key: str, value: _Value) -> None:
        """Keep a value.

        Raises
        ------
        WriteError
            If the file cannot be written.
        """
        entry = json.dumps({"key": key, "value": self._encode(value)})
        with self._lock:
            try:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(f"\n{entry}")  # the line before may be cut off
            except OSError as error:
                raise self._unusable(error) from error
            self._found[key] = value

    def remove(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)

    def _unusable(self, error: OSError) -> WriteError:
        return WriteError(
            f"{self._path}, which keeps results for a later start, cannot be used: {error.strerror or error}. Choose "
            "another place, or make room or get the permission."
        )
