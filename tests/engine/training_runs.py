"""What the tests of training runs have in common."""

from napari_superpixels.engine.run_folder import RunConfig
from napari_superpixels.engine.target_growth import TargetConfig
from napari_superpixels.engine.validation import ValidationConfig
from napari_superpixels.nets.can import CANConfig
from napari_superpixels.nets.catalogue import ModelCard
from napari_superpixels.nets.train import TrainConfig

TINY = RunConfig(
    network=CANConfig(width=5, dilations=(1, 2)),
    train=TrainConfig(steps=6, epoch_steps=2, batch_size=2, crop_size=24, warmup_steps=2),
    targets=TargetConfig(n_segments=12),
    validation=ValidationConfig(n_segments=12, n_images=2),
    card=ModelCard(title="Tiny", text="A test."),
)


def changed(**train: object) -> RunConfig:
    """Return the configuration with other settings of the training."""
    return TINY.model_copy(update={"train": TINY.train.model_copy(update=train)})
