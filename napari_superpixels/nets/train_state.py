"""Everything that a training run needs to go on exactly: a safetensors file with a JSON header, never a pickle."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from napari_superpixels.errors import CheckpointError
from napari_superpixels.files import replacing

#: Entry of the safetensors metadata that holds the header.
STATE_KEY = "napari_superpixels_training"
#: Version of the state that this program writes and reads.
STATE_VERSION = 1


class Progress(BaseModel):
    """Where a run stands; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int = 0
    """Steps done."""
    seconds: float = 0.0
    """Seconds of training so far."""
    best_score: float | None = None
    """Lowest validation score so far."""
    stale_epochs: int = 0
    """Epochs since then."""
    kept_step: int | None = None
    """Step of the last validation; None where it is that of the state."""
    losses: dict[str, float] = {}
    """Sum of each loss over the steps since then, by its name in the table of measures."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainState:
    """State of a run between two steps."""

    progress: Progress
    """Where it stands."""
    weights: dict[str, Tensor]
    """The network's weights and statistics."""
    average: dict[str, Tensor]
    """Their moving average, which is what is kept."""
    moments: dict[str, dict[str, Tensor]]
    """The optimiser's state of each parameter, by name."""


def save_state(path: str | Path, state: TrainState) -> None:
    """Write a state, replacing the file as a whole or not at all.

    Raises
    ------
    WriteError
        If the file cannot be written; the previous one is left.
    """
    parts = {"weights": state.weights, "average": state.average}
    parts |= {f"moments/{name}": values for name, values in state.moments.items()}
    tensors = {
        f"{part}/{name}": value.detach().cpu().contiguous().clone()
        for part, values in parts.items()
        for name, value in values.items()
    }
    header = {"version": STATE_VERSION, "progress": state.progress.model_dump()}
    data = safetensors.torch.save(tensors, {STATE_KEY: json.dumps(header)})
    with replacing(path) as part:
        part.write_bytes(data)


def load_state(path: str | Path) -> TrainState:
    """Read a state.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, of another kind or of a newer version.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="numpy") as file:
            header: Any = json.loads((file.metadata() or {})[STATE_KEY])
        tensors = safetensors.torch.load(path.read_bytes())
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} does not exist; expected the state of a training run.") from error
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged, or no state of a training run ({error}).") from error
    if header.get("version") != STATE_VERSION:
        raise CheckpointError(
            f"{path} has version {header.get('version')!r}; this version of napari-superpixels reads {STATE_VERSION}. "
            "Go on with the version that began the run."
        )
    try:
        progress = Progress.model_validate(header["progress"])
    except (KeyError, ValidationError) as error:
        raise CheckpointError(f"{path} has a header that cannot be understood: {error}") from error
    parts: dict[str, dict[str, Tensor]] = {"weights": {}, "average": {}}
    moments: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        part, rest = name.split("/", 1)
        if part == "moments":
            parameter, moment = rest.rsplit("/", 1)
            moments.setdefault(parameter, {})[moment] = value
        else:
            parts[part][rest] = value
    return TrainState(progress, parts["weights"], parts["average"], moments)
