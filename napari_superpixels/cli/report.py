"""What a batch says: a progress bar on a terminal, plain lines elsewhere, or one JSON document."""

import json
import logging
import threading
import warnings
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer
from rich.progress import TextColumn

from napari_superpixels import __version__
from napari_superpixels.cli.progress import CountBar, plain_console

if TYPE_CHECKING:
    from napari_superpixels.engine.batch import ItemResult, Recipe
    from napari_superpixels.engine.worklist import WorkItem


class Reporter(CountBar):
    """Prints results as they come and a summary at the end.

    Parameters
    ----------
    recipe : Recipe
        What is done to each file.
    n_items : int
        Number of files.
    as_json : bool
        Whether standard output holds one JSON document and nothing else; the rest goes to standard error.
    """

    def __init__(self, recipe: "Recipe", n_items: int, *, as_json: bool) -> None:
        super().__init__("Segmenting", n_items, TextColumn("{task.fields[doing]}", markup=False), doing="")
        self._recipe = recipe
        self._n_items = n_items
        self._as_json = as_json
        out = plain_console(stderr=as_json)
        # On one terminal, lines must go through the bar's console to appear above the bar.
        self._out = self.console if out.is_terminal and self.console.is_terminal else out
        self._results: list[ItemResult] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Show the bar; send warnings through the console."""
        self._show_warning, warnings.showwarning = warnings.showwarning, self._warn
        logging.getLogger("tifffile").addHandler(logging.NullHandler())
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        super().__exit__(kind, error, trace)
        warnings.showwarning = self._show_warning

    @property
    def n_failed(self) -> int:
        """Number of files that failed so far."""
        return sum(result.status == "failed" for result in self._results)

    def on_progress(self, item: "WorkItem", share: float, text: str) -> None:
        """Move the bar; called from the thread that works."""
        with self._lock:
            doing = f"{item.source.name}: {text[:1].lower()}{text[1:]}"
            self.bar.update(self.task, completed=len(self._results) + share, doing=doing)

    def on_result(self, result: "ItemResult") -> None:
        """Say what became of a file."""
        with self._lock:
            self._results.append(result)
            self.bar.update(self.task, completed=len(self._results), doing="")
        count = f"[{len(self._results)}/{self._n_items}] " if self._n_items > 1 else ""
        source = result.item.source
        if result.status == "failed":
            self.console.print(f"{count}{source}: failed: {result.error}")
        elif result.status == "skipped":
            self._out.print(f"{count}{source}: skipped, {result.item.target} is up to date")
        else:
            self._out.print(f"{count}{source} -> {result.item.target}: {describe(result)}")
        for note in result.notes:
            self.console.print(f"  note: {note}")

    def finish(self, *, interrupted: bool) -> None:
        """Print the summary."""
        counts = {status: sum(r.status == status for r in self._results) for status in ("done", "skipped", "failed")}
        if self._as_json:
            typer.echo(json.dumps(self._document(counts, interrupted), indent=2))
        if self._n_items > 1 or interrupted:
            words = [f"{n} {status}" for status, n in counts.items() if n]
            rest = self._n_items - len(self._results)
            if rest:
                words.append(f"{rest} not done")
            self._out.print(", ".join(words))
        if interrupted:
            self.console.print("Interrupted. What is done stays; the same command goes on from there.")
        if counts["failed"] and self._n_items > 1:
            self.console.print("Failed:")
            for result in self._results:
                if result.status == "failed":
                    self.console.print(f"  {result.item.source}: {result.error}")

    def _document(self, counts: dict[str, int], interrupted: bool) -> dict[str, Any]:
        recipe = self._recipe
        model = None if recipe.params.model is None else {"name": recipe.params.model, "sha256": recipe.model_sha256}
        return {
            "version": __version__,
            "parameters": recipe.params.model_dump(),
            "model": model,
            "interrupted": interrupted,
            "counts": counts,
            "results": [_entry(result) for result in self._results],
        }

    def _warn(self, message: Warning | str, *_: Any, **__: Any) -> None:
        self.console.print(f"  note: {message}")


def describe(result: "ItemResult") -> str:
    """Return one line about a finished file, for example "400 superpixels · network 61 ms · eikonal 34 ms · cpu"."""
    counts = result.n_segments
    parts = [f"{counts[0]} superpixels" if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)} superpixels"]
    if len(counts) > 1:
        parts[0] += f" in each of {len(counts)} planes"
    for stage in ("network", "eikonal"):
        if result.timings.get(stage):
            parts.append(f"{stage} {1000 * result.timings[stage]:.0f} ms")
    return " · ".join([*parts, result.device] if result.device else parts)


def _entry(result: "ItemResult") -> dict[str, Any]:
    item = result.item
    return {
        "source": str(item.source),
        "target": str(item.target),
        "overlay": None if item.overlay is None else str(item.overlay),
        "status": result.status,
        "error": result.error or None,
        "n_segments": list(result.n_segments),
        "shape": list(result.shape),
        "device": result.device or None,
        "seconds": round(result.seconds, 4),
        "timings": {stage: round(seconds, 4) for stage, seconds in result.timings.items()},
        "notes": list(result.notes),
    }
