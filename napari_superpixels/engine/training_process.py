"""The process in which a model is trained, seen from the window."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from psygnal import Signal

from napari_superpixels.engine.scheduler import Dispatch
from napari_superpixels.errors import TrainingError, WriteError

#: What the child runs. Not multiprocessing, which would run a user's own script a second time.
CHILD = "napari_superpixels.engine.training_child"
_LOG, _LOG_TAIL = "log.txt", 2000


def log_tail(folder: Path) -> str:
    """Return the end of what the child of a folder printed; empty where there is none."""
    try:
        with (folder / _LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_TAIL))
            return log.read().decode("utf-8", errors="replace").strip()
    except OSError:
        return ""


class TrainingProcess:
    """One child process; its events come in the main thread.

    Parameters
    ----------
    folder : str or pathlib.Path
        Folder of the run, where the child's messages go to ``log.txt``.
    dispatch : callable
        Runs a function in the main thread.
    module : str
        Module that the child runs.
    """

    received = Signal(dict)
    """An event of the child."""
    ended = Signal(int)
    """The child ended, with its exit code; no event follows."""

    def __init__(self, folder: str | Path, dispatch: Dispatch, module: str = CHILD) -> None:
        self._folder = Path(folder)
        self._dispatch = dispatch
        self._module = module
        self._process: subprocess.Popen[str] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the child lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Number of the process; None before it was started."""
        return None if self._process is None else self._process.pid

    def start(self, arguments: Sequence[str] = ()) -> None:
        """Start the child.

        Raises
        ------
        TrainingError
            If Python cannot be started.
        WriteError
            If the folder cannot be written.
        """
        if not sys.executable:
            raise TrainingError(
                "Training needs a Python interpreter of its own, and this program does not tell where its is. Install "
                "napari with pip or conda, or train with 'napari-superpixels train'."
            )
        # Modules are not looked for in the folder that napari was started in: a file of the user's there, such as
        # "statistics.py", would take the place of Python's own.
        environment = {**os.environ, "PYTHONSAFEPATH": "1"}
        # A group of its own: Ctrl+C in the terminal is for the window, which then ends the training in good order.
        group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
        try:
            with (self._folder / _LOG).open("a", encoding="utf-8") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", self._module, str(self._folder.absolute()), *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    encoding="utf-8",
                    errors="replace",
                    bufsize=1,
                    env=environment,
                    **group,
                )
        except FileNotFoundError as error:
            if error.filename == sys.executable:
                raise TrainingError(f"Python cannot be started: {sys.executable} does not exist.") from error
            raise WriteError(f"{self._folder} cannot be written: {error.strerror}.") from error
        except OSError as error:
            raise TrainingError(f"The training cannot be started: {error.strerror or error}.") from error
        threading.Thread(target=self._listen, args=(self._process,), name="superpixels-training", daemon=True).start()

    def send(self, command: str) -> None:
        """Tell the child what to do; without effect where it has ended."""
        if self._process is None or self._process.stdin is None:
            return
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps({"do": command}) + "\n")
            self._process.stdin.flush()

    def kill(self) -> None:
        """End the child at once."""
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        """End the child at once, and wait until it has; in a worker thread."""
        self.kill()
        if self._process is not None:
            self._process.wait()

    def leave(self) -> None:
        """Let the child end in good order, and hear no more of it."""
        self.received.disconnect()
        self.ended.disconnect()
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        stream: IO[str] | None = process.stdout
        assert stream is not None
        with contextlib.suppress(OSError, ValueError):
            for line in stream:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict) and isinstance(event.get("event"), str):
                    self._dispatch(partial(self.received.emit, event))
        stream.close()
        code = process.wait()
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        self._dispatch(partial(self.ended.emit, code))
