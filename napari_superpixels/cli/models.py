"""``napari-superpixels models``: the installed models, what they are, and the user's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_superpixels.cli.exit_codes import ending_on_errors

if TYPE_CHECKING:
    from napari_superpixels.nets.catalogue import ModelHeader

models = typer.Typer(no_args_is_help=True, help="List and show models, install and export them.")

_MODEL = "MODEL"
_ModelArgument = Annotated[str, typer.Argument(metavar=_MODEL, help="Name of an installed model, or a model file.")]
_FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIR",
        envvar="NAPARI_SUPERPIXELS_MODELS",
        help="Folder of your own models.",
        show_default="a folder for data of your programs",
    ),
]
_OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


@models.command("list")
def list_models(folder: _FolderOption = None) -> None:
    """List the models that can be chosen by name."""
    from napari_superpixels.errors import CheckpointError
    from napari_superpixels.nets.catalogue import available_models, read_header, user_models_folder

    found = available_models(folder)
    width = max(map(len, found), default=0)
    for name, path in found.items():
        try:
            title = read_header(path).card.title
        except CheckpointError as error:
            title = f"cannot be used: {error}"
        typer.echo(f"{name:{width}}  {title}".rstrip())
    typer.echo(f"Your own models go into {user_models_folder(folder)}", err=True)


@models.command()
def show(
    name: _ModelArgument,
    folder: _FolderOption = None,
) -> None:
    """Show what a model is, what it was trained on and how good it is."""
    import hashlib

    from napari_superpixels.nets.catalogue import find_model, read_header

    with ending_on_errors(_MODEL):
        path = find_model(name, folder)
        header = read_header(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    typer.echo(f"{path.stem}: {header.card.title}".rstrip(": "))
    rows = {**_rows(header), "file": f"{path} ({path.stat().st_size / 1024:.0f} KB)", "sha256": digest}
    width = max(map(len, rows)) + 1
    for title, text in rows.items():
        typer.echo(f"{title + ':':{width}} {text}")
    if header.card.text:
        typer.echo(f"\n{header.card.text}")


@models.command("import")
def import_model(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Model file, such as best.safetensors of a run.")],
    name: Annotated[str | None, typer.Option(help="Name to choose it by.", show_default="that of the file")] = None,
    folder: _FolderOption = None,
    overwrite: _OverwriteOption = False,
) -> None:
    """Copy a model to your own, so that it can be chosen by name, in the window too."""
    from napari_superpixels.nets.library import install_model

    try:
        with ending_on_errors():
            target = install_model(path, name, folder=folder, overwrite=overwrite)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--name") from None
    typer.echo(f"{target.stem} can be chosen now; its file is {target}")


@models.command()
def remove(
    name: Annotated[str, typer.Argument(metavar=_MODEL, help="Name of one of your own models.")],
    folder: _FolderOption = None,
) -> None:
    """Remove one of your own models."""
    from napari_superpixels.nets.library import remove_model

    with ending_on_errors(_MODEL):
        path = remove_model(name, folder=folder)
    typer.echo(f"Removed {path}")


@models.command()
def export(
    name: _ModelArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.onnx", help="File to write.")],
    folder: _FolderOption = None,
    overwrite: _OverwriteOption = False,
) -> None:
    r"""Write a model as ONNX, for other programs.

    This needs the package onnx, pip install ".\[onnx]" in a copy of the repository.

    Its input is "image", float32 of shape (N, C, H, W) in [0, 1]; its outputs are "flattened" and "boundary".
    """
    from napari_superpixels.nets.catalogue import find_model
    from napari_superpixels.nets.checkpoint import load_model
    from napari_superpixels.nets.onnx_export import export_onnx

    if output.exists() and not overwrite:
        raise typer.BadParameter(f"{output} exists; name another file or add --overwrite.", param_hint="--output")
    with ending_on_errors(_MODEL):
        export_onnx(output, load_model(find_model(name, folder)))
    typer.echo(f"Wrote {output}")


def _rows(header: "ModelHeader") -> dict[str, str]:
    settings = (f"{name} {value}" for name, value in header.config.items() if name not in ("version", "architecture"))
    rows = {
        "architecture": f"{header.architecture} ({', '.join(settings)})".replace("_", " "),
        "trained on": header.card.training_data or "not stated",
    }
    for name, value in header.card.metrics.items():
        rows[name.replace("val_", "validation ").replace("train_", "training ").replace("_", " ")] = f"{value:.4g}"
    return rows
