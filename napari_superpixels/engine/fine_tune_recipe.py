"""How a model is fine-tuned: the recipe that the presets and the user's parameters stand for."""

from napari_superpixels.engine.run_folder import RunConfig
from napari_superpixels.engine.target_growth import TargetConfig
from napari_superpixels.engine.validation import ValidationConfig
from napari_superpixels.nets.augment import Augmentation
from napari_superpixels.nets.train import TrainConfig
from napari_superpixels.params import PRESET_VALUES, FineTuneParams

#: What all fine-tunings have in common.
_COMMON = TrainConfig(
    warmup_steps=20,
    mse_weight=20.0,
    boundary_weight=0.3,
    # The images are of one kind, as are those that the model is for: little has to vary.
    augmentation=Augmentation(
        smallest_scale=0.8, largest_scale=1.25, brightness=0.05, gamma=0.2, noise=0.02, grey_share=0.0
    ),
)
#: Share of a run's steps that the moving average of the weights remembers.
_MEMORY = 1 / 12
_LONGEST_MEMORY = 100


def recipe(params: FineTuneParams, *, n_segments: int | None = None) -> RunConfig:
    """Return what a fine-tuning is begun with.

    Parameters
    ----------
    params : FineTuneParams
        What the user chose.
    n_segments : int, optional
        Superpixels of a validation image, where it is but a part of an image; those of `params` by default.
    """
    preset = PRESET_VALUES[params.preset]
    own = {name: getattr(params, name) for name in preset if getattr(params, name) is not None}
    train = TrainConfig.model_validate(
        {
            **_COMMON.model_dump(),
            **preset,
            **own,
            "trained": params.trained,
            "seed": params.seed,
            "reminder_share": params.keep,
        }
    )
    memory = min(max(train.steps * _MEMORY, 1.0), _LONGEST_MEMORY)
    return RunConfig(
        train=train.model_copy(update={"ema_decay": 1.0 - 1.0 / memory}),
        # One colour for each segment: where users drew a border, its two sides should differ.
        targets=TargetConfig(n_segments=1),
        validation=ValidationConfig(n_segments=n_segments or params.n_segments),
    )
