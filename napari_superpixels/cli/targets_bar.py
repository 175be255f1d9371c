"""What making targets says: a progress bar on a terminal, plain lines elsewhere."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_superpixels.cli.progress import CountBar, plain_console

if TYPE_CHECKING:
    from napari_superpixels.engine.target_runs import TargetResult


class TargetsBar(CountBar):
    """Progress and failures: a bar on a terminal, plain lines elsewhere.

    Parameters
    ----------
    n_images : int
        Number of images.
    notes : sequence of str
        What is to be known about the data set, told at once.
    as_json : bool
        Whether standard output holds one JSON document and nothing else; the rest goes to standard error.
    """

    def __init__(self, n_images: int, notes: Sequence[str], *, as_json: bool) -> None:
        super().__init__("Targets", n_images)
        self._n_images = n_images
        self._counts: Counter[str] = Counter()
        self._out = plain_console(stderr=as_json)
        for note in notes:
            self.console.print(f"note: {note}")

    def on_result(self, result: "TargetResult") -> None:
        """Move the bar, and say what went wrong or is special."""
        self._counts[result.status] += 1
        self.bar.update(self.task, completed=self._counts.total())
        if result.status == "failed":
            self.console.print(f"{result.name}: failed: {result.error}")
        for note in (result.record or {}).get("notes", ()) if result.status == "done" else ():
            self.console.print(f"{result.name}: note: {note}")

    def finish(self, results: "Sequence[TargetResult]", output: Path, *, interrupted: bool) -> None:
        """Print the summary."""
        words = [f"{self._counts[status]} {status}" for status in ("done", "skipped", "failed") if self._counts[status]]
        if rest := self._n_images - self._counts.total():
            words.append(f"{rest} not done")
        made = [n for result in results if result.record is not None for n in result.record["n_superpixels"]]
        if made:
            low, high = min(made), max(made)
            each = f"{low}" if low == high else f"{low} to {high}"
            words.append(f"{each} superpixels for each of {len(made)} annotations")
        self._out.print(f"{output}: {', '.join(words)}")
        if interrupted:
            self.console.print("Interrupted. What is done stays; the same command goes on from there.")
