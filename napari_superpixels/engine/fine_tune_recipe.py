"""How a model is fine-tuned: what the presets stand for."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from napari_superpixels.engine.run_folder import RunConfig
from napari_superpixels.engine.target_growth import TargetConfig
from napari_superpixels.engine.validation import ValidationConfig
from napari_superpixels.nets.augment import Augmentation
from napari_superpixels.nets.train import TrainConfig
from napari_superpixels.params import FineTuneParams, Preset

#: What a preset decides; each can be set by itself in :class:`FineTuneParams`.
DECIDED = ("steps", "epoch_steps", "patience", "learning_rate", "batch_size", "crop_size")

_COMMON = TrainConfig(
    learning_rate=1e-3,
    warmup_steps=20,
    batch_size=6,
    mse_weight=20.0,
    boundary_weight=0.3,
    ema_decay=0.99,
    augmentation=Augmentation(gamma=0.5, grey_share=0.0, hue=0.1),
)
_CHANGES: Mapping[Preset, dict[str, Any]] = MappingProxyType(
    {
        "quick": {"steps": 600, "epoch_steps": 150, "crop_size": 96, "ema_decay": 0.98},
        "normal": {"steps": 2000, "epoch_steps": 250, "crop_size": 128},
        "thorough": {"steps": 6000, "epoch_steps": 500, "crop_size": 128, "patience": 6},
    }
)

#: Recipe of each preset.
PRESETS: Mapping[Preset, TrainConfig] = MappingProxyType(
    {name: _COMMON.model_copy(update=changes) for name, changes in _CHANGES.items()}
)


def preset_values(preset: Preset) -> dict[str, float | None]:
    """Return what a preset says of each parameter that it decides."""
    return {name: getattr(PRESETS[preset], name) for name in DECIDED}


def recipe(params: FineTuneParams, *, n_segments: int | None = None) -> RunConfig:
    """Return what a fine-tuning is begun with.

    Parameters
    ----------
    params : FineTuneParams
        What the user chose.
    n_segments : int, optional
        Superpixels of a validation image, where it is but a part of an image; those of `params` by default.
    """
    own = {name: value for name in DECIDED if (value := getattr(params, name)) is not None}
    train = PRESETS[params.preset].model_dump() | own
    train |= {"trained": params.trained, "seed": params.seed, "reminder_share": params.keep}
    return RunConfig(
        train=TrainConfig.model_validate(train),
        # One colour for each segment: where users drew a border, its two sides should differ.
        targets=TargetConfig(n_segments=1),
        validation=ValidationConfig(n_segments=n_segments or params.n_segments),
    )
