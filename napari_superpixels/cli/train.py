"""``napari-superpixels train``."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_superpixels.cli.exit_codes import INTERRUPTED

if TYPE_CHECKING:
    from rich.progress import TaskID

    from napari_superpixels.nets.train import TrainConfig, TrainEvent

_SUFFIX = ".safetensors"
_STEPS_PER_LINE = 100
_UNLIMITED_STEPS = 1_000_000


def train(
    bsds: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of BSDS500, with the folders images and groundTruth in it.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.safetensors", help="Model to write.")],
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of training.", show_default="8000, or as many as --minutes allow")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Longest time to train, after the targets are made.")] = None,
    cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the targets here for the next run; they take minutes.")
    ] = None,
    title: Annotated[str, typer.Option(help="One line about the model, for lists.")] = "Trained on BSDS500",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Seed of all chance.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing model.")] = False,
) -> None:
    """Train a network on the photographs of BSDS500.

    The model is written every few hundred steps, so that Ctrl+C leaves a usable one.
    """
    if output.suffix != _SUFFIX:
        raise typer.BadParameter(f"{output} does not end with {_SUFFIX}.", param_hint="--output")
    if output.exists() and not overwrite:
        raise typer.BadParameter(f"{output} exists; name another file or add --overwrite.", param_hint="--output")
    if minutes is not None and not minutes > 0:
        raise typer.BadParameter(f"it is {minutes}; it should be above 0.", param_hint="--minutes")

    from napari_superpixels.engine.training import train_bsds
    from napari_superpixels.errors import SuperpixelsError
    from napari_superpixels.nets.catalogue import ModelCard
    from napari_superpixels.nets.devices import choose_device
    from napari_superpixels.nets.train import TrainConfig

    limits = {"time_limit": None if minutes is None else 60 * minutes, "seed": seed}
    if steps is not None or minutes is not None:
        limits["steps"] = steps or _UNLIMITED_STEPS
    config = TrainConfig.model_validate(limits)
    try:
        with _TrainingBar(config) as bar:
            events = train_bsds(
                bsds,
                output,
                config,
                card=ModelCard(title=title),
                cache=cache,
                device=choose_device(device),
                on_target=bar.on_target,
            )
            for event in events:
                bar.on_step(event)
    except KeyboardInterrupt:
        state = f"The model of the last checkpoint is in {output}." if output.exists() else "No model was written yet."
        typer.echo(f"Interrupted. {state}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except (SuperpixelsError, ValueError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"Wrote {output}")


class _TrainingBar:
    """Progress of the targets and of the training: bars on a terminal, now and then a line elsewhere."""

    def __init__(self, config: "TrainConfig") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._config = config
        console = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)
        self._is_plain = not console.is_terminal
        self._bar: Progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            console=console,
            disable=self._is_plain,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "_TrainingBar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def on_target(self, done: int, total: int) -> None:
        """Show how many images have their targets."""
        self._show("Targets", done / total, f"{done} of {total} images", is_line=done == total)

    def on_step(self, event: "TrainEvent") -> None:
        """Show a step of the training."""
        share = max(event.step / self._config.steps, event.seconds / (self._config.time_limit or math.inf))
        state = f"step {event.step} · loss {event.loss:.4f}"
        self._show("Training", min(share, 1.0), state, is_line=event.last or event.step % _STEPS_PER_LINE == 0)

    def _show(self, name: str, share: float, state: str, *, is_line: bool) -> None:
        if self._is_plain:
            if is_line:
                typer.echo(f"{name}: {state}", err=True)
            return
        if name not in self._tasks:
            self._tasks[name] = self._bar.add_task(name, total=1.0, state="")
        self._bar.update(self._tasks[name], completed=share, state=state)
