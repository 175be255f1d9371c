"""Losses of the flattening network, as pure functions of tensors.

Each is a mean over pixels. With a weight, of shape (N, 1, H, W) in [0, 1], it is the weighted mean, and 0 where every
weight is 0: pixels without ground truth then have no part in it, and their gradient is 0.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

TVForm = Literal["anisotropic", "isotropic", "squared"]
#: What a sum of weights is divided by at least.
_LEAST = 1e-8


def mse(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean squared error of two tensors of the same shape, a scalar."""
    _check_shapes(prediction, target)
    if weight is None:
        return functional.mse_loss(prediction, target)
    return _mean(functional.mse_loss(prediction, target, reduction="none"), weight)


def l1(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean absolute error of two tensors of the same shape, a scalar."""
    _check_shapes(prediction, target)
    if weight is None:
        return functional.l1_loss(prediction, target)
    return _mean(functional.l1_loss(prediction, target, reduction="none"), weight)


def total_variation(
    image: Tensor, form: TVForm = "anisotropic", *, epsilon: float = 1e-6, weight: Tensor | None = None
) -> Tensor:
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
    weight : Tensor, optional
        Shape (N, 1, H, W), in [0, 1]; a difference between pixels counts by the product of their weights.

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
    if weight is not None:
        dx = dx * functional.pad(weight[..., :, 1:] * weight[..., :, :-1], (0, 1))
        dy = dy * functional.pad(weight[..., 1:, :] * weight[..., :-1, :], (0, 0, 0, 1))
    if form == "anisotropic":
        return _mean(dx.abs() + dy.abs(), weight)
    if form == "isotropic":
        return _mean(torch.sqrt(dx**2 + dy**2 + epsilon**2) - epsilon, weight)
    if form == "squared":
        return _mean(dx**2 + dy**2, weight)
    raise ValueError(f"form must be 'anisotropic', 'isotropic' or 'squared', received {form!r}")


def boundary_bce(
    logits: Tensor, target: Tensor, weight: Tensor | None = None, *, positive_weight: float | None = 4.0
) -> Tensor:
    """Return the binary cross-entropy of a boundary map, a scalar.

    Boundary pixels are few, hence weigh more.

    Parameters
    ----------
    logits : Tensor
        Any shape; sigmoid(logits) is the boundary probability.
    target : Tensor
        Same shape, values in [0, 1]: the share of annotators who drew a border there.
    weight : Tensor, optional
        Same shape, in [0, 1]: how much each pixel counts.
    positive_weight : float, optional
        Weight of a boundary pixel relative to any other. None balances the classes: the number of the others divided by
        that of the boundary pixels in `target`, between 1 and 100.
    """
    if logits.shape != target.shape:
        raise ValueError(f"logits and target differ in shape: {tuple(logits.shape)}, {tuple(target.shape)}")
    if positive_weight is None:
        share = _mean(target, weight)
        positive = ((1.0 - share) / share.clamp(min=1e-6)).clamp(1.0, 100.0).to(logits.dtype)
    else:
        positive = torch.as_tensor(positive_weight, dtype=logits.dtype, device=logits.device)
    if weight is None:
        return functional.binary_cross_entropy_with_logits(logits, target, pos_weight=positive)
    loss = functional.binary_cross_entropy_with_logits(logits, target, pos_weight=positive, reduction="none")
    return _mean(loss, weight)


def soft_association(
    features: Tensor, cell: int, *, position_weight: float, iterations: int = 3, weight: Tensor | None = None
) -> Tensor:
    """Return how much each pixel belongs to each of its 9 nearest superpixels.

    Superpixels start as the squares of a grid; a pixel's candidates are its own square and the 8 around it. Means of
    features and positions, weighted by association, and associations, by distance to the means, follow each other.

    Parameters
    ----------
    features : Tensor
        Shape (N, C, H, W), with H and W multiples of `cell`; distances of 1 count as far.
    cell : int
        Side of a square in pixels.
    position_weight : float
        Distance in features that a distance of one `cell` in the image is worth.
    iterations : int
        How often associations are computed.
    weight : Tensor, optional
        Shape (N, 1, H, W), in [0, 1]: how much each pixel counts in the means. Squares in which none does are no
        candidates, unless a pixel has no other.

    Returns
    -------
    Tensor
        Shape (N, 9, H, W); candidates in rows from top left to bottom right; sums to 1 over them. Candidates outside
        the image have 0.

    Notes
    -----
    V. Jampani et al., "Superpixel Sampling Networks", ECCV 2018, doi:10.1007/978-3-030-01234-2_22.
    """
    if features.shape[2] % cell or features.shape[3] % cell:
        raise ValueError(f"height and width must be multiples of {cell}, received {tuple(features.shape[2:])}")
    full = torch.cat([features, position_weight * _positions(features, cell)], 1)  # (N, C + 2, H, W)
    if weight is None:
        centres = functional.avg_pool2d(full, cell)  # (N, C + 2, H / cell, W / cell)
        counts = torch.ones_like(centres[:, :1])
    else:
        counts = functional.avg_pool2d(weight, cell)
        centres = functional.avg_pool2d(weight * full, cell) / counts.clamp(min=_LEAST)
    is_candidate = _around(counts, cell)[:, :, 0] > 0  # (N, 9, H, W)
    is_candidate = is_candidate | ~is_candidate.any(1, keepdim=True)
    association = full
    for iteration in range(iterations):
        if iteration:
            centres = _gathered(full, association if weight is None else weight * association, cell)
        distance = (full[:, None] - _around(centres, cell)).square().sum(2)  # (N, 9, H, W)
        association = torch.softmax((-distance).masked_fill(~is_candidate, -torch.inf), 1)
    return association


def association_loss(
    prediction: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    cell: int,
    color_scale: float = 20.0,
    position_weight: float = 1.0,
) -> Tensor:
    """Return how badly soft superpixels of a prediction keep the target together, a scalar.

    Each pixel is given the mean target of the superpixels that it belongs to; what it then differs from its own target
    is what superpixels mix that should be apart. The gradient tells the network to move colours so that they do not.

    Parameters
    ----------
    prediction : Tensor
        Flattened images, shape (N, C, H, W); rows and columns beyond the last whole `cell` are left out.
    target : Tensor
        Same shape: images with one colour for each superpixel that the ground truth allows.
    weight : Tensor, optional
        Shape (N, 1, H, W), in [0, 1]: how much each pixel counts, in the superpixels' means too.
    cell : int
        Side in pixels of the squares that superpixels start from.
    color_scale : float
        Distance that a change of a colour by 1 counts as.
    position_weight : float
        Distance that one `cell` in the image counts as.

    Notes
    -----
    The reconstruction of Jampani et al. (see :func:`soft_association`), also used by F. Yang et al., "Superpixel
    Segmentation with Fully Convolutional Networks", CVPR 2020, arXiv:2003.12929.
    """
    _check_shapes(prediction, target)
    height, width = (cell * (side // cell) for side in prediction.shape[2:])
    prediction, target = prediction[:, :, :height, :width], target[:, :, :height, :width]
    weight = None if weight is None else weight[:, :, :height, :width]
    association = soft_association(color_scale * prediction, cell, position_weight=position_weight, weight=weight)
    counted = association if weight is None else weight * association
    means = _around(_gathered(target, counted, cell), cell)  # (N, 9, C, H, W)
    return mse((association[:, :, None] * means).sum(1), target, weight)


def _mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean of values (N, C, H, W) with weights (N, 1, H, W)."""
    if weight is None:
        return values.mean()
    return (values * weight).sum() / weight.expand_as(values).sum().clamp(min=_LEAST)


def _check_shapes(prediction: Tensor, target: Tensor) -> None:
    if prediction.shape != target.shape:
        raise ValueError(f"prediction and target differ in shape: {tuple(prediction.shape)}, {tuple(target.shape)}")


def _positions(like: Tensor, cell: int) -> Tensor:
    """Return row and column of each pixel in cells, shape (N, 2, H, W)."""
    rows, columns = (torch.arange(side, dtype=like.dtype, device=like.device) / cell for side in like.shape[2:])
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"))[None].expand(like.shape[0], -1, -1, -1)


def _around(cells: Tensor, cell: int) -> Tensor:
    """Return for each pixel the values of the 9 cells around it, 0 outside: (N, C, h, w) to (N, 9, C, H, W)."""
    batch, channels, height, width = cells.shape
    near = functional.unfold(cells, 3, padding=1).reshape(batch, channels * 9, height, width)
    pixels = near.repeat_interleave(cell, 2).repeat_interleave(cell, 3)  # (N, C * 9, H, W)
    return pixels.reshape(batch, channels, 9, height * cell, width * cell).transpose(1, 2)


def _gathered(values: Tensor, association: Tensor, cell: int) -> Tensor:
    """Return the mean of values in each superpixel: (N, C, H, W) and (N, 9, H, W) to (N, C, h, w)."""
    batch, channels, height, width = values.shape
    ones = torch.ones_like(values[:, :1])
    weighted = association[:, :, None] * torch.cat([values, ones], 1)[:, None]  # (N, 9, C + 1, H, W)
    sums = functional.avg_pool2d(weighted.reshape(batch, -1, height, width), cell).transpose(0, 1)
    sums = sums.reshape(9, channels + 1, batch, height // cell, width // cell).permute(2, 1, 0, 3, 4)
    total = functional.fold(
        sums.reshape(batch, (channels + 1) * 9, -1), (height // cell, width // cell), 3, padding=1
    )  # (N, C + 1, h, w)
    return total[:, :channels] / total[:, channels:].clamp(min=_LEAST)
