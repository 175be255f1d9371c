"""How long a fine-tuning will take: a few of its steps are done and timed."""

import copy
import math
import time
from pathlib import Path

import torch

from napari_superpixels.data.training_folder import open_training_folder
from napari_superpixels.engine.fine_tune_data import prepare
from napari_superpixels.engine.fine_tune_files import Estimate, read_job
from napari_superpixels.engine.fine_tune_recipe import recipe
from napari_superpixels.engine.targets import load_samples
from napari_superpixels.engine.validation import measure_network
from napari_superpixels.nets.checkpoint import Model, load_model
from napari_superpixels.nets.crops import CropBatches
from napari_superpixels.nets.devices import choose_device
from napari_superpixels.nets.train import TrainConfig, make_trainable, training_losses

_N_TIMED = 3


def estimate(folder: str | Path, n_train: int, n_validation: int) -> Estimate:
    """Time a few steps of the fine-tuning that a folder's job describes.

    Parameters
    ----------
    folder : str or pathlib.Path
        Folder with a job, whose data need not be all: at least two images, or one.
    n_train, n_validation : int
        Number of images that teach, and that measure, in all.

    Raises
    ------
    ReadError
        If an image cannot be read or used.
    CheckpointError
        If the start model cannot be read.
    """
    began = time.perf_counter()
    folder = Path(folder)
    job = read_job(folder)
    config = recipe(job.params)
    start = load_model(job.params.start)
    data = prepare(open_training_folder(folder / job.data), job.params.seed)
    sample_time = time.perf_counter()
    samples = list(load_samples(data.train.subset([data.train.items[0].name]), config.targets))
    sample_time = time.perf_counter() - sample_time
    check_time = time.perf_counter()
    measure_network(start, data.validation.items[:1], config.validation)
    check_time = time.perf_counter() - check_time
    loading = time.perf_counter() - began - sample_time - check_time
    step = _time_steps(start, CropBatches(samples, config.train, 0, _N_TIMED + 1), config.train, job.params.device)
    n_checks = math.ceil(config.train.steps / config.train.epoch_steps) + 2  # the start model, and the best at the end
    check = min(n_validation, config.validation.n_images) * check_time
    return Estimate(loading + n_train * sample_time + config.train.steps * step + n_checks * check, step, check)


def _time_steps(start: Model, batches: CropBatches, config: TrainConfig, device: str) -> float:
    """Return the seconds of a step, after one that is slower than the others."""
    where = choose_device(device)
    network = copy.deepcopy(start.network).to(where)
    for layer in make_trainable(network, config):
        layer.eval()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.0)
    began = 0.0
    for number in range(_N_TIMED + 1):
        if number == 1:
            began = time.perf_counter()
        image, target, boundary, weight = (part.to(where) for part in batches[number])
        total, _ = training_losses(network, network(image), (image, target, boundary, weight), config)
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total.item()
    return (time.perf_counter() - began) / _N_TIMED
