"""From what a hand draws to pixels: strokes, their two sides, and areas."""

import numpy as np
import numpy.typing as npt

_NO_BOX = (slice(0, 0), slice(0, 0))


def pixel_path(points: npt.ArrayLike, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Return the pixels under a stroke of straight lines.

    Parameters
    ----------
    points : array_like of shape (n, 2), float
        Row and column of the stroke's corners, in pixels whose centres lie at whole numbers; any n, also 0.
    shape : tuple of int
        Shape (M, N) of the image.

    Returns
    -------
    ndarray of shape (m, 2), int64
        Row and column of each pixel, in the stroke's order. Each is a 4-neighbour of the one before, none is repeated
        in a row. What lies outside the image is left out: only there the path jumps.

    Raises
    ------
    ValueError
        If the points are not (n, 2) finite numbers.
    """
    corners = np.asarray(points, float)
    if corners.size == 0:
        return np.empty((0, 2), np.int64)
    if corners.ndim != 2 or corners.shape[1] != 2 or not np.all(np.isfinite(corners)):
        raise ValueError(f"points must be finite numbers of shape (n, 2); received shape {corners.shape}, {points!r}")
    extent = np.array(shape)
    # A stroke that goes on far outside is cut short there, so that its length stays bounded.
    ends = np.floor(np.clip(corners, -extent, 2 * extent) + 0.5).astype(np.int64)
    step = np.diff(ends, axis=0)
    n_steps = np.abs(step).sum(axis=1)
    segment = np.repeat(np.arange(len(step)), n_steps)
    done = np.arange(segment.size) - np.repeat(np.cumsum(n_steps) - n_steps, n_steps) + 1
    rows = np.abs(step[segment, 0])
    # Of `done` steps as many go along the rows as the straight line asks for, rounded; so each step changes one axis.
    along_rows = (2 * done * rows + n_steps[segment]) // np.maximum(2 * n_steps[segment], 1)
    moved = np.stack([along_rows, done - along_rows], axis=1) * np.sign(step[segment])
    path = np.concatenate([ends[:1], ends[segment] + moved])
    path = path[np.all((path >= 0) & (path < extent), axis=1)]
    return path[np.append(True, np.any(np.diff(path, axis=0) != 0, axis=1))] if len(path) else path


def beside_path(path: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the pixels on the right-hand side of a path, and the pairs that a border along it divides.

    Parameters
    ----------
    path : ndarray of shape (m, 2), int64
        Pixels; consecutive ones are 4-neighbours, except where the path jumps.

    Returns
    -------
    strip : ndarray of shape (s, 2), int64
        Pixels on the right that are not on the path themselves, 4-connected along a path that neither jumps nor meets
        itself; some may lie outside the image.
    pairs : ndarray of shape (p, 2, 2), int64
        Each a pixel of the path and its 4-neighbour in the strip, all different.
    """
    step = np.diff(path, axis=0)
    is_step = np.abs(step).sum(axis=1) == 1
    right = np.stack([step[:, 1], -step[:, 0]], axis=1)
    pairs = np.concatenate(
        [
            np.stack([path[:-1], path[:-1] + right], axis=1)[is_step],
            np.stack([path[1:], path[1:] + right], axis=1)[is_step],
        ]
    )
    turns_left = is_step[:-1] & is_step[1:] & np.all(step[1:] == -right[:-1], axis=1)
    corners = (path[1:-1] + right[:-1] + right[1:])[turns_left]
    on_path = set(map(tuple, path.tolist()))
    pairs = np.unique(pairs, axis=0) if len(pairs) else pairs
    pairs = pairs[[tuple(pair[1]) not in on_path for pair in pairs.tolist()]]
    strip = np.concatenate([pairs[:, 1], corners])
    strip = np.unique(strip, axis=0) if len(strip) else strip
    return strip[[tuple(pixel) not in on_path for pixel in strip.tolist()]], pairs


def pixels_inside(polygon: npt.ArrayLike, shape: tuple[int, int]) -> tuple[tuple[slice, slice], npt.NDArray[np.bool_]]:
    """Return the pixels whose centres lie in a polygon, as a box and a mask.

    Parameters
    ----------
    polygon : array_like of shape (n, 2), float
        Row and column of its corners (a rectangle's, a lasso's), closed by itself; n at least 1.
    shape : tuple of int
        Shape (M, N) of the image.

    Returns
    -------
    box : tuple of slice
        Bounding box in the image; empty where the polygon holds no pixel.
    mask : ndarray of the box's shape, bool
        True inside. A polygon drawn over itself is inside where an odd number of its turns is.

    Raises
    ------
    ValueError
        If the corners are not (n, 2) finite numbers.
    """
    corners = np.asarray(polygon, float)
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) == 0 or not np.all(np.isfinite(corners)):
        raise ValueError(
            f"polygon must be finite numbers of shape (n, 2), n at least 1; received shape {corners.shape}"
        )
    first = np.maximum(np.ceil(corners.min(axis=0)), 0).astype(np.int64)
    last = np.minimum(np.floor(corners.max(axis=0)), np.array(shape) - 1).astype(np.int64)
    if np.any(last < first):
        return _NO_BOX, np.zeros((0, 0), bool)
    mask = _filled(corners, first, last)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return _NO_BOX, np.zeros((0, 0), bool)
    part = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    box = tuple(slice(side.start + int(at), side.stop + int(at)) for side, at in zip(part, first, strict=True))
    return (box[0], box[1]), mask[part]


def _filled(
    corners: npt.NDArray[np.float64], first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Return which pixels of a window, from its first to its last row and column, lie in a polygon or on its edges.

    Row by row, a pixel is inside where an odd number of edges lies to its left. The work grows with the window and the
    polygon's outline, not with their product, so that a lasso of many corners over a large image does not take seconds.
    """
    starts, ends = corners, np.roll(corners, -1, axis=0)
    low, high = np.minimum(starts[:, 0], ends[:, 0]), np.maximum(starts[:, 0], ends[:, 0])
    top = np.maximum(np.ceil(low), first[0]).astype(np.int64)
    n_rows = np.maximum(np.minimum(np.floor(high), last[0]).astype(np.int64) - top + 1, 0)
    edge = np.repeat(np.arange(len(corners)), n_rows)
    row = top[edge] + np.arange(edge.size) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows)
    height = np.where(high > low, ends[:, 0] - starts[:, 0], np.inf)
    # The share of the edge above the row, at most 1, and no slope, which can be infinite.
    column = starts[edge, 1] + (row - starts[edge, 0]) / height[edge] * (ends[:, 1] - starts[:, 1])[edge]
    shape = last - first + 1
    turns = np.zeros((shape[0], shape[1] + 1), np.uint8)
    # A corner between two edges counts once: each edge is without its lower end.
    crosses = row < high[edge]
    at = np.clip(np.ceil(column[crosses]) - first[1], 0, shape[1]).astype(np.int64)
    np.bitwise_xor.at(turns, (row[crosses] - first[0], at), 1)
    mask = np.bitwise_xor.accumulate(turns[:, :-1], axis=1).view(bool)
    is_on = (column == np.floor(column)) & (column >= first[1]) & (column <= last[1])
    mask[row[is_on] - first[0], column[is_on].astype(np.int64) - first[1]] = True
    for (level, start), (_, end) in zip(starts[low == high], ends[low == high], strict=True):
        if level == np.floor(level) and first[0] <= level <= last[0]:
            left, right = np.clip((np.ceil(min(start, end)), np.floor(max(start, end)) + 1), first[1], last[1] + 1)
            mask[int(level - first[0]), int(left - first[1]) : int(right - first[1])] = True
    return mask
