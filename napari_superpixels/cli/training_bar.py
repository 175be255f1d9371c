"""Progress of a training: bars on a terminal, now and then a line elsewhere."""

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import TaskID

    from napari_superpixels.engine.epochs import EpochEvent
    from napari_superpixels.nets.train import TrainEvent

_STEPS_PER_LINE = 100
_SHOWN = {"undersegmentation_error": "1-ASA", "boundary_recall": "BR", "compactness_px": "CO"}


class TrainingBar:
    """Shows how many targets are ready, the losses and the time left, and a line for every epoch.

    Parameters
    ----------
    is_shown : bool
        Whether anything is shown; of several processes, one should.
    """

    def __init__(self, *, is_shown: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._console = Console(
            stderr=True, quiet=not is_shown, soft_wrap=True, highlight=False, markup=False, emoji=False
        )
        self._is_plain = not self._console.is_terminal
        self._bar: Progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=self._is_plain,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the bar as it is."""
        self._bar.stop()

    def on_target(self, done: int, total: int) -> None:
        """Show how many images have their targets."""
        self._show("Targets", done / total, f"{done} of {total} images", is_line=done == total)

    def on_step(self, event: "TrainEvent") -> None:
        """Show a step of the training."""
        losses = " ".join(f"{name} {value:.4f}" for name, value in event.losses.items())
        state = f"step {event.step} · loss {event.loss:.4f} · {losses}"
        self._show("Training", event.progress, state, is_line=event.step % _STEPS_PER_LINE == 0)

    def on_epoch(self, event: "EpochEvent") -> None:
        """Show what an epoch came to."""
        values = [f"loss {event.row['loss']:.4f}"]
        values += [f"{title} {event.row[name]:.4f}" for name, title in _SHOWN.items() if name in event.row]
        self._console.print(f"Epoch {event.epoch}: {', '.join(values)}{' (best)' if event.is_best else ''}")

    def _show(self, name: str, share: float, state: str, *, is_line: bool) -> None:
        if self._is_plain:
            if is_line:
                self._console.print(f"{name}: {state}")
            return
        if name not in self._tasks:
            self._tasks[name] = self._bar.add_task(name, total=1.0, state="")
        self._bar.update(self._tasks[name], completed=share, state=state)
