"""The data set that a command works on, as options; the same for every command that takes one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from napari_superpixels.data.sources import DataSource

#: Title of these options in help.
DATA_SET_PANEL = "Data set: one of --bsds, --coco, or --images with --labels"

BsdsOption = Annotated[
    Path | None,
    typer.Option(
        "--bsds",
        metavar="DIR",
        help="Folder in the layout of BSDS500: images and groundTruth.",
        rich_help_panel=DATA_SET_PANEL,
    ),
]
SplitOption = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME",
        help="Split of --bsds: train, val or test.",
        show_default="train",
        rich_help_panel=DATA_SET_PANEL,
    ),
]
CocoOption = Annotated[
    Path | None,
    typer.Option(
        "--coco",
        metavar="FILE.json",
        help="Annotations in the COCO format, instances or panoptic; with --images.",
        rich_help_panel=DATA_SET_PANEL,
    ),
]
MasksOption = Annotated[
    Path | None,
    typer.Option(
        "--masks",
        metavar="DIR",
        help="PNG files of panoptic annotations.",
        show_default="the folder named as FILE.json",
        rich_help_panel=DATA_SET_PANEL,
    ),
]
ImagesOption = Annotated[
    Path | None, typer.Option("--images", metavar="DIR", help="Folder of images.", rich_help_panel=DATA_SET_PANEL)
]
LabelsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--labels",
        metavar="DIR",
        help="Folder of label images (TIFF, PNG) with the images' names; again for each further annotator.",
        rich_help_panel=DATA_SET_PANEL,
    ),
]
LabelEndingOption = Annotated[
    str | None,
    typer.Option(
        "--label-ending",
        metavar="TEXT",
        help="What names of label images have in addition, such as _mask.",
        rich_help_panel=DATA_SET_PANEL,
    ),
]
PartialOption = Annotated[
    bool,
    typer.Option(
        "--partial", help="Leave out images without labels, and labels without image.", rich_help_panel=DATA_SET_PANEL
    ),
]


def open_source(
    *,
    bsds: Path | None = None,
    split: str | None = None,
    coco: Path | None = None,
    masks: Path | None = None,
    images: Path | None = None,
    labels: list[Path] | None = None,
    label_ending: str | None = None,
    partial: bool = False,
) -> "DataSource":
    """Open the data set that a command's options name.

    Raises
    ------
    typer.BadParameter
        If the options do not name exactly one data set.
    ReadError
        If the data set cannot be read.
    """
    named = {"--bsds": bsds, "--coco": coco, "--labels": labels}
    given = [name for name, value in named.items() if value]
    if len(given) != 1:
        found = f"{' and '.join(given)} are given" if given else "none is given"
        raise typer.BadParameter(
            f"name one data set: --bsds, --coco with --images, or --images with --labels; {found}."
        )
    needs = {
        "--split": (split is not None, "--bsds"),
        "--masks": (masks is not None, "--coco"),
        "--label-ending": (label_ending is not None, "--labels"),
        "--partial": (partial, "--labels"),
    }
    for name, (is_given, owner) in needs.items():
        if is_given and owner != given[0]:
            raise typer.BadParameter(f"it belongs to {owner}, which is not given.", param_hint=name)
    if (images is None) != (bsds is not None):
        text = "it belongs to --coco or --labels." if bsds else f"{given[0]} needs the folder of the images."
        raise typer.BadParameter(text, param_hint="--images")

    if bsds is not None:
        from napari_superpixels.data.sources import bsds_source

        return bsds_source(bsds, split or "train")
    assert images is not None
    if coco is not None:
        from napari_superpixels.data.coco import coco_source

        return coco_source(coco, images, masks=masks)
    from napari_superpixels.data.folders import folder_source

    return folder_source(images, labels or [], label_ending=label_ending or "", partial=partial)
