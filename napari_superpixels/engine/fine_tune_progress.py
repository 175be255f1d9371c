"""How far a fine-tuning is, gathered from what its process tells."""

from pathlib import Path
from typing import Any

from napari_superpixels.engine.fine_tune_files import read_baseline

#: What a check measures and the window shows.
MEASURES = ("undersegmentation_error", "boundary_recall")
#: Points of the curve of the loss; beyond, every other one is dropped.
_MOST_POINTS = 2000


class FineTuneProgress:
    """Curves, share done and time left of one run."""

    def __init__(self) -> None:
        self.curve: list[dict[str, float]] = []
        """``step`` and ``loss`` of some steps, in their order."""
        self.epochs: list[dict[str, float]] = []
        """``step`` and the measures of each check."""
        self.baseline: dict[str, float] = {}
        """The measures of the start model."""
        self.n_steps = 0
        """Steps of the whole run; 0 while it is not known."""
        self.share = 0.0
        """Share of the steps that are done."""
        self.seconds_left: float | None = None
        """Time left if all steps are used; None while it is not known."""
        self.notes: tuple[str, ...] = ()
        """What the user should know."""

    @classmethod
    def of_run(cls, folder: Path) -> "FineTuneProgress":
        """Return what the table of a run's measures tells, in a worker thread; for a run that goes on."""
        # It brings torch, which the window does without.
        from napari_superpixels.engine.run_folder import RunFolder

        progress = cls()
        progress.baseline = {name: sum(each) / len(each) for name, each in (read_baseline(folder) or {}).items()}
        for row in RunFolder(folder).read_rows(2**62):
            if "loss" in row:
                progress.curve.append({"step": row["step"], "loss": row["loss"]})
            progress.epochs.append(_epoch(row))
        return progress

    def take(self, event: dict[str, Any]) -> str:
        """Take an event of the process, and return what the user is told of it; "" for nothing new."""
        kind = event["event"]
        if kind == "step":
            self._take_step(event)
        elif kind == "epoch":
            row = event["row"]
            self.epochs = [*(epoch for epoch in self.epochs if epoch["step"] < row["step"]), _epoch(row)]
        elif kind == "baseline":
            self.baseline = dict(event["measures"])
            self.notes = tuple(event["notes"])
            return " ".join(self.notes)
        elif kind == "targets":
            return f"Preparing image {event['done']} of {event['total']}…"
        elif kind == "loading":
            return "Starting…"
        return ""

    def _take_step(self, event: dict[str, Any]) -> None:
        step = event["step"]
        self.n_steps = event["of"]
        self.share = step / self.n_steps
        self.seconds_left = event["seconds_left"]
        while self.curve and self.curve[-1]["step"] >= step:
            self.curve.pop()
        self.curve.append({"step": step, "loss": event["loss"]})
        if len(self.curve) > _MOST_POINTS:
            self.curve = self.curve[::2]


def _epoch(row: dict[str, float]) -> dict[str, float]:
    return {name: row[name] for name in ("step", *MEASURES) if name in row}
