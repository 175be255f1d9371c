"""``napari-superpixels models``: the installed models and what they are."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from napari_superpixels.nets.catalogue import ModelHeader

models = typer.Typer(no_args_is_help=True, help="List the installed models, or show one.")


@models.command("list")
def list_models() -> None:
    """List the models that can be chosen by name."""
    from napari_superpixels.errors import CheckpointError
    from napari_superpixels.nets.catalogue import available_models, read_header, user_models_folder

    found = available_models()
    width = max(map(len, found), default=0)
    for name, path in found.items():
        try:
            title = read_header(path).card.title
        except CheckpointError as error:
            title = f"cannot be used: {error}"
        typer.echo(f"{name:{width}}  {title}".rstrip())
    typer.echo(f"Your own models go into {user_models_folder()}", err=True)


@models.command()
def show(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="Name of an installed model, or a model file.")],
) -> None:
    """Show what a model is, what it was trained on and how good it is."""
    import hashlib

    from napari_superpixels.errors import CheckpointError, ModelNotFoundError
    from napari_superpixels.nets.catalogue import find_model, read_header

    try:
        path = find_model(name)
        header = read_header(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except ModelNotFoundError as error:
        raise typer.BadParameter(str(error), param_hint="MODEL") from None
    except CheckpointError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{path.stem}: {header.card.title}".rstrip(": "))
    for title, text in _rows(header):
        typer.echo(f"{title + ':':14} {text}")
    typer.echo(f"{'file:':14} {path} ({path.stat().st_size / 1024:.0f} KB)\n{'sha256:':14} {digest}")
    if header.card.text:
        typer.echo(f"\n{header.card.text}")


def _rows(header: "ModelHeader") -> list[tuple[str, str]]:
    rows = [
        ("architecture", f"{header.architecture} {', '.join(f'{k}={v}' for k, v in header.config.items())}"),
        ("trained on", header.card.training_data or "not stated"),
    ]
    rows += [(name, f"{value:.4g}") for name, value in header.card.metrics.items()]
    return rows
