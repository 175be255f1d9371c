"""``napari-superpixels export``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_superpixels.cli.exit_codes import ending_on_errors, failed


class ExportFormat(StrEnum):
    """File formats of an annotation."""

    tiff = "tiff"
    png = "png"
    coco = "coco"
    coco_rle = "coco-rle"
    geojson = "geojson"
    geojson_physical = "geojson-physical"
    npy = "npy"


class Content(StrEnum):
    """What is written."""

    classes = "classes"
    superpixels = "superpixels"


class ObjectKind(StrEnum):
    """What is an object in COCO and GeoJSON."""

    region = "region"
    superpixel = "superpixel"


def export(
    annotation: Annotated[
        Path,
        typer.Argument(
            metavar="IN", help="Project (.nsp), or an annotation as .tif, .png, .npy, COCO .json or .geojson."
        ),
    ],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="File to write.")],
    export_format: Annotated[
        ExportFormat | None,
        typer.Option(
            "--format",
            help="'coco' has polygons, 'coco-rle' run lengths; 'geojson' has pixels, for QuPath, "
            "'geojson-physical' physical units.",
            show_default="as OUT ends",
        ),
    ] = None,
    objects: Annotated[
        ObjectKind, typer.Option(help="Objects in COCO and GeoJSON: connected regions of a class, or superpixels.")
    ] = ObjectKind.region,
    content: Annotated[
        Content, typer.Option(help="The classes, or the superpixels themselves as labels (.tif, .png).")
    ] = Content.classes,
    classes: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="Class table, CSV or JSON, instead of the one that comes with IN."),
    ] = None,
    superpixels: Annotated[
        Path | None,
        typer.Option(metavar="LABELS", help="Label image of the superpixels, where IN is no project."),
    ] = None,
    image: Annotated[
        str | None, typer.Option(metavar="NAME", help="Image to take, where a COCO file has several.")
    ] = None,
    size_of: Annotated[
        Path | None,
        typer.Option(metavar="IMAGE", help="Image that tells the shape, needed for GeoJSON of other programs."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT, and the class table beside it.")] = False,
) -> None:
    """Write an annotation for other programs, or turn one format into another.

    Formats: label image (TIFF), PNG with a palette, COCO, GeoJSON as QuPath opens it, NumPy array. PNG, TIFF and NumPy
    get the class table beside them, as <name>.classes.csv.

    Exit status: 0 if all is well, 1 if something cannot be read or written, 2 for a wrong command.
    """
    if output.is_dir():
        raise typer.BadParameter(f"{output} is a folder; name a file.", param_hint="OUT")
    if output.exists() and not overwrite:
        raise typer.BadParameter(f"{output} is there already; add --overwrite to replace it.", param_hint="OUT")
    if content is Content.superpixels and export_format not in (None, ExportFormat.tiff, ExportFormat.png):
        raise typer.BadParameter("superpixels are written as TIFF or PNG.", param_hint="--format")

    # Imported here: arrays and their formats take a second.
    from napari_superpixels.engine.exports import (
        AnnotationFormat,
        read_class_map,
        replaced_table,
        write_annotation,
        write_superpixels,
    )

    kind = None if export_format is None else AnnotationFormat(export_format.value)
    with ending_on_errors():
        found = read_class_map(annotation, table=classes, superpixels=superpixels, image=image, size_of=size_of)
        is_table = content is Content.classes and not overwrite
        beside = replaced_table(output, found, kind) if is_table else None
        if beside is not None:
            raise typer.BadParameter(
                f"the class table {beside} beside it is there already, and is another one; add --overwrite to replace "
                "it, or choose another name.",
                param_hint="OUT",
            )
        try:
            if content is Content.superpixels:
                write_superpixels(output, found)
            else:
                write_annotation(
                    output, found, kind, instances="superpixel" if objects is ObjectKind.superpixel else "class"
                )
        except ValueError as error:
            raise failed(error) from None
    for note in found.notes:
        typer.echo(f"Note: {note}", err=True)
    typer.echo(f"{annotation} -> {output}")
