"""The command line: ``napari-superpixels``. Commands import what they need when they run, so that help is quick."""

import io
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from napari_superpixels import __version__
from napari_superpixels.cli.benchmark import benchmark
from napari_superpixels.cli.evaluate import evaluate
from napari_superpixels.cli.export import export
from napari_superpixels.cli.models import models
from napari_superpixels.cli.options import model_name
from napari_superpixels.cli.segment import segment
from napari_superpixels.cli.targets import targets
from napari_superpixels.cli.train import train
from napari_superpixels.params import SegmentParams


class _Commands(TyperGroup):
    """The commands; what the terminal's encoding lacks, such as letters of a file's name, is printed as an escape."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        return super().main(*args, **kwargs)


app = typer.Typer(
    cls=_Commands,
    name="napari-superpixels",
    help="Superpixels that follow the objects of an image.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"napari-superpixels {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Superpixels that follow the objects of an image."""


app.command()(segment)
app.command()(evaluate)
app.command()(benchmark)
app.command()(targets)
app.command()(train)
app.command()(export)
app.add_typer(models, name="models")


@app.command()
def demo(
    image: Annotated[
        Path | None, typer.Option(help="Image to open; a sample that comes with the program by default.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Name of an installed model, a model file, or 'none' for the raw image.")
    ] = SegmentParams.model_fields["model"].default,
    screenshot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Save a picture of the window as soon as it shows a result, and leave."),
    ] = None,
) -> None:
    """Open napari on an image, segmented."""
    from napari_superpixels.plugin.demo import run_demo

    raise typer.Exit(run_demo(image=image, model=model_name(model), screenshot=screenshot))
