"""How commands end: the exit statuses they share, and how errors lead to them."""

import contextlib
from collections.abc import Iterator

import typer

from napari_superpixels.errors import ModelNotFoundError, SuperpixelsError

#: Ended by Ctrl+C: 128 and the number of the signal, as shells have it.
INTERRUPTED = 130


def failed(error: Exception) -> typer.Exit:
    """Tell what went wrong; raise what is returned."""
    typer.echo(f"Error: {error}", err=True)
    return typer.Exit(1)


@contextlib.contextmanager
def ending_on_errors(model: str = "--model") -> Iterator[None]:
    """End the command when an error of this package is raised: with 2 where a model is unknown, else with 1.

    Parameters
    ----------
    model : str
        Option or argument that names the model.
    """
    try:
        yield
    except ModelNotFoundError as error:
        raise typer.BadParameter(str(error), param_hint=model) from None
    except SuperpixelsError as error:
        raise failed(error) from None
