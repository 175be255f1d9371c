"""``napari-superpixels train``."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_superpixels.cli.exit_codes import failed
from napari_superpixels.cli.fine_tune import COMPUTER, fine_tune_from, help_of, is_fine_tune, lasting_model
from napari_superpixels.cli.interrupts import interrupted, stopping_on_interrupt
from napari_superpixels.cli.options import check_number_or_size, given_options, read_object
from napari_superpixels.cli.sources import DataSetOptions, with_data_set
from napari_superpixels.cli.training_bar import TrainingBar
from napari_superpixels.errors import CancelledError, SuperpixelsError

if TYPE_CHECKING:
    from napari_superpixels.data.sources import DataSource
    from napari_superpixels.engine.run_folder import RunConfig

_NETWORKS = ("can", "unet", "can-unet", "can24-d7", "can24", "can32")
_FINE_TUNE = "Fine-tuning, with --data"
_RECIPE = "Recipe; with --data, --preset gives the defaults"
_NETWORK, _MACHINE, _CHECK = "Network", "Computer", "Validation"
_UNLIMITED_STEPS = 1_000_000
_SPLIT_OPTIONS = ("validation_names", "validation_share")
_RECIPE_OPTIONS = (
    "steps",
    "epoch_steps",
    "batch_size",
    "crop_size",
    "learning_rate",
    "schedule",
    "tv_weight",
    "boundary_weight",
    "patience",
    "seed",
)


def _option(help_text: str, panel: str, **others: Any) -> Any:
    return typer.Option(help=help_text, rich_help_panel=panel, **others)


@with_data_set(split=None)
def train(
    *,
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the run.")],
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with the run in DIR where it was stopped, with its own settings. Only options of the computer "
            "can be given anew; to a fine-tuning --workers, and --save-as if it is to be installed.",
        ),
    ] = False,
    data: DataSetOptions,
    network: Annotated[
        str | None, _option(f"Shape of a new network: {', '.join(_NETWORKS)}.", _NETWORK, show_default="unet")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            "--start",
            help="Model to train further, by name or file, instead of a new network.",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Fine-tune on the images of this folder, as the Fine-tune widget does: 'images' and 'labels' with "
            "files of the same names, pairs such as a.png and a_mask.png, or the folder 'data' of a run of the widget.",
            rich_help_panel=_FINE_TUNE,
        ),
    ] = None,
    preset: Annotated[
        str | None, _option(f"quick, normal or thorough. {help_of('preset')}", _FINE_TUNE, show_default="quick")
    ] = None,
    trained: Annotated[
        str | None, _option(f"all or last. {help_of('trained')}", _FINE_TUNE, show_default="all")
    ] = None,
    keep: Annotated[float | None, _option(help_of("keep"), _FINE_TUNE, show_default="0")] = None,
    zero_is_unannotated: Annotated[
        bool,
        typer.Option(
            "--zero-is-unannotated",
            help="0 in labels is no background: nothing is annotated there.",
            rich_help_panel=_FINE_TUNE,
        ),
    ] = False,
    save_as: Annotated[
        str | None, _option("Install the best model under this name.", _FINE_TUNE, metavar="NAME")
    ] = None,
    title: Annotated[str, _option("One line about the model, for lists.", _NETWORK)] = "",
    data_terms: Annotated[
        str, _option("The images that it learns from and the terms of their use, for its card.", _NETWORK)
    ] = "",
    recipe: Annotated[
        str | None,
        _option(
            "Settings of the training: JSON, as in config.json of a run under 'train'; or a model, by name or file, "
            "whose settings are taken, those of targets and validation included. Its images, the shape of its network, "
            "the model that it started from and its precision are not: name them by options.",
            _RECIPE,
            metavar="FILE",
        ),
    ] = None,
    steps: Annotated[
        int | None, _option("Steps.", _RECIPE, min=1, show_default="8000, or as many as --minutes allow")
    ] = None,
    minutes: Annotated[float | None, _option("Longest time to train, after the targets are made.", _RECIPE)] = None,
    epoch_steps: Annotated[
        int | None, _option("Steps between two validations.", _RECIPE, min=1, show_default="300")
    ] = None,
    batch_size: Annotated[int | None, _option("Crops per step.", _RECIPE, min=1, show_default="6")] = None,
    crop_size: Annotated[int | None, _option("Side of a crop in pixels.", _RECIPE, min=8, show_default="240")] = None,
    learning_rate: Annotated[float | None, _option("Highest learning rate.", _RECIPE, show_default="0.002")] = None,
    schedule: Annotated[str | None, _option("How it falls: cosine or step.", _RECIPE, show_default="cosine")] = None,
    tv_weight: Annotated[
        float | None, _option("Weight of the total variation.", _RECIPE, min=0, show_default="0")
    ] = None,
    boundary_weight: Annotated[
        float | None, _option("Weight of the boundary's cross-entropy.", _RECIPE, min=0, show_default="0.1")
    ] = None,
    patience: Annotated[
        int | None, _option("Epochs without a better validation after which to stop.", _RECIPE, min=1)
    ] = None,
    seed: Annotated[int | None, _option("Seed of all chance.", _RECIPE, min=0, show_default="0")] = None,
    n_segments: Annotated[
        int | None,
        _option("Superpixels of a target, and of an image of the validation.", _CHECK, min=1, show_default="400"),
    ] = None,
    superpixel_size: Annotated[
        float | None, _option("Their average area in pixels instead.", _CHECK, min=1, metavar="AREA")
    ] = None,
    superpixels_per_object: Annotated[
        float | None,
        _option(
            "Superpixels on the area of an average object of the validation; decides their number, image by image.",
            _CHECK,
        ),
    ] = None,
    validation_names: Annotated[
        str | None,
        _option(
            # The help is markup: what stands in brackets is a style, unless they are escaped.
            r"Validate on the images whose names match, such as 'test_*' or '\[c-f]*', instead of a share.",
            _CHECK,
            metavar="PATTERN",
        ),
    ] = None,
    validation_share: Annotated[
        float, _option("Share of the images to validate on; --bsds has a split of its own.", _CHECK, min=0, max=0.9)
    ] = 0.1,
    validation_images: Annotated[
        int | None, _option("Most images to validate on.", _CHECK, min=1, show_default="50")
    ] = None,
    device: Annotated[str, _option("auto, cpu, cuda or mps.", _MACHINE)] = "auto",
    devices: Annotated[int, _option("Devices of each computer, or processes on the CPU.", _MACHINE, min=1)] = 1,
    num_nodes: Annotated[int, _option("Computers.", _MACHINE, min=1)] = 1,
    precision: Annotated[
        str,
        _option(
            "float32, or bfloat16: faster, less exact; on the CPU for unet alone. auto: bfloat16 on cuda that has it.",
            _MACHINE,
        ),
    ] = "auto",
    workers: Annotated[int, _option("Processes of each device that cut crops.", _MACHINE, min=0)] = 0,
    cache: Annotated[Path | None, _option("Keep the targets here for other runs too.", _MACHINE, metavar="DIR")] = None,
) -> None:
    """Train a network to flatten images so that superpixels follow their objects.

    DIR receives the configuration, the split of the images, a table and curves of losses and validation, pictures of
    every epoch, and the models best.safetensors and last.safetensors; give one of them to --model of other commands, or
    install it with 'models import'.

    After Ctrl+C, or when the computer went down, go on with: train -o DIR --resume

    On a few images of your own: train --from natural --data DIR --preset quick -o RUN --save-as NAME

    Several computers: run the same command on each under torchrun or SLURM, with --num-nodes.
    """
    if is_fine_tune(context):
        fine_tune_from(context.params)
        return
    from napari_superpixels.engine.run_folder import RunFolder
    from napari_superpixels.engine.training import is_first_process, train_network
    from napari_superpixels.nets.checkpoint import load_model

    try:
        config = RunFolder(output).read_config() if resume else _new_config(context.params, data)
        source, validation = _open(config.data)
        compute = replace(config.compute, **_computer(context))
        with (
            stopping_on_interrupt(is_told=is_first_process()) as should_stop,
            TrainingBar(is_shown=is_first_process()) as bar,
        ):
            result = train_network(
                output,
                source,
                config,
                validation=validation,
                start=None if start is None or resume else load_model(start),
                resume=resume,
                compute=compute,
                on_target=bar.on_target,
                on_step=bar.on_step,
                on_epoch=bar.on_epoch,
                should_stop=should_stop,
            )
    except (KeyboardInterrupt, CancelledError):
        raise interrupted(output, is_told=is_first_process()) from None
    except (SuperpixelsError, ValueError) as error:
        raise failed(error) from None
    if result.reason == "stopped":
        raise interrupted(output, result.step, is_told=is_first_process())
    if is_first_process():
        why = "" if result.reason == "complete" else " The validation stopped getting better."
        typer.echo(f"Done after {result.step} steps.{why} The best model is {result.best}")


def _new_config(options: dict[str, Any], data: DataSetOptions) -> "RunConfig":
    """Return what a run is begun with, from the command's options by name."""
    minutes = options["minutes"]
    limits: dict[str, Any] = {}
    if minutes is not None:
        limits = {"time_limit": 60 * minutes, "steps": options["steps"] or _UNLIMITED_STEPS}
    recipe = _read_recipe(options["recipe"])
    check_number_or_size(options["n_segments"], options["superpixel_size"])
    segments = _given(options, ("n_segments", "superpixel_size"))
    if "n_segments" in segments:
        segments["superpixel_size"] = None  # that of a recipe would go first
    checks = _given(options, ("superpixels_per_object",))
    if options["validation_images"] is not None:
        checks["n_images"] = options["validation_images"]
    validation = {**recipe.get("validation", {}), **segments, **checks}
    if options["n_segments"] == 1 and validation.get("superpixels_per_object") is None:
        raise typer.BadParameter(
            "it is 1, which would also validate every image with a single superpixel, whose borders tell nothing. Give "
            "--superpixels-per-object for the validation, or more superpixels.",
            param_hint="--n-segments",
        )
    return _run_config(
        options["network"],
        {
            "train": {**recipe.get("train", {}), **_given(options, _RECIPE_OPTIONS), **limits},
            "targets": {**recipe.get("targets", {}), **segments},
            "validation": validation,
            "card": {"title": options["title"], "training_data": options["data_terms"]},
            "start_from": None if options["start"] is None else lasting_model(options["start"]),
            "data": {**data.stored(), **_given(options, _SPLIT_OPTIONS)},
        },
    )


