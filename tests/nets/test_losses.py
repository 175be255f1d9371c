"""Losses against closed forms, and their gradients against finite differences."""

import math

import pytest
import torch
from torch import Tensor

from napari_superpixels.nets.losses import (
    TVForm,
    association_loss,
    boundary_bce,
    l1,
    mse,
    soft_association,
    total_variation,
)

FORMS: tuple[TVForm, ...] = ("anisotropic", "isotropic", "squared")


def _doubles(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_l1_is_the_mean_of_absolute_differences() -> None:
    assert l1(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]])).item() == pytest.approx(1.5)
    with pytest.raises(ValueError, match="differ in shape"):
        l1(torch.zeros(2, 3), torch.zeros(2, 1))


def test_l1_decides_for_a_colour_where_mse_mixes_two() -> None:
    """Of targets that are 1 three times and 0 once the best single answer is 1, of squares their mean."""
    targets = torch.tensor([1.0, 1.0, 1.0, 0.0])
    answers = torch.linspace(0, 1, 101)
    best = {
        loss: answers[min(range(101), key=lambda i: float(loss(answers[i].expand(4), targets)))] for loss in (l1, mse)
    }
    assert best[l1].item() == pytest.approx(1.0)
    assert best[mse].item() == pytest.approx(0.75)


def test_mse_is_the_mean_of_squares() -> None:
    assert mse(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]])).item() == pytest.approx(2.5)


def test_losses_refuse_shapes_that_would_broadcast() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        mse(torch.zeros(2, 3), torch.zeros(2, 1))
    with pytest.raises(ValueError, match="differ in shape"):
        boundary_bce(torch.zeros(2, 3), torch.zeros(3))


@pytest.mark.parametrize(("form", "expected"), [("anisotropic", 8 / 4), ("isotropic", 6 / 4), ("squared", 26 / 4)])
def test_total_variation_of_one_corner(form: TVForm, expected: float) -> None:
    """The first pixel differs by 3 to the right and 4 downwards, the one beside it by 1 downwards."""
    image = torch.tensor([[[[0.0, 3.0], [4.0, 4.0]]]], dtype=torch.float64)
    assert total_variation(image, form).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1), (4, 4)])
def test_total_variation_of_a_constant_is_zero_with_a_finite_gradient(form: TVForm, size: tuple[int, int]) -> None:
    image = torch.full((1, 2, *size), 0.3, requires_grad=True)
    value = total_variation(image, form)
    value.backward()
    assert value.item() == 0.0
    assert image.grad is not None
    assert torch.isfinite(image.grad).all()


def test_total_variation_refuses_another_form() -> None:
    with pytest.raises(ValueError, match="received 'l2'"):
        total_variation(torch.zeros(1, 1, 2, 2), "l2")  # type: ignore[arg-type]


def test_boundary_bce_weighs_boundary_pixels() -> None:
    logits = torch.zeros(2)
    target = torch.tensor([1.0, 0.0])
    assert boundary_bce(logits, target, positive_weight=4.0).item() == pytest.approx(2.5 * math.log(2))


def test_boundary_bce_is_least_at_the_weighted_share() -> None:
    """With positive weight w and share t the optimum is p = w t / (w t + 1 - t)."""
    logits = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        logits.fill_(math.log(4.0 * 0.25 / 0.75))
    boundary_bce(logits, torch.full((1,), 0.25, dtype=torch.float64), positive_weight=4.0).backward()
    assert logits.grad is not None
    assert abs(logits.grad.item()) < 1e-12


@pytest.mark.parametrize("form", FORMS)
def test_total_variation_gradient(form: TVForm) -> None:
    image = _doubles(2, 3, 5, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: total_variation(x, form, epsilon=1e-3), (image,))


def test_mse_and_bce_gradients() -> None:
    prediction, target = _doubles(2, 3, 4, 4).requires_grad_(), _doubles(2, 3, 4, 4, seed=1)
    assert torch.autograd.gradcheck(lambda x: mse(x, target), (prediction,))
    assert torch.autograd.gradcheck(lambda x: boundary_bce(4 * x - 2, target, positive_weight=3.0), (prediction,))


def test_balanced_boundaries_weigh_as_much_as_all_else() -> None:
    """One pixel in four is boundary, so its weight is three."""
    logits, target = torch.randn(1, 1, 4, 4, dtype=torch.float64), torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    target[..., 0] = 1.0
    balanced = boundary_bce(logits, target, positive_weight=None)
    torch.testing.assert_close(balanced, boundary_bce(logits, target, positive_weight=3.0))
    assert torch.isfinite(boundary_bce(logits, torch.zeros_like(target), positive_weight=None))


def test_associations_are_shares_of_candidates_inside_the_image() -> None:
    association = soft_association(_doubles(2, 3, 8, 12), 4, position_weight=1.0)
    assert association.shape == (2, 9, 8, 12)
    torch.testing.assert_close(association.sum(1), torch.ones(2, 8, 12, dtype=torch.float64))
    assert association[:, :3, :4].abs().max() == 0  # nothing above the first row of squares
    assert association[:, 2::3, :, -4:].abs().max() == 0  # nor to the right of the last column
    assert association[:, 4].min() > 0


