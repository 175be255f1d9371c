"""What a fine-tuning is told, and how it ended: files in the folder of its run. Reading them needs no torch."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from napari_superpixels.engine.json_files import read_json, write_json
from napari_superpixels.errors import TrainingError
from napari_superpixels.params import FineTuneParams

#: By what a model is judged: the lower the better.
SCORE = "undersegmentation_error"
_JOB, _REPORT, _BASELINE = "job.json", "report.json", "baseline.json"
#: What the folder of every training run holds, also of one that is no fine-tuning.
_BEGUN = "config.json"


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long a fine-tuning will take, if it uses all its steps."""

    seconds: float
    """All of it."""
    step_seconds: float
    """One step."""
    check_seconds: float
    """One measurement of all validation images."""


class FineTuneJob(BaseModel):
    """What a fine-tuning is told; immutable, and kept in the run's folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    params: FineTuneParams = FineTuneParams()
    """What the user chose."""
    data: str
    """Folder of the images; relative to the run's folder, or absolute."""
    zero_is_unannotated: bool = False
    """Whether pixels labelled 0 in a user's folder are not annotated."""
    earlier: str | None = None
    """Folder of the run that made the start model, whose images take part too; absolute."""
    left_out: tuple[str, ...] = ()
    """Digests of the pixels of images of that run that take no part this time."""
    save_as: str | None = None
    """Name under which the command line installs the best model at the end."""


class ImageFigures(BaseModel):
    """How good the superpixels of one validation image are before and after; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Name of the image."""
    before: dict[str, float]
    """Its measures with the start model, by name."""
    after: dict[str, float]
    """Its measures with the best model of the run; empty where there is none."""


class FineTuneReport(BaseModel):
    """How a fine-tuning ended; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: str
    """Name of the start model."""
    steps: int
    """Steps done."""
    reason: Literal["complete", "patience", "stopped"]
    """Whether all steps were done, the validation stopped getting better, or the user stopped it."""
    seconds: float
    """Time since it was started or resumed."""
    train: tuple[str, ...]
    """Names of the images that taught."""
    before: dict[str, float]
    """Means of the measures of the validation images with the start model, by name."""
    after: dict[str, float]
    """Means with the best model of the run; empty where it was stopped before its first check."""
    images: tuple[ImageFigures, ...]
    """Figures of each validation image, the worst after first."""
    notes: tuple[str, ...] = ()
    """What the user should know."""
    best: str | None = None
    """File of the best model, in the folder of the run; None where there is none."""

    @property
    def is_better(self) -> bool:
        """Whether the best model of the run is better than the one it started from."""
        return bool(self.after) and self.after[SCORE] < self.before[SCORE]

    @property
    def change(self) -> float:
        """Relative change of the error: -0.1 if it fell by a tenth; 0 where nothing was measured after."""
        if not self.after:
            return 0.0
        return self.after[SCORE] / self.before[SCORE] - 1.0 if self.before[SCORE] > 0 else float(self.after[SCORE] > 0)


class _Figures(BaseModel):
    values: dict[str, list[float]]


def write_job(folder: str | Path, job: FineTuneJob) -> None:
    """Write what a fine-tuning is told into the folder of its run.

    Raises
    ------
    TrainingError
        If the folder holds a run already.
    WriteError
        If it cannot be written.
    """
    folder = Path(folder)
    if (folder / _JOB).exists() or (folder / _BEGUN).exists():
        raise TrainingError(f"{folder} holds a training run already; resume it, or choose another folder.")
    write_json(folder / _JOB, job)


def read_job(folder: str | Path) -> FineTuneJob:
    """Read what a fine-tuning was told.

    Raises
    ------
    ReadError
        If the folder holds no fine-tuning, or its file cannot be understood.
    """
    return read_json(Path(folder) / _JOB, FineTuneJob)


def withdraw_job(folder: str | Path) -> None:
    """Free a folder whose fine-tuning could not begin, so that another try can be made there.

    A run that was begun stays: it can be resumed.
    """
    folder = Path(folder)
    if not (folder / _BEGUN).exists():
        with contextlib.suppress(OSError):
            for name in (_JOB, _BASELINE):
                (folder / name).unlink(missing_ok=True)


def read_baseline(folder: str | Path) -> dict[str, list[float]] | None:
    """Read the figures of the start model, by measure and image; None where they were not measured yet.

    Raises
    ------
    ReadError
        If the file cannot be understood.
    """
    path = Path(folder) / _BASELINE
    return read_json(path, _Figures).values if path.exists() else None


def write_baseline(folder: str | Path, values: dict[str, list[float]]) -> None:
    """Write the figures of the start model.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    write_json(Path(folder) / _BASELINE, _Figures(values=values))


def read_report(folder: str | Path) -> FineTuneReport | None:
    """Read how a fine-tuning ended; None where it has not, or was stopped so that it can go on.

    Raises
    ------
    ReadError
        If the file cannot be understood.
    """
    path = Path(folder) / _REPORT
    return read_json(path, FineTuneReport) if path.exists() else None


def write_report(folder: str | Path, report: FineTuneReport) -> None:
    """Write how a fine-tuning ended, after which it does not go on.

    Raises
    ------
    WriteError
        If the report cannot be written.
    """
    write_json(Path(folder) / _REPORT, report)
