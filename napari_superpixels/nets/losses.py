"""Losses of the flattening network, as pure functions of tensors."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

TVForm = Literal["anisotropic", "isotropic", "squared"]


def mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error of two tensors of the same shape, a scalar."""
    if prediction.shape != target.shape:
        raise ValueError(f"prediction and target differ in shape: {tuple(prediction.shape)}, {tuple(target.shape)}")
    return functional.mse_loss(prediction, target)


def total_variation(image: Tensor, form: TVForm = "anisotropic", *, epsilon: float = 1e-6) -> Tensor:
    """Return the total variation of images per value, a scalar.

    Parameters
    ----------
    image : Tensor
        Float images of shape (N, C, H, W).
    form : {"anisotropic", "isotropic", "squared"}
        |dx| + |dy|; sqrt(dx^2 + dy^2); or dx^2 + dy^2, with forward differences that are 0 at the far border.
    epsilon : float
        Keeps the gradient of the isotropic form finite where the image is flat; the form then is
        sqrt(dx^2 + dy^2 + epsilon^2) - epsilon.

    Returns
    -------
    Tensor
        Sum over all values divided by their number.

    Raises
    ------
    ValueError
        If ``form`` is none of the three.

    Notes
    -----
    L. Rudin, S. Osher, E. Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D 60, 1992,
    doi:10.1016/0167-2789(92)90242-F.
    """
    dx = functional.pad(image[..., :, 1:] - image[..., :, :-1], (0, 1))  # (N, C, H, W)
    dy = functional.pad(image[..., 1:, :] - image[..., :-1, :], (0, 0, 0, 1))  # (N, C, H, W)
    if form == "anisotropic":
        return (dx.abs() + dy.abs()).mean()
    if form == "isotropic":
        return (torch.sqrt(dx**2 + dy**2 + epsilon**2) - epsilon).mean()
    if form == "squared":
        return (dx**2 + dy**2).mean()
    raise ValueError(f"form must be 'anisotropic', 'isotropic' or 'squared', received {form!r}")


def boundary_bce(logits: Tensor, target: Tensor, *, positive_weight: float = 4.0) -> Tensor:
    """Return the binary cross-entropy of a boundary map, a scalar.

    Boundary pixels are few, hence weigh more.

    Parameters
    ----------
    logits : Tensor
        Any shape; sigmoid(logits) is the boundary probability.
    target : Tensor
        Same shape, values in [0, 1]: the share of annotators who drew a border there.
    positive_weight : float
        Weight of a boundary pixel relative to any other.
    """
    if logits.shape != target.shape:
        raise ValueError(f"logits and target differ in shape: {tuple(logits.shape)}, {tuple(target.shape)}")
    weight = torch.as_tensor(positive_weight, dtype=logits.dtype, device=logits.device)
    return functional.binary_cross_entropy_with_logits(logits, target, pos_weight=weight)
