"""Compiled loops that count and find the pixels of superpixels, over a whole plane or in a box.

Everywhere `labels`, (M, N) int32, and `classes`, (M, N) uint8, are a plane; a box is top, left, bottom, right, the last
two exclusive; `boxes`, (n, 4) int32, `areas`, (n,) int64, and `counts`, (n, C) int32 pixels of each class, have a row
for each label; `majority`, (n,) uint8, is the most frequent class; `mixed`, (n,) bool, says whether there are several.
"""

from typing import Any

import numba as nb
import numpy as np

_jit: Any = nb.njit(nogil=True, cache=True)


@_jit
def scan_plane(labels: Any, classes: Any, boxes: Any, areas: Any, counts: Any, majority: Any, mixed: Any) -> None:
    """Fill the tables of all labels; `areas` and `counts` come as zeros."""
    n_rows, n_cols = labels.shape
    for i in range(n_rows):
        j = 0
        while j < n_cols:
            # Run by run: pixels beside each other mostly have the same label.
            label = labels[i, j]
            start = j
            while j < n_cols and labels[i, j] == label:
                counts[label, classes[i, j]] += 1
                j += 1
            if areas[label] == 0:
                boxes[label, 0], boxes[label, 1], boxes[label, 3] = i, start, j
            boxes[label, 1] = min(boxes[label, 1], start)
            boxes[label, 2] = i + 1
            boxes[label, 3] = max(boxes[label, 3], j)
            areas[label] += j - start
    for label in range(areas.size):
        _weigh(label, counts, majority, mixed)


@_jit
def _weigh(label: int, counts: Any, majority: Any, mixed: Any) -> None:
    best = 0
    n_present = 0
    for c in range(counts.shape[1]):
        n_present += counts[label, c] > 0
        if counts[label, c] > counts[label, best]:
            best = c
    majority[label] = best
    mixed[label] = n_present > 1


@_jit
def relabel(
    labels: Any,
    classes: Any,
    top: int,
    left: int,
    old: Any,
    boxes: Any,
    areas: Any,
    counts: Any,
    majority: Any,
    mixed: Any,
) -> None:
    """Bring the tables up to date after the labels of a box changed from `old`, (h, w) int32 at `top` and `left`."""
    touched = np.zeros(areas.size, np.uint8)
    n_rows, n_cols = old.shape
    for i in range(top, top + n_rows):
        for j in range(left, left + n_cols):
            before, after = old[i - top, j - left], labels[i, j]
            if before == after:
                continue
            c = classes[i, j]
            counts[before, c] -= 1
            areas[before] -= 1
            at_edge = i == boxes[before, 0] or i == boxes[before, 2] - 1
            at_edge = at_edge or j == boxes[before, 1] or j == boxes[before, 3] - 1
            touched[before] = max(touched[before], 2 if at_edge else 1)
            if areas[after] == 0:
                boxes[after, 0], boxes[after, 1], boxes[after, 2], boxes[after, 3] = i, j, i + 1, j + 1
            boxes[after, 0] = min(boxes[after, 0], i)
            boxes[after, 1] = min(boxes[after, 1], j)
            boxes[after, 2] = max(boxes[after, 2], i + 1)
            boxes[after, 3] = max(boxes[after, 3], j + 1)
            counts[after, c] += 1
            areas[after] += 1
            touched[after] = max(touched[after], 1)
    for label in range(areas.size):
        if touched[label]:
            _weigh(label, counts, majority, mixed)
        if touched[label] == 2:
            _shrink(labels, label, boxes)


@_jit
def _shrink(labels: Any, label: int, boxes: Any) -> None:
    """Fit a label's box, which may be too large, to its pixels."""
    top, left, bottom, right = boxes[label]
    first_row, first_col, last_row, last_col = bottom, right, top - 1, left - 1
    for i in range(top, bottom):
        for j in range(left, right):
            if labels[i, j] == label:
                first_row = min(first_row, i)
                last_row = i
                first_col = min(first_col, j)
                last_col = max(last_col, j)
    if last_row < first_row:
        boxes[label, :] = 0
        return
    boxes[label, 0], boxes[label, 1], boxes[label, 2], boxes[label, 3] = (
        first_row,
        first_col,
        last_row + 1,
        last_col + 1,
    )


@_jit
def reclass(labels: Any, classes: Any, top: int, left: int, old: Any, counts: Any, majority: Any, mixed: Any) -> None:
    """Bring the tables up to date after the classes of a box changed from `old`, (h, w) uint8 at `top` and `left`."""
    touched = np.zeros(majority.size, np.bool_)
    n_rows, n_cols = old.shape
    for i in range(top, top + n_rows):
        for j in range(left, left + n_cols):
            before, after = old[i - top, j - left], classes[i, j]
            if before != after:
                label = labels[i, j]
                counts[label, before] -= 1
                counts[label, after] += 1
                touched[label] = True
    for label in range(majority.size):
        if touched[label]:
            _weigh(label, counts, majority, mixed)


@_jit
def mark_labels(labels: Any, boxes: Any, wanted: Any, top: int, left: int, inside: Any) -> None:
    """Set `inside`, (h, w) bool at `top` and `left`, at the pixels of the wanted labels, which lie within it."""
    for k in range(wanted.size):
        label = wanted[k]
        for i in range(boxes[label, 0], boxes[label, 2]):
            for j in range(boxes[label, 1], boxes[label, 3]):
                if labels[i, j] == label:
                    inside[i - top, j - left] = True


@_jit
def middle_pixels(labels: Any, boxes: Any, wanted: Any, found: Any) -> None:
    """Find the pixel of each wanted label that is nearest to the middle of its box; `found` is (n, 2)."""
    for k in range(wanted.size):
        label = wanted[k]
        row = boxes[label, 0] + boxes[label, 2] - 1
        col = boxes[label, 1] + boxes[label, 3] - 1
        if labels[row // 2, col // 2] == label:
            found[k, 0], found[k, 1] = row // 2, col // 2
            continue
        least = np.int64(-1)
        for i in range(boxes[label, 0], boxes[label, 2]):
            for j in range(boxes[label, 1], boxes[label, 3]):
                if labels[i, j] == label:
                    distance = np.int64(2 * i - row) ** 2 + np.int64(2 * j - col) ** 2
                    if least < 0 or distance < least:
                        least = distance
                        found[k, 0], found[k, 1] = i, j


@_jit
def connected_labels(labels: Any, boxes: Any, majority: Any, start: int) -> Any:
    """Return the labels, without 0, that are reached from `start` through neighbours of the same majority class."""
    n_rows, n_cols = labels.shape
    reached = np.zeros(majority.size, np.bool_)
    reached[0] = True
    reached[start] = True
    queue = np.empty(majority.size, np.int64)
    queue[0] = start
    n_queued = 1
    at = 0
    while at < n_queued:
        label = queue[at]
        at += 1
        for i in range(boxes[label, 0], boxes[label, 2]):
            for j in range(boxes[label, 1], boxes[label, 3]):
                if labels[i, j] != label:
                    continue
                for step in range(4):
                    a = i + (step == 0) - (step == 1)
                    b = j + (step == 2) - (step == 3)
                    if a < 0 or b < 0 or a >= n_rows or b >= n_cols:
                        continue
                    other = labels[a, b]
                    if not reached[other] and majority[other] == majority[start]:
                        reached[other] = True
                        queue[n_queued] = other
                        n_queued += 1
    return queue[:n_queued]
