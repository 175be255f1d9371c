"""The command line in this process, for the tests of every command."""

import re

from typer.testing import CliRunner, Result

from napari_superpixels.cli import app


def run(*arguments: object, width: int | None = None) -> Result:
    """Run a command, on a terminal of so many letters, and see that no error comes through."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], terminal_width=width)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def words(text: str) -> str:
    """Return a text without the frames and line breaks of a terminal."""
    return re.sub(r"[\s│╭╮╰╯─]+", " ", text)
