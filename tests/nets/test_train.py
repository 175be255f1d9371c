"""Recipe, losses of a step, crops by number, and what Lightning does with a network."""

import dataclasses
import itertools
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from napari_superpixels.errors import CheckpointError, TrainingError, WriteError
from napari_superpixels.nets.augment import NO_AUGMENTATION, Augmentation
from napari_superpixels.nets.can import CANConfig
from napari_superpixels.nets.crops import CropBatches, CropDataModule
from napari_superpixels.nets.layers import AdaptiveNorm
from napari_superpixels.nets.registry import PRESETS, NetworkConfig, build_network
from napari_superpixels.nets.samples import TrainSample, known_boundaries
from napari_superpixels.nets.train import TrainConfig, TrainEvent, training_losses
from napari_superpixels.nets.train_module import TrainModule
from napari_superpixels.nets.train_state import TrainState, load_state, save_state

SMALL = CANConfig(width=6, dilations=(1, 2, 1))
QUICK = TrainConfig(steps=12, epoch_steps=5, batch_size=2, crop_size=16, warmup_steps=3)


def _sample(height: int = 30, width: int = 24, annotators: int = 2) -> TrainSample:
    """Noise over a left and a right half; the second annotator draws no border."""
    rng = np.random.default_rng(3)
    halves = np.where(np.arange(width) < width // 2, 1, 2) * np.ones((height, 1), int)
    image = (60.0 * halves[..., None] + rng.integers(0, 60, (height, width, 3))).astype(np.uint8)
    labels = [halves.astype(np.uint8), np.ones((height, width), np.uint8)][:annotators]
    colors = tuple(
        np.stack([np.zeros(3)] + [image[part == k].mean(0) / 255 for k in range(1, int(part.max()) + 1)])
        for part in labels
    )
    boundary = np.zeros((height, width), np.uint8)
    boundary[:, width // 2 - 1 : width // 2 + 1] = 255 // annotators
    return TrainSample(image, tuple(labels), tuple(part.astype(np.float32) for part in colors), boundary)


def _fit(
    config: TrainConfig = QUICK,
    network: NetworkConfig = SMALL,
    state: TrainState | None = None,
    epochs: int | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[TrainModule, list[TrainEvent], TrainState]:
    events: list[TrainEvent] = []
    module = TrainModule(build_network(network, 0), config, state, events.append, should_stop)
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=epochs or -(-(config.steps - module.step) // config.epoch_steps),
        gradient_clip_val=config.gradient_clip,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
        warnings.filterwarnings("ignore", ".*does not have many workers")
        trainer.fit(module, datamodule=CropDataModule([_sample(), _sample(20, 40)], config))
    return module, events, module.state(None, 0)


def test_events_tell_the_state() -> None:
    _, events, _ = _fit()
    assert [event.step for event in events] == list(range(1, 13))
    assert [event.progress for event in events] == pytest.approx([step / 12 for step in range(1, 13)])
    for event in events:
        assert set(event.losses) == {"mse", "boundary"}
        assert event.loss == pytest.approx(10 * event.losses["mse"] + 0.1 * event.losses["boundary"], rel=1e-5)
    assert all(a.seconds < b.seconds for a, b in itertools.pairwise(events))


def test_learning_rate_warms_up_then_falls_along_a_cosine() -> None:
    rates = [event.learning_rate for event in _fit()[1]]
    assert rates[:3] == pytest.approx([2e-3 / 3, 4e-3 / 3, 2e-3])
    assert all(a > b for a, b in itertools.pairwise(rates[3:]))
    assert rates[6] == pytest.approx(1e-3)
    assert 0 < rates[-1] < 5e-5


def test_learning_rate_falls_in_steps() -> None:
    config = TrainConfig(schedule="step", warmup_steps=0, milestones=(0.5, 0.75), learning_rate=1.0)
    rates = [config.learning_rate_at(5, progress) for progress in (0, 0.4, 0.5, 0.7, 0.75, 1.0)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_every_loss_takes_part_when_it_has_a_weight() -> None:
    config = TrainConfig(
        l1_weight=3.0, tv_weight=0.5, association_weight=2.0, association_cell=4, boundary_positive_weight="balanced"
    )
    batch = (torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16), torch.rand(2, 1, 16, 16), torch.ones(2, 2, 16, 16))
    for boundary_head in (True, False):
        network = build_network(SMALL.model_copy(update={"boundary_head": boundary_head}), 0)
        total, losses = training_losses(network, network(batch[0]), batch, config)
        assert set(losses) == {"mse", "l1", "tv", "association"} | ({"boundary"} if boundary_head else set())
        expected = 10 * losses["mse"] + 3 * losses["l1"] + 0.5 * losses["tv"] + 2 * losses["association"]
        if boundary_head:
            expected = expected + 0.1 * losses["boundary"]
        torch.testing.assert_close(total, expected)


@pytest.mark.parametrize("name", ["can", "unet", "can-unet"])
def test_loss_on_a_fixed_batch_falls_by_half_in_20_steps(name: str) -> None:
    torch.manual_seed(0)
    config = TrainConfig(learning_rate=5e-3)
    cells = torch.rand(1, 3, 4, 4).repeat_interleave(12, 2).repeat_interleave(12, 3)  # (1, 3, 48, 48)
    edges = torch.zeros(1, 1, 48, 48)
    edges[..., ::12, :] = edges[..., ::12] = 1.0
    batch = ((cells + 0.25 * torch.randn(1, 3, 48, 48)).clamp(0, 1), cells, edges, torch.ones(1, 2, 48, 48))
    network = build_network(PRESETS[name], 0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    totals = []
    for _ in range(21):
        total, _ = training_losses(network, network(batch[0]), batch, config)
        totals.append(total.item())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    assert totals[-1] < 0.5 * totals[0]


def test_grey_and_coloured_images_take_turns() -> None:
    """Of five images one is grey, and yet every other crop shows it; among the coloured ones each comes once a turn."""
    coloured = [np.full((8, 8, 3), (40 * i, 200, 0), np.uint8) for i in range(1, 5)]
    samples = [
        TrainSample(image, (np.ones((8, 8), int),), (np.zeros((2, 3), np.float32),), np.zeros((8, 8), np.uint8))
        for image in [np.full((8, 8, 3), 90, np.uint8), *coloured]
    ]
    config = TrainConfig(batch_size=8, crop_size=8, balance_color=True, augmentation=NO_AUGMENTATION)
    crops = (CropBatches(samples, config, 3, 1)[0][0][:, :, 0, 0] * 255).round().int().tolist()
    assert crops[::2] == [[90, 90, 90]] * 4
    assert sorted(crops[1::2]) == [[40 * i, 200, 0] for i in range(1, 5)]
    alike = CropBatches(samples[1:], config, 0, 1)[0][0][:, :, 0, 0]
    assert len(torch.unique(alike, dim=0)) == 4


def test_training_flattens_one_image() -> None:
    config = TrainConfig(
        steps=100, epoch_steps=100, batch_size=2, crop_size=16, warmup_steps=10, learning_rate=1e-2,
        augmentation=NO_AUGMENTATION,
    )  # fmt: skip
    _, events, _ = _fit(config)
    first, last = (np.mean([e.losses["mse"] for e in part]) for part in (events[:5], events[-5:]))
    assert last < 0.5 * first
    assert events[-1].losses["boundary"] < 0.95 * events[0].losses["boundary"]


def test_same_seed_same_weights_and_another_seed_others() -> None:
    weights = [_fit(QUICK.model_copy(update={"seed": seed}))[0].average["head.weight"] for seed in (1, 1, 2)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_average_lies_between_start_and_last_weights() -> None:
    start = build_network(SMALL, 0).head.weight
    module, _, _ = _fit(QUICK.model_copy(update={"ema_decay": 0.9}))
    last = module.network.head.weight.detach()
    assert 0 < (module.average["head.weight"] - last).abs().sum() < (last - start).abs().sum()
    none, _, _ = _fit(QUICK.model_copy(update={"ema_decay": 0.0}))
    torch.testing.assert_close(none.average["head.weight"], none.network.head.weight.detach())


@pytest.mark.parametrize("n_epochs", [1, 2])
def test_a_run_that_goes_on_from_a_file_ends_with_the_same_weights(
    small_config: NetworkConfig, n_epochs: int, tmp_path: Path
) -> None:
    config = QUICK.model_copy(update={"crop_size": 24})
    whole, _, _ = _fit(config, small_config)
    _, _, state = _fit(config, small_config, epochs=n_epochs)
    save_state(tmp_path / "state.safetensors", state)
    resumed, events, _ = _fit(config, small_config, load_state(tmp_path / "state.safetensors"))
    assert events[0].step == 5 * n_epochs + 1
    assert events[0].seconds > state.progress.seconds > 0
    for expected, found in (
        (whole.average, resumed.average),
        (whole.network.state_dict(), resumed.network.state_dict()),
    ):
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=0, atol=1e-6)


def test_time_limit_ends_training(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count(1.0, 0.01)
    clock = SimpleNamespace(perf_counter=lambda: next(seconds))
    monkeypatch.setattr("napari_superpixels.nets.train_module.time", clock)
    limited = QUICK.model_copy(update={"steps": 10**6, "time_limit": 0.5})
    _, events, _ = _fit(limited, epochs=10**5)
    assert 0.5 <= events[-1].seconds < 0.6
    assert len(events) > 5
    assert events[-1].progress == 1.0
    assert events[-1].learning_rate < events[len(events) // 2].learning_rate


def test_a_loss_that_is_not_finite_stops_training() -> None:
    with pytest.raises(TrainingError, match="no longer finite"):
        _fit(QUICK.model_copy(update={"learning_rate": 1e30}))


def test_norms_are_named_after_their_layers() -> None:
    module = TrainModule(build_network(PRESETS["unet"], 0), QUICK)
    norms = module.norms()
    assert len(norms) == 2 * sum(isinstance(layer, AdaptiveNorm) for layer in module.network.modules()) == 36
    assert norms["down.0.0.norm.a"] == 0.0
    assert norms["up.3.1.norm.b"] == 1.0


def test_each_image_is_shown_once_before_any_is_shown_again() -> None:
    samples = [_sample(annotators=1) for _ in range(5)]
    for i, sample in enumerate(samples):
        sample.image[:] = 40 * i
    config = QUICK.model_copy(update={"batch_size": 1, "augmentation": NO_AUGMENTATION})
    shown = [
        round(float(batch[0].mean()) * 255 / 40)
        for batch in (CropBatches(samples, config, 0, 15)[i] for i in range(15))
    ]
    turns = [shown[:5], shown[5:10], shown[10:]]
    assert all(sorted(turn) == list(range(5)) for turn in turns)
    assert turns[0] != turns[1] or turns[1] != turns[2]


def test_batches_depend_on_the_number_of_the_step_alone() -> None:
    whole, rest = CropBatches([_sample()], QUICK, 0, 6), CropBatches([_sample()], QUICK, 4, 2)
    for a, b in zip(whole[4], rest[0], strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(whole[0][0], whole[1][0])


def test_devices_share_a_batch() -> None:
    whole = CropBatches([_sample()], QUICK, 0, 1)[0]
    parts = [CropBatches([_sample()], QUICK, 0, 1, rank=rank, world_size=2)[0] for rank in range(2)]
    for i, expected in enumerate(whole):
        assert torch.equal(torch.stack([parts[0][i], parts[1][i]], 1).flatten(0, 1), expected)
    with pytest.raises(ValueError, match="cannot share batches of 2 crops"):
        CropBatches([_sample()], QUICK, 0, 1, world_size=3)


def test_no_sample() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        CropDataModule([], QUICK)


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    _, _, state = _fit(QUICK.model_copy(update={"steps": 1}))
    save_state(tmp_path / "state.safetensors", state)
    return tmp_path / "state.safetensors"


def test_damaged_states(state_file: Path) -> None:
    data = state_file.read_bytes()
    state_file.write_bytes(data[:-8])
    with pytest.raises(CheckpointError, match="damaged"):
        load_state(state_file)
    state_file.write_bytes(data.replace(b'version\\": 1', b'version\\": 9'))
    with pytest.raises(CheckpointError, match="has version 9"):
        load_state(state_file)
    with pytest.raises(CheckpointError, match="does not exist"):
        load_state(state_file.with_name("gone"))


def test_state_of_another_network(state_file: Path) -> None:
    with pytest.raises(CheckpointError, match="another network"):
        TrainModule(build_network(CANConfig(width=5, dilations=(1,))), QUICK, load_state(state_file))


def test_full_disk_leaves_the_previous_state(state_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state_file.read_bytes()

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WriteError, match="No space left on device"):
        save_state(state_file, load_state(state_file))
    assert state_file.read_bytes() == before
    assert [path.name for path in state_file.parent.iterdir()] == [state_file.name]


@pytest.mark.parametrize(
    "values",
    [
        {"steps": 0},
        {"crop_size": 4},
        {"learning_rate": 0},
        {"ema_decay": 1.0},
        {"epochs": 3},
        {"milestones": (1.5,)},
        {"boundary_positive_weight": "heavy"},
    ],
)
def test_config_refuses(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrainConfig(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["can", "unet", "can-unet"])
def test_last_layers_alone_learn(name: str) -> None:
    """All else stays to the bit, running statistics and the moving average included."""
    config = QUICK.model_copy(update={"trained": "last"})
    before = build_network(PRESETS[name], 0).state_dict()
    module, _, _ = _fit(config, PRESETS[name])
    layers = {id(part): path for path, part in module.network.named_modules()}
    last = [module.network.head, *itertools.chain(*module.network.layers[-2:])]
    learning = [layers[id(part)] for part in last]
    for state in (module.network.state_dict(), module.average):
        changed = {path for path, value in state.items() if not torch.equal(value, before[path])}
        assert changed
        assert all(any(path.startswith(f"{layer}.") for layer in learning) for path in changed)
        assert any("running_mean" in path for path in changed)


def test_crops_show_what_is_annotated_and_weigh_nothing_else() -> None:
    sample = _sample()
    annotated = np.zeros((30, 24), bool)
    annotated[3:7, 17:21] = True
    partly = dataclasses.replace(sample, annotated=annotated)
    image, target, boundary, weight = CropBatches([partly], QUICK, 0, 12)[0]
    assert image.shape == target.shape == (2, 3, 16, 16)
    assert boundary.shape == (2, 1, 16, 16)
    assert weight.shape == (2, 2, 16, 16)
    for index in range(12):
        weight = CropBatches([partly], QUICK, 0, 12)[index][3]
        assert set(weight.unique().tolist()) == {0.0, 1.0}
        assert (weight[:, 0].sum((1, 2)) > 0).all()
        assert (weight[:, 1] <= weight[:, 0]).all()
    assert (CropBatches([sample], QUICK, 0, 1)[0][3] == 1).all()
    places = {tuple(CropBatches([partly], QUICK, 0, 12)[i][3].flatten().tolist()) for i in range(12)}
    assert len(places) > 6


def test_samples_annotated_everywhere_give_the_crops_they_always_gave() -> None:
    """The place of a crop, its turn and its colours follow from the same draws, annotated area or none."""
    whole = CropBatches([_sample()], QUICK, 0, 3)
    for number, expected in ((0, 0.382608), (2, 0.474367)):
        assert whole[number][0].mean().item() == pytest.approx(expected, abs=1e-6)
    network = build_network(SMALL, 0)
    image, target, boundary, weight = whole[0]
    plain, _ = training_losses(network, network(image), (image, target, boundary, weight), QUICK)
    out = network(image)
    expected_loss = 10 * functional.mse_loss(out[:, :3], target) + 0.1 * functional.binary_cross_entropy_with_logits(
        out[:, 3:], boundary, pos_weight=torch.tensor(4.0)
    )
    assert plain.item() == expected_loss.item()


@pytest.mark.parametrize("place", [(0, 0), (29, 23), (13, 7)])
def test_a_single_annotated_pixel_is_in_every_crop(place: tuple[int, int]) -> None:
    """Even where a reduced crop skips pixels."""
    annotated = np.zeros((30, 24), bool)
    annotated[place] = True
    config = QUICK.model_copy(update={"crop_size": 8, "augmentation": Augmentation(smallest_scale=0.34)})
    batches = CropBatches([dataclasses.replace(_sample(), annotated=annotated)], config, 0, 40)
    for number in range(40):
        weight = batches[number][3]
        assert (weight[:, 0].sum((1, 2)) > 0).all()
        assert weight[:, 1].sum() == 0  # nothing is known of its neighbours


def test_labels_that_do_not_count_change_neither_loss_nor_gradient() -> None:
    """Other labels, colours and boundaries beyond the annotated half, and every loss that there is."""
    sample = _sample()
    annotated = np.zeros((30, 24), bool)
    annotated[:, :14] = True
    half = dataclasses.replace(sample, annotated=annotated)
    rng = np.random.default_rng(5)
    others = tuple(np.where(annotated, labels, 3).astype(np.uint8) for labels in sample.labels)
    colors = tuple(np.concatenate([table, rng.random((4 - len(table), 3), np.float32)]) for table in sample.colors)
    boundary = np.where(known_boundaries(annotated), sample.boundary, 255 - sample.boundary).astype(np.uint8)
    other = dataclasses.replace(half, labels=others, colors=colors, boundary=boundary)
    config = QUICK.model_copy(
        update={
            "l1_weight": 1.0, "tv_weight": 1.0, "association_weight": 1.0, "association_cell": 4,
            "boundary_positive_weight": "balanced",
        }
    )  # fmt: skip
    found = []
    for each in (half, other):
        network = build_network(SMALL, 0)
        for number in range(6):
            batch = CropBatches([each], config, 0, 6)[number]
            total, _ = training_losses(network, network(batch[0]), batch, config)
            total.backward()
        found.append([total, *(parameter.grad for parameter in network.parameters())])
    assert any(bool((gradient != 0).any()) for gradient in found[0][1:])
    for expected, same in zip(*found, strict=True):
        assert torch.equal(expected, same)


def test_time_of_a_pause_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands still but while it is asked whether to stop: all its time is that of pauses."""
    now = 0.0

    def wait() -> bool:
        nonlocal now
        now += 100.0
        return now > 250.0

    monkeypatch.setattr("napari_superpixels.nets.train_module.time", SimpleNamespace(perf_counter=lambda: 1.0 + now))
    module, events, _ = _fit(QUICK.model_copy(update={"time_limit": 150.0}), should_stop=wait)
    assert now == 300.0
    assert len(events) == module.step == 3
    assert module.is_stopped
    assert module.seconds == events[-1].seconds == 0.0
