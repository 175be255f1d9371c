"""Losses against closed forms, and their gradients against finite differences."""

import math

import pytest
import torch
from torch import Tensor

from napari_superpixels.nets.losses import TVForm, boundary_bce, mse, total_variation

FORMS: tuple[TVForm, ...] = ("anisotropic", "isotropic", "squared")


def _doubles(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


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
