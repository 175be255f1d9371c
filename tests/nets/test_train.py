"""Training: it learns, is reproducible, cuts crops consistently, and keeps the averaged weights."""

import itertools

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from napari_superpixels.nets.augment import NO_AUGMENTATION
from napari_superpixels.nets.can import CAN, CANConfig
from napari_superpixels.nets.samples import TrainSample
from napari_superpixels.nets.train import TrainConfig, TrainEvent, train

SMALL = CANConfig(width=6, dilations=(1, 2, 1))
QUICK = TrainConfig(steps=12, batch_size=2, crop_size=16, warmup_steps=3, checkpoint_every=5)


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


def _network(config: CANConfig = SMALL) -> CAN:
    torch.manual_seed(0)
    return CAN(config)


def _run(network: CAN, config: TrainConfig = QUICK, **arguments: object) -> list[TrainEvent]:
    return list(train(network, [_sample(), _sample(20, 40)], config, **arguments))  # type: ignore[arg-type]


def test_events_tell_the_state() -> None:
    events = _run(_network())
    assert [event.step for event in events] == list(range(1, 13))
    assert [event.last for event in events] == [False] * 11 + [True]
    assert all(set(event.losses) == {"mse", "boundary"} for event in events)
    for event in events:
        assert event.loss == pytest.approx(10 * event.losses["mse"] + 0.1 * event.losses["boundary"], rel=1e-5)
    assert all(a.seconds < b.seconds for a, b in itertools.pairwise(events))


def test_learning_rate_warms_up_then_falls_along_a_cosine() -> None:
    rates = [event.learning_rate for event in _run(_network())]
    assert rates[:3] == pytest.approx([2e-3 / 3, 4e-3 / 3, 2e-3])
    assert all(a > b for a, b in itertools.pairwise(rates[3:]))
    assert rates[6] == pytest.approx(1e-3)
    assert 0 < rates[-1] < 5e-5


def test_losses_that_do_not_take_part_are_not_reported() -> None:
    network = _network(SMALL.model_copy(update={"boundary_head": False}))
    events = _run(network, QUICK.model_copy(update={"tv_weight": 0.5, "steps": 2}))
    assert set(events[0].losses) == {"mse", "tv"}
    assert events[0].loss == pytest.approx(10 * events[0].losses["mse"] + 0.5 * events[0].losses["tv"], rel=1e-5)


def test_training_flattens_one_image() -> None:
    config = TrainConfig(
        steps=120, batch_size=2, crop_size=20, warmup_steps=10, learning_rate=1e-2, augmentation=NO_AUGMENTATION
    )
    events = list(train(_network(), [_sample(annotators=1)], config))
    first, last = (np.mean([e.losses["mse"] for e in part]) for part in (events[:5], events[-5:]))
    assert last < 0.35 * first
    assert events[-1].losses["boundary"] < 0.92 * events[0].losses["boundary"]


def test_same_seed_same_weights_and_another_seed_others() -> None:
    weights = []
    for seed in (1, 1, 2):
        network = _network()
        _run(network, QUICK.model_copy(update={"seed": seed}))
        weights.append(network.head.weight.detach().clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_model_ends_with_the_averaged_weights_in_evaluation_mode() -> None:
    kept: dict[int, dict[str, Tensor]] = {}
    network = _network()
    _run(network, on_checkpoint=lambda step, weights: kept.update({step: weights}))
    assert list(kept) == [5, 10, 12]
    assert not network.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, kept[12][name])
    assert not torch.equal(kept[5]["head.weight"], kept[10]["head.weight"])


def test_the_average_lies_between_start_and_last_weights() -> None:
    averaged, last, start = _network(), _network(), _network()
    _run(averaged, QUICK.model_copy(update={"ema_decay": 0.9}))
    _run(last, QUICK.model_copy(update={"ema_decay": 0.0}))
    distance = (last.head.weight - start.head.weight).abs().sum()
    assert 0 < (averaged.head.weight - last.head.weight).abs().sum() < distance


def test_time_limit_ends_training() -> None:
    events = _run(_network(), QUICK.model_copy(update={"steps": 10**6, "time_limit": 0.5}))
    assert events[-1].last
    assert 0.5 <= events[-1].seconds < 5
    assert events[-1].learning_rate < events[len(events) // 2].learning_rate


def test_training_refuses_what_it_cannot_train() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        next(train(_network(), []))
    with pytest.raises(ValueError, match="from RGB to RGB"):
        next(train(CAN(CANConfig(in_channels=2, out_channels=1)), [_sample()]))


def test_a_loss_that_is_not_finite_stops_training() -> None:
    network = _network()
    with torch.no_grad():
        network.head.bias.fill_(float("nan"))  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="no longer finite"):
        _run(network)


@pytest.mark.parametrize(
    "values", [{"steps": 0}, {"crop_size": 4}, {"learning_rate": 0}, {"ema_decay": 1.0}, {"epochs": 3}]
)
def test_config_refuses(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrainConfig(**values)  # type: ignore[arg-type]
