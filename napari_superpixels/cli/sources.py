"""The data set that a command works on, as options; the same for every command that takes one."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from napari_superpixels.cli.options import declare

if TYPE_CHECKING:
    from pydantic import JsonValue

    from napari_superpixels.data.sources import DataSource

_PANEL = "Data set: one of --bsds, --coco, or --images with --labels"
_DATA = "data"


def _option(help_text: str, metavar: str, **others: Any) -> Any:
    return typer.Option(metavar=metavar, help=help_text, rich_help_panel=_PANEL, **others)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetOptions:
    """The options that name a data set; each field is one, see :func:`with_data_set`."""

    bsds: Annotated[Path | None, _option("Folder in the layout of BSDS500: images and groundTruth.", "DIR")] = None
    split: str | None = None  # declared by the command, which knows the default
    coco: Annotated[
        Path | None,
        _option("Annotations in the COCO format, instances or panoptic; with --images.", "FILE.json"),
    ] = None
    images: Annotated[Path | None, _option("Folder of images.", "DIR")] = None
    labels: Annotated[
        list[Path] | None,
        _option("Folder of label images (TIFF, PNG) with the images' names; again for each further annotator.", "DIR"),
    ] = None
    masks: Annotated[
        Path | None,
        _option("PNG files of panoptic annotations.", "DIR", show_default="the folder named as FILE.json"),
    ] = None
    label_ending: Annotated[
        str | None, _option("What names of label images have in addition, such as _mask.", "TEXT")
    ] = None
    partial: Annotated[
        bool,
        typer.Option(
            "--partial", help="Leave out images without labels, and labels without image.", rich_help_panel=_PANEL
        ),
    ] = False

    @classmethod
    def from_stored(cls, values: "Mapping[str, JsonValue]") -> Self:
        """Return the options that :meth:`stored` was asked of; other values are ignored."""
        found: dict[str, Any] = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        for name in {"bsds", "coco", "images", "masks"} & found.keys():
            found[name] = Path(found[name])
        if "labels" in found:
            found["labels"] = [Path(path) for path in found["labels"]]
        return cls(**found)

    def stored(self) -> "dict[str, JsonValue]":
        """Return the options that were given, as JSON can hold them; paths are good in any working directory."""
        return {name: _absolute(value) for name, value in asdict(self).items() if value not in (None, [])}

    def open(self) -> "DataSource":
        """Open the data set.

        Raises
        ------
        typer.BadParameter
            If the options do not name exactly one data set.
        ReadError
            If the data set cannot be read.
        """
        owner = self._check()
        if owner == "--bsds":
            from napari_superpixels.data.sources import bsds_source

            assert self.bsds is not None
            return bsds_source(self.bsds, self.split or "train")
        assert self.images is not None
        if owner == "--coco":
            from napari_superpixels.data.coco import coco_source

            assert self.coco is not None
            return coco_source(self.coco, self.images, masks=self.masks)
        from napari_superpixels.data.folders import folder_source

        ending = self.label_ending or ""
        return folder_source(self.images, self.labels or [], label_ending=ending, partial=self.partial)

    def _check(self) -> str:
        """Return the option that says which kind of data set it is, if the others go with it."""
        named = {"--bsds": self.bsds, "--coco": self.coco, "--labels": self.labels}
        given = [name for name, value in named.items() if value]
        if len(given) != 1:
            found = f"{' and '.join(given)} are given" if given else "none is given"
            raise typer.BadParameter(
                f"name one data set: --bsds, --coco with --images, or --images with --labels; {found}."
            )
        needs = {
            "--split": (self.split is not None, "--bsds"),
            "--masks": (self.masks is not None, "--coco"),
            "--label-ending": (self.label_ending is not None, "--labels"),
            "--partial": (self.partial, "--labels"),
        }
        for name, (is_given, owner) in needs.items():
            if is_given and owner != given[0]:
                raise typer.BadParameter(f"it belongs to {owner}, which is not given.", param_hint=name)
        if (self.images is None) != (self.bsds is not None):
            text = "it belongs to --coco or --labels." if self.bsds else f"{given[0]} needs the folder of the images."
            raise typer.BadParameter(text, param_hint="--images")
        return given[0]


def with_data_set(split: str | None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of a data set, in the place of its parameter ``data``, which receives them.

    Parameters
    ----------
    split : str or None
        Split of --bsds where the user names none; None gives the command no option --split.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        fields = dict(inspect.signature(DataSetOptions).parameters)
        option = _option("Split of --bsds: train, val or test.", "NAME", show_default=split)
        fields["split"] = fields["split"].replace(annotation=Annotated[str | None, option])
        if split is None:
            del fields["split"]

        @functools.wraps(command)
        def run(**values: Any) -> None:
            given = {name: values.pop(name) for name in fields}
            if given["bsds"] is not None and split is not None:
                given["split"] = given["split"] or split
            command(**values, data=DataSetOptions(**given))

        own = inspect.signature(command, eval_str=True).parameters.values()
        declare(run, [each for p in own for each in (fields.values() if p.name == _DATA else [p])])
        return run

    return decorate


def _absolute(value: Any) -> Any:
    if isinstance(value, list):
        return [_absolute(each) for each in value]
    return str(value.absolute()) if isinstance(value, Path) else value
