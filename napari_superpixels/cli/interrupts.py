"""Ctrl+C during a training: the first one ends it in good order, the second at once."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import typer

from napari_superpixels.cli.exit_codes import INTERRUPTED


@contextlib.contextmanager
def stopping_on_interrupt(*, is_told: bool = True) -> Iterator[Callable[[], bool]]:
    """Note Ctrl+C instead of raising KeyboardInterrupt, which is lost when it comes while Python clears up an object.

    Parameters
    ----------
    is_told : bool
        Whether to say so; of several processes that train together one does.

    Yields
    ------
    callable
        Returns whether Ctrl+C was pressed. When it is pressed again, KeyboardInterrupt is raised.
    """
    is_interrupted = False

    def note(_signal: int, _frame: FrameType | None) -> None:
        nonlocal is_interrupted
        if is_interrupted:
            raise KeyboardInterrupt
        is_interrupted = True
        if is_told:
            typer.echo("Stopping after this step. Press Ctrl+C again to stop at once.", err=True)

    previous = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: is_interrupted
    finally:
        signal.signal(signal.SIGINT, previous)


def interrupted(output: Path, step: int | None = None, *, is_told: bool = True) -> typer.Exit:
    """Tell how to go on with a training; raise what is returned."""
    where = "" if step is None else f" after {step} steps"
    if is_told:
        typer.echo(f"Interrupted{where}. Go on with: napari-superpixels train -o {output} --resume", err=True)
    return typer.Exit(INTERRUPTED)
