"""Training of a network on a data set."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from napari_superpixels.engine.targets import TargetConfig, load_bsds_samples
from napari_superpixels.nets.can import CAN, CANConfig
from napari_superpixels.nets.catalogue import ModelCard
from napari_superpixels.nets.checkpoint import Model, save_model
from napari_superpixels.nets.train import TrainConfig, TrainEvent, train

#: Data set and terms, for the card of a model trained on it.
BSDS_TERMS = (
    "BSDS500 (Berkeley Segmentation Data Set), training split: 200 images with all annotators "
    "(Arbelaez, Maire, Fowlkes, Malik, TPAMI 2011); for non-commercial research and education."
)


def train_bsds(
    bsds: str | Path,
    out: str | Path,
    config: TrainConfig | None = None,
    *,
    network: CANConfig | None = None,
    start: Model | None = None,
    targets: TargetConfig | None = None,
    card: ModelCard | None = None,
    cache: str | Path | None = None,
    device: str = "cpu",
    on_target: Callable[[int, int], None] | None = None,
) -> Iterator[TrainEvent]:
    """Train a network on the training split of BSDS500, yielding after every step.

    The model file is written at every checkpoint and at the end, so that a run that is interrupted leaves a usable
    model.

    Parameters
    ----------
    bsds : str or pathlib.Path
        Folder of the data set, with ``images`` and ``groundTruth``.
    out : str or pathlib.Path
        Model file to write.
    config : TrainConfig, optional
        Recipe of the training.
    network : CANConfig, optional
        Shape of a new network.
    start : Model, optional
        Model to train further, instead of a new network; itself left as it is.
    targets : TargetConfig, optional
        How superpixel targets are grown.
    card : ModelCard, optional
        Title and text of the model; data, recipe and losses are filled in.
    cache : str or pathlib.Path, optional
        Folder that keeps the targets, which take minutes to grow, for the next run.
    device : str
        Torch device to train on.
    on_target : callable, optional
        Called with the number of images that are ready and their total.

    Yields
    ------
    TrainEvent
        One per step.

    Raises
    ------
    ValueError
        If both ``network`` and ``start`` are given, or the network is not one from RGB to RGB.
    ReadError
        If the data set or a cached target cannot be read.
    WriteError
        If the model or a target cannot be written.
    """
    if network is not None and start is not None:
        raise ValueError("give either the shape of a new network or a model to start from, not both")
    config, targets = config or TrainConfig(), targets or TargetConfig()
    samples = load_bsds_samples(bsds, "train", targets, cache=cache, on_sample=on_target)
    model = _new_network(network or CANConfig(), config.seed) if start is None else copy.deepcopy(start.network)
    averaged = copy.deepcopy(model)
    model.requires_grad_(True)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    card = (card or ModelCard(title="Trained on BSDS500")).model_copy(update={"training_data": BSDS_TERMS})

    def save(step: int, weights: dict[str, torch.Tensor]) -> None:
        averaged.load_state_dict(weights)
        recipe = {
            "train": config.model_dump(mode="json"),
            "targets": targets.model_dump(mode="json"),
            "start": None if start is None else start.sha256,
            "steps": step,
        }
        save_model(out, averaged, card.model_copy(update={"recipe": recipe}))

    yield from train(model, samples, config, device=device, on_checkpoint=save)


def _new_network(config: CANConfig, seed: int) -> CAN:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CAN(config)