def test_associations_follow_a_slow_loop() -> None:
    """The same two iterations, pixel by pixel and candidate by candidate."""
    cell, height, width = 2, 4, 6
    features = _doubles(1, 2, height, width)
    found = soft_association(features, cell, position_weight=0.7, iterations=2)
    where = 0.7 * torch.stack(torch.meshgrid(torch.arange(height) / cell, torch.arange(width) / cell, indexing="ij"))
    full = torch.cat([features[0], where.double()])
    centres = {
        (i, j): full[:, i * cell : (i + 1) * cell, j * cell : (j + 1) * cell].mean((1, 2))
        for i in range(height // cell)
        for j in range(width // cell)
    }
    for _ in range(2):
        shares = torch.zeros(9, height, width, dtype=torch.float64)
        sums = {key: torch.zeros(5, dtype=torch.float64) for key in centres}
        for y in range(height):
            for x in range(width):
                near = [(y // cell + dy, x // cell + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
                weights = [
                    torch.exp(-(full[:, y, x] - centres[key]).square().sum()) if key in centres else torch.tensor(0.0)
                    for key in near
                ]
                shares[:, y, x] = torch.stack([weight.double() for weight in weights]) / sum(weights)
                for k, key in enumerate(near):
                    if key in centres:
                        value = torch.cat([full[:, y, x], torch.ones(1, dtype=torch.float64)])
                        sums[key] += shares[k, y, x] * value
        centres = {key: total[:4] / total[4] for key, total in sums.items()}
    torch.testing.assert_close(found[0], shares)


def test_association_loss_is_low_where_colours_tell_targets_apart() -> None:
    target = torch.zeros(1, 3, 16, 16)
    target[..., 6:] = 1.0
    grey = torch.full_like(target, 0.5)
    good, bad = (association_loss(image, target, cell=4).item() for image in (target, grey))
    assert good < 0.05 * bad
    assert association_loss(grey, grey, cell=4).item() == pytest.approx(0.0, abs=1e-12)


def test_gradient_of_the_association_loss() -> None:
    prediction, target = _doubles(1, 2, 5, 4).requires_grad_(), _doubles(1, 2, 5, 4, seed=1)
    assert torch.autograd.gradcheck(lambda x: association_loss(x, target, cell=2, color_scale=3.0), prediction)


def test_association_refuses() -> None:
    with pytest.raises(ValueError, match="multiples of 4"):
        soft_association(torch.zeros(1, 3, 6, 8), 4, position_weight=1.0)
    with pytest.raises(ValueError, match="differ in shape"):
        association_loss(torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8), cell=4)


WEIGHTED = {
    "mse": lambda x, y, w: mse(x, y, w),
    "l1": lambda x, y, w: l1(x, y, w),
    "anisotropic": lambda x, y, w: total_variation(x, "anisotropic", weight=w),
    "isotropic": lambda x, y, w: total_variation(x, "isotropic", weight=w),
    "squared": lambda x, y, w: total_variation(x, "squared", weight=w),
    "boundary": lambda x, y, w: boundary_bce(x[:, :1], y[:, :1], w),
    "balanced": lambda x, y, w: boundary_bce(x[:, :1], y[:, :1], w, positive_weight=None),
}


@pytest.mark.parametrize("name", list(WEIGHTED))
def test_what_weighs_nothing_has_no_part_in_a_loss(name: str) -> None:
    """The left half alone gives the same value, and the right half gets no gradient."""
    generator = torch.Generator().manual_seed(0)
    prediction, target = (torch.rand(2, 3, 6, 8, generator=generator, dtype=torch.float64) for _ in range(2))
    weight = torch.zeros(2, 1, 6, 8, dtype=torch.float64)
    weight[..., :4] = 1.0
    loss = WEIGHTED[name]
    prediction.requires_grad_(True)
    value = loss(prediction, target, weight)
    value.backward()
    assert prediction.grad is not None
    assert (prediction.grad[..., 4:] == 0).all()
    assert prediction.grad[..., :4].abs().max() > 0
    alone = loss(prediction[..., :4], target[..., :4], weight[..., :4])
    torch.testing.assert_close(value, alone)
    torch.testing.assert_close(alone, loss(prediction[..., :4], target[..., :4], None))
    assert loss(prediction, target, torch.zeros_like(weight)).item() == 0.0


def test_association_leaves_out_what_weighs_nothing() -> None:
    prediction = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    target = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    weight = torch.ones(1, 1, 16, 16)
    weight[..., 8:] = 0.0
    other = torch.where(weight > 0, target, torch.rand(1, 3, 16, 16))
    prediction.requires_grad_(True)
    values = [association_loss(prediction, each, weight, cell=4) for each in (target, other)]
    values[0].backward()
    assert prediction.grad is not None
    assert (prediction.grad[..., 8:] == 0).all()
    assert prediction.grad[..., :8].abs().max() > 0
    alone = association_loss(prediction[..., :8], target[..., :8], cell=4)
    torch.testing.assert_close(values[0], alone)
    torch.testing.assert_close(values[0], values[1])
    torch.testing.assert_close(
        association_loss(prediction, target, torch.ones_like(weight), cell=4),
        association_loss(prediction, target, cell=4),
    )
