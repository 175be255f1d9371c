"""The folder of a training run: its configuration, split, measures and networks."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from napari_superpixels import __version__
from napari_superpixels.engine.compute import Compute
from napari_superpixels.engine.json_files import read_json, write_json
from napari_superpixels.engine.target_growth import TargetConfig
from napari_superpixels.engine.validation import ValidationConfig
from napari_superpixels.errors import ReadError, TrainingError
from napari_superpixels.files import replacing
from napari_superpixels.nets.can import CANConfig
from napari_superpixels.nets.catalogue import ModelCard
from napari_superpixels.nets.train import TrainConfig
from napari_superpixels.nets.unet import CANUNetConfig, UNetConfig

#: A row of the table of measures: numbers by the name of their column.
Row = dict[str, float]


class RunConfig(BaseModel):
    """Everything that decides a training run beside the images; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    library: str = __version__
    """Version of napari-superpixels that began the run."""
    network: CANConfig | UNetConfig | CANUNetConfig = Field(UNetConfig(), discriminator="architecture")
    """Shape of the network."""
    train: TrainConfig = TrainConfig()
    """Recipe of the training."""
    targets: TargetConfig = TargetConfig()
    """How the targets are grown."""
    validation: ValidationConfig = ValidationConfig()
    """How the network is validated."""
    start: str | None = None
    """Hash of the model that the network started from, in hexadecimal; None for a new network."""
    start_from: str | None = None
    """Its name or file, for a resume before there is a state; None where the caller keeps it."""
    lineage: dict[str, JsonValue] = Field(default_factory=dict)
    """What a fine-tuned model comes from: its parent, its data and the figures of both; for its card."""
    card: ModelCard = ModelCard()
    """Title, text and training data of the model; recipe and measures are filled in."""
    compute: Compute = Compute()
    """Devices and precision, for a resume."""
    data: dict[str, JsonValue] = Field(default_factory=dict)
    """How the caller opened the data set, for a resume."""


class Split(BaseModel):
    """Which images train and which validate; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: tuple[str, ...]
    """Names of the images that the network learns from."""
    validation: tuple[str, ...]
    """Names of the images that it is measured on; none to train without."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Names, reading and writing of the files of a run."""

    root: Path
    """The folder."""

    @property
    def best(self) -> Path:
        """Model with the best validation so far."""
        return self.root / "best.safetensors"

    @property
    def last(self) -> Path:
        """Model of the last epoch."""
        return self.root / "last.safetensors"

    @property
    def state(self) -> Path:
        """What a resume goes on from."""
        return self.root / "state.safetensors"

    @property
    def metrics(self) -> Path:
        """Table of the measures of every epoch."""
        return self.root / "metrics.csv"

    @property
    def targets(self) -> Path:
        """Folder of the targets, unless they are kept elsewhere."""
        return self.root / "targets"

    @property
    def is_begun(self) -> bool:
        """Whether the folder holds a run."""
        return self._config.exists()

    def sample(self, epoch: int) -> Path:
        """Return the file of an epoch's pictures."""
        return self.root / "samples" / f"epoch-{epoch:04d}.png"

    def create(self, config: RunConfig, split: Split) -> None:
        """Begin a run.

        Raises
        ------
        TrainingError
            If the folder holds a run already.
        WriteError
            If it cannot be written.
        """
        if self._config.exists():
            raise TrainingError(f"{self.root} holds a training run already; resume it, or choose another folder.")
        write_json(self.root / "split.json", split)
        write_json(self._config, config)

    def read_config(self) -> RunConfig:
        """Read what the run was begun with.

        Raises
        ------
        ReadError
            If there is no run, or its configuration cannot be understood.
        """
        return read_json(self._config, RunConfig)

    def read_split(self) -> Split:
        """Read which images train and which validate.

        Raises
        ------
        ReadError
            If the file is missing or cannot be understood.
        """
        return read_json(self.root / "split.json", Split)

    def read_rows(self, last_step: int) -> list[Row]:
        """Read the measures of the epochs up to a step; those after it will be measured again.

        Raises
        ------
        ReadError
            If the file cannot be read or understood.
        """
        if not self.metrics.is_file():
            return []
        try:
            with self.metrics.open(newline="", encoding="utf-8") as file:
                rows = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
            return [row for row in rows if row["step"] <= last_step]
        except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
            raise ReadError(f"{self.metrics} cannot be read ({error}); remove it to go on without it.") from error

    def write_rows(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write the measures of all epochs.

        Raises
        ------
        WriteError
            If the file cannot be written.
        """
        columns = list(dict.fromkeys(name for row in rows for name in row))
        with replacing(self.metrics) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows({name: f"{value:.8g}" for name, value in row.items()} for row in rows)

    def write_card(self, card: ModelCard) -> None:
        """Write the model card as Markdown.

        Raises
        ------
        WriteError
            If the file cannot be written.
        """
        lines = [
            f"# {card.title}",
            "",
            card.text,
            "",
            "## Data",
            card.training_data or "Not stated.",
            "",
            "## Measures",
        ]
        lines += ["", "| measure | value |", "|---|---|"]
        lines += [f"| {name} | {value:.4g} |" for name, value in card.metrics.items()]
        lines += ["", "## Recipe", "", "```json", json.dumps(card.recipe, indent=2), "```", ""]
        _write_text(self.root / "card.md", "\n".join(lines))

    @property
    def _config(self) -> Path:
        return self.root / "config.json"


def _write_text(path: Path, text: str) -> None:
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
