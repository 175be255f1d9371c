"""Batches of random crops that depend on the number of the step alone, so that a run can go on exactly anywhere."""

from collections.abc import Sequence

import lightning.pytorch as pl
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from napari_superpixels.nets.augment import Crop, random_crop
from napari_superpixels.nets.samples import TrainSample
from napari_superpixels.nets.train import Batch, TrainConfig
from napari_superpixels.nets.train_module import TrainModule


class CropBatches(Dataset[Batch]):
    """The batches of some steps, as one of several devices sees them.

    Each image is shown once before any is shown again; with `balance_color` that holds among the grey and among the
    coloured images, which take turns. Neither the order of the images nor a crop depends on what was
    drawn before: both follow from the seed and the crop's number.

    Parameters
    ----------
    samples : sequence of TrainSample
        Images with their targets.
    config : TrainConfig
        Size of the batches and crops, seed.
    first_step : int
        Steps before the first batch.
    n_steps : int
        Number of batches.
    rank, world_size : int
        Number of this device, and of all; each gets its share of every batch.
    reminders : sequence of TrainSample
        Samples that take the place of others with the probability `config.reminder_share`.
    """

    def __init__(
        self,
        samples: Sequence[TrainSample],
        config: TrainConfig,
        first_step: int,
        n_steps: int,
        *,
        rank: int = 0,
        world_size: int = 1,
        reminders: Sequence[TrainSample] = (),
    ) -> None:
        if config.batch_size % world_size:
            raise ValueError(
                f"{world_size} devices cannot share batches of {config.batch_size} crops evenly; choose a multiple"
            )
        self._samples = samples
        self._groups = _groups(samples, balance=config.balance_color)
        self._config = config
        self._first_step = first_step
        self._n_steps = n_steps
        self._rank = rank
        self._world_size = world_size
        self._reminders = reminders

    def __len__(self) -> int:
        """Return the number of batches."""
        return self._n_steps

    def __getitem__(self, index: int) -> Batch:
        """Return a batch."""
        config = self._config
        first = (self._first_step + index) * config.batch_size
        numbers = range(first + self._rank, first + config.batch_size, self._world_size)
        crops = [self._crop(number) for number in numbers]
        image, target, boundary, weight = (
            torch.from_numpy(np.ascontiguousarray(np.stack(parts).transpose(0, 3, 1, 2)))
            for parts in zip(*crops, strict=True)
        )
        return image, target, boundary, weight

    def _crop(self, number: int) -> Crop:
        of_group, which = divmod(number, len(self._groups))
        group = self._groups[which]
        turn, place = divmod(of_group, len(group))
        seed = self._config.seed
        if self._reminders:
            rng = np.random.default_rng([seed, 2, number])
            if rng.random() < self._config.reminder_share:
                reminder = self._reminders[int(rng.integers(len(self._reminders)))]
                return random_crop(reminder, rng, self._config.crop_size, self._config.augmentation)
        image = group[int(np.random.default_rng([seed, 0, turn]).permutation(len(group))[place])]
        rng = np.random.default_rng([seed, 1, number])
        return random_crop(self._samples[image], rng, self._config.crop_size, self._config.augmentation)


def _groups(samples: Sequence[TrainSample], *, balance: bool) -> list[Sequence[int]]:
    """Return the numbers of the samples in groups that are drawn from in turn."""
    if not balance:
        return [range(len(samples))]
    is_grey = [sample.is_grey for sample in samples]
    groups = [[i for i, grey in enumerate(is_grey) if grey == wanted] for wanted in (True, False)]
    return [group for group in groups if group]


class CropDataModule(pl.LightningDataModule):
    """The crops of each epoch of a training run, from where the module is.

    Parameters
    ----------
    samples : sequence of TrainSample
        Images with their targets.
    config : TrainConfig
        Recipe.
    workers : int
        Processes that cut crops; 0 cuts them in this one.
    reminders : sequence of TrainSample
        As in :class:`CropBatches`.
    """

    def __init__(
        self,
        samples: Sequence[TrainSample],
        config: TrainConfig,
        workers: int = 0,
        reminders: Sequence[TrainSample] = (),
    ) -> None:
        super().__init__()
        if not samples:
            raise ValueError("training needs at least one sample, received none")
        self._samples = samples
        self._config = config
        self._workers = workers
        self._reminders = reminders

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the batches up to the end of the current epoch."""
        trainer, config = self.trainer, self._config
        assert trainer is not None
        module = trainer.lightning_module
        assert isinstance(module, TrainModule)
        step = module.step
        batches = CropBatches(
            self._samples,
            config,
            step,
            # Lightning does not begin without a batch, but the last validation of a stopped run may be due.
            max(min(config.epoch_steps - step % config.epoch_steps, config.steps - step), 1),
            rank=trainer.global_rank,
            world_size=trainer.world_size,
            reminders=self._reminders,
        )
        return DataLoader(batches, batch_size=None, num_workers=self._workers)