def _computer(context: typer.Context) -> dict[str, Any]:
    """Return what a run is to use of the computer, as far as it was said."""
    given = {name: context.params[name] for name in given_options(context) if name in COMPUTER}
    if "cache" in given:
        given["cache"] = str(given["cache"].absolute())  # good in any working directory
    return given


def _given(options: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return those of some options that were given."""
    return {name: options[name] for name in names if options[name] is not None}


def _read_recipe(name: str | None) -> dict[str, Any]:
    """Return settings of the training, and of targets and validation where a model tells them."""
    from napari_superpixels.nets.catalogue import MODEL_SUFFIX, available_models, find_model, read_header

    if name is None:
        return {}
    if name not in available_models() and not name.endswith(MODEL_SUFFIX):
        return {"train": read_object(Path(name), "--recipe", '{"batch_size": 6}')}
    try:
        recipe = read_header(find_model(name)).card.recipe
    except SuperpixelsError as error:
        raise typer.BadParameter(str(error), param_hint="--recipe") from None
    if "train" not in recipe:
        raise typer.BadParameter(f"the model {name} does not tell how it was trained.", param_hint="--recipe")
    return {part: recipe[part] for part in ("train", "targets", "validation") if part in recipe}


def _run_config(network: str | None, values: dict[str, Any]) -> "RunConfig":
    from pydantic import ValidationError

    from napari_superpixels.engine.run_folder import RunConfig
    from napari_superpixels.nets.registry import PRESETS

    if network is not None and network not in PRESETS:
        raise typer.BadParameter(f"{network!r} is none of {', '.join(PRESETS)}.", param_hint="--network")
    try:
        return RunConfig.model_validate({**values, "network": PRESETS[network or "unet"].model_dump()})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        raise typer.BadParameter(wrong) from None


def _open(data: dict[str, Any]) -> "tuple[DataSource, DataSource | float]":
    """Open the images to learn from, and those to validate on or their share."""
    options = DataSetOptions.from_stored(data)
    source = options.open()
    if "validation_names" in data:
        return _split_by_name(source, data["validation_names"])
    if options.bsds is not None and (options.bsds / "images" / "val").is_dir():
        return source, replace(options, split="val").open()
    return source, float(data["validation_share"])


def _split_by_name(source: "DataSource", pattern: str) -> "tuple[DataSource, DataSource]":
    """Return the images to learn from, and those to validate on because their names match a pattern."""
    from fnmatch import fnmatchcase

    parts: tuple[list[str], list[str]] = ([], [])
    for item in source:
        parts[fnmatchcase(item.name, pattern)].append(item.name)
    if not all(parts):
        raise typer.BadParameter(
            f"{pattern!r} matches {'no' if parts[0] else 'every'} name of the {len(source)} images; such as "
            f"{source.items[0].name!r}. It has to leave some to learn from.",
            param_hint="--validation-names",
        )
    return source.subset(parts[0]), source.subset(parts[1])
