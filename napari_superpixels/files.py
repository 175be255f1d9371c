"""Files that are written as a whole or not at all."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from napari_superpixels.errors import WriteError


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary file beside `path` to write to; it takes the name when it is complete, or vanishes.

    Parameters
    ----------
    path : str or pathlib.Path
        File to write or replace; its folder is made if missing.

    Yields
    ------
    pathlib.Path
        Hidden file in the same folder, with the same suffix. It becomes `path` when the block ends, and is removed when
        the block raises.

    Raises
    ------
    WriteError
        If the file, or its folder, cannot be written.

    Examples
    --------
    >>> with replacing("table.csv") as part:
    ...     part.write_text("a,b", encoding="utf-8")
    """
    path = Path(path)
    part = path.with_name(f".{path.stem}.{os.getpid()}-{threading.get_ident()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except (FileExistsError, NotADirectoryError) as error:
        blocking = next((parent for parent in path.parents if parent.is_file()), path)
        raise WriteError(
            f"{path} cannot be written: {blocking} is a file, not a folder. Choose another folder."
        ) from error
    except OSError as error:
        raise WriteError(
            f"{path} cannot be written: {error.strerror or error}. Choose another folder, or make room or get the "
            "permission."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
