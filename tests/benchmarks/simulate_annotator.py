"""How much work superpixels save: `python tests/benchmarks/simulate_annotator.py BSDS500 NUCLEI [--output FILE.md]`.

A simulated annotator marks objects until the mask reaches an IoU of 0.95 with the ground truth. All that the hand does
between pressing and releasing a button counts as one interaction, and the annotator, who knows the ground truth, always
takes the interaction that puts most pixels right, by its cost. The rules are the same for all methods:

- A *brush stroke* is a straight line of at most 100 pixels with a round brush of radius 1, 2, 4, ... 64 pixels; it
  paints or erases. Changing the brush, or between the two, is free.
- A *superpixel stroke* is a straight line of at most 100 pixels; all superpixels that it crosses are painted whole. A
  click erases one. What is left wrong is put right with the brush, as soon as that puts more pixels right.

With our superpixels the annotator has two things more, as the Correct widget has:

- A *coarser click* paints all superpixels that lie together at a coarser level; it counts as two, one for the wheel.
- *Suggestions*, where there are more than ten objects: four strokes over objects and four over the rest, then all
  suggestions are accepted; nine interactions.

The methods: our superpixels (default parameters; the network `nuclei` for nuclei), those of scikit-image's SLIC (as
near to their number as a few runs come), and the brush alone.

Images: the nuclei of the 20 images whose names begin with c, d, e or f, on which `nuclei` was not trained, with two
superpixels to a nucleus; and in the first 20 validation photographs of BSDS500 that have one, the largest segment of
the first annotator that does not touch the border of the image, with 800 superpixels.
"""

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track
from scipy import ndimage
from skimage import measure
from skimage.draw import line
from skimage.io import imread
from skimage.segmentation import slic

from napari_superpixels.core.eikonal import new_cancel_flag
from napari_superpixels.data.bsds import list_bsds, read_bsds
from napari_superpixels.engine.pipeline import Pipeline, SolveResult
from napari_superpixels.engine.region_model import plane_maps, region_model
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.engine.suggestions import class_probabilities
from napari_superpixels.params import SegmentParams

GOAL = 0.95
LONGEST = 100
RADII = (1, 2, 4, 8, 16, 32, 64)
N_DIRECTIONS = 16
N_IMAGES = 20
MOST_INTERACTIONS = 5000
LARGEST_GROUP = 200
PER_NUCLEUS = 2
N_SEGMENTS = 800
FEW = 10
N_LESSONS = 4
N_ENDS = 200


@dataclass(frozen=True)
class Task:
    """An image, what is to be marked in it, and with how many superpixels."""

    name: str
    image: npt.NDArray[Any]
    target: npt.NDArray[np.bool_]
    n_segments: int
    model: str


@dataclass(frozen=True)
class Offer:
    """What the hand could do next."""

    cost: int
    gain: int
    act: Callable[[], None]


@nb.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def capsule_gain(value: Any, row: float, col: float, to_row: float, to_col: float, radius: float) -> int:
    """Return the sum of `value` over the pixels within `radius` of a line."""
    n_rows, n_cols = value.shape
    d_row, d_col = to_row - row, to_col - col
    length2 = d_row * d_row + d_col * d_col
    total = 0
    for i in range(max(0, int(min(row, to_row) - radius)), min(n_rows, int(max(row, to_row) + radius) + 1)):
        for j in range(max(0, int(min(col, to_col) - radius)), min(n_cols, int(max(col, to_col) + radius) + 1)):
            t = 0.0
            if length2 > 0:
                t = min(1.0, max(0.0, ((i - row) * d_row + (j - col) * d_col) / length2))
            if (i - row - t * d_row) ** 2 + (j - col - t * d_col) ** 2 <= radius * radius:
                total += value[i, j]
    return total


@nb.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def paint_capsule(mask: Any, row: float, col: float, to_row: float, to_col: float, radius: float, new: bool) -> None:
    """Set the pixels within `radius` of a line."""
    n_rows, n_cols = mask.shape
    d_row, d_col = to_row - row, to_col - col
    length2 = d_row * d_row + d_col * d_col
    for i in range(max(0, int(min(row, to_row) - radius)), min(n_rows, int(max(row, to_row) + radius) + 1)):
        for j in range(max(0, int(min(col, to_col) - radius)), min(n_cols, int(max(col, to_col) + radius) + 1)):
            t = 0.0
            if length2 > 0:
                t = min(1.0, max(0.0, ((i - row) * d_row + (j - col) * d_col) / length2))
            if (i - row - t * d_row) ** 2 + (j - col - t * d_col) ** 2 <= radius * radius:
                mask[i, j] = new


class Hand:
    """A mask under the annotator's hand, and how often the hand has acted."""

    def __init__(self, target: npt.NDArray[np.bool_]) -> None:
        self.target = target
        self.mask = np.zeros_like(target)
        self.n_interactions = 0

    @property
    def iou(self) -> float:
        """Intersection over union of the mask and the target."""
        return float(np.sum(self.mask & self.target) / max(1, np.sum(self.mask | self.target)))

    def offers(self) -> "Iterator[Offer]":
        """Yield the best interaction of each kind."""
        best: tuple[int, tuple[Any, ...]] = (0, ())
        for new in (True, False):
            wrong = (self.target & ~self.mask) if new else (self.mask & ~self.target)
            if not wrong.any():
                continue
            # What is right already neither gains nor loses; outside the wrong pixels a stroke does harm.
            value = np.where(wrong, 1, np.where(self.mask == new, 0, -1)).astype(np.int8)
            depth = ndimage.distance_transform_edt(np.pad(wrong, 1))[1:-1, 1:-1]
            start = np.unravel_index(int(depth.argmax()), depth.shape)
            best = max(best, self._stroke_from(value, start, float(depth[start]), new), key=lambda one: one[0])
        yield Offer(1, best[0], lambda: paint_capsule(self.mask, *best[1]))

    @staticmethod
    def _stroke_from(
        value: npt.NDArray[np.int8], start: tuple[Any, ...], depth: float, new: bool
    ) -> tuple[int, tuple[Any, ...]]:
        fitting = [r for r in RADII if r <= depth]
        radii = sorted({*fitting[-2:], RADII[min(len(fitting), len(RADII) - 1)]})
        row, col = (float(x) for x in start)
        best: tuple[int, tuple[Any, ...]] = (0, ())
        for radius in radii:
            for angle in np.arange(N_DIRECTIONS) * 2 * np.pi / N_DIRECTIONS:
                for length in (0, LONGEST / 8, LONGEST / 4, LONGEST / 2, 3 * LONGEST / 4, LONGEST):
                    end = (row + length * np.sin(angle), col + length * np.cos(angle))
                    gain = capsule_gain(value, row, col, *end, float(radius))
                    if gain > best[0]:
                        best = (gain, (row, col, *end, float(radius), new))
        return best


class SuperpixelHand(Hand):
    """A hand that paints whole superpixels too."""

    def __init__(self, target: npt.NDArray[np.bool_], labels: npt.NDArray[Any]) -> None:
        super().__init__(target)
        self.labels = labels
        self._is_object = np.bincount(labels.ravel(), np.where(target, 1, -1).ravel()) > 0
        boxes = ndimage.find_objects(labels)
        self.points = {label: _deepest(labels, boxes[label - 1], label) for label in np.unique(labels)}
        self._strokes = self.strokes_between(np.flatnonzero(self._is_object))

    def strokes_between(self, ends: npt.NDArray[Any]) -> "Choices":
        """Return the superpixels that each stroke from one of some superpixels to another crosses."""
        places = np.array([self.points[label] for label in ends]).reshape(-1, 2)
        crossed = []
        for i, point in enumerate(places):
            for other in places[i:][np.hypot(*(places[i:] - point).T) <= LONGEST]:
                crossed.append(np.unique(self.labels[line(*point, *other)]))
        return Choices(crossed)

    def offers(self) -> Iterator[Offer]:
        """Yield the best interaction of each kind."""
        yield from super().offers()
        gains = self.gains(1)
        yield self._offer(1, gains, self._strokes, True)
        erased = self.gains(-1)
        worst = int(erased.argmax())
        yield Offer(1, int(erased[worst]), lambda: self.paint(np.array([worst]), False))

    def gains(self, sign: int) -> npt.NDArray[np.float64]:
        """Return how many pixels painting each superpixel (1), or erasing it (-1), puts right."""
        is_open = self.mask != (sign > 0)
        value = np.where(is_open, np.where(self.target == (sign > 0), 1, -1), 0)
        return np.bincount(self.labels.ravel(), value.ravel(), minlength=self.labels.max() + 1)

    def paint(self, labels: npt.NDArray[Any], new: bool = True) -> None:
        """Paint or erase superpixels."""
        self.mask[np.isin(self.labels, labels)] = new

    def _offer(self, cost: int, gains: npt.NDArray[np.float64], choices: "Choices", new: bool) -> Offer:
        gain, labels = choices.best(gains)
        return Offer(cost, gain, lambda: self.paint(labels, new))


class OurHand(SuperpixelHand):
    """A hand with our superpixels: coarser clicks and suggestions come with them."""

    def __init__(self, target: npt.NDArray[np.bool_], result: SolveResult) -> None:
        super().__init__(target, np.ascontiguousarray(result.superpixels.labels))
        self._model = region_model(plane_maps(result), self.labels, new_cancel_flag())
        tree = self._model.tree
        joins = (tree.labels_under(node) for node in range(tree.n_leaves, len(tree.parents)))
        self._groups = Choices([labels for labels in joins if len(labels) <= LARGEST_GROUP])

    def offers(self) -> Iterator[Offer]:
        """Yield the best interaction of each kind."""
        yield from super().offers()
        yield self._offer(2, self.gains(1), self._groups, True)

    def teach(self, seed: int) -> None:
        """Paint some of the object and of the rest, then accept the classes that are suggested for all others."""
        class_of = np.zeros(self.labels.max() + 1, np.uint8)
        for _ in range(N_LESSONS):
            _, labels = self._strokes.best(self.gains(1))
            self.paint(labels)
            class_of[labels] = 1
        rest = np.flatnonzero(~self._is_object & np.isin(np.arange(len(class_of)), list(self.points)))
        ends = np.random.default_rng(seed).permutation(rest)[:N_ENDS]
        strokes = self.strokes_between(ends)
        for _ in range(N_LESSONS):
            # The longest stroke that crosses the rest alone, and nothing that is taught already.
            value = np.where(self._is_object, -1000, np.where(class_of == 0, 1, 0)).astype(float)
            _, labels = strokes.best(value)
            class_of[labels] = 2
        known = np.unique(class_of[class_of > 0])
        self.n_interactions += 2 * N_LESSONS + 1
        if len(known) < 2:
            return
        open_labels = np.array([label for label in self.points if class_of[label] == 0])
        features = self._model.sums.features(self._model.graph)
        numbers, shares = class_probabilities(features, class_of, open_labels)
        self.paint(open_labels[numbers[shares.argmax(axis=1)] == 1])


class Choices:
    """Sets of superpixels, of which one can be painted."""

    def __init__(self, sets: list[npt.NDArray[Any]]) -> None:
        self._labels = np.concatenate(sets) if sets else np.empty(0, int)
        self._starts = np.cumsum([0, *map(len, sets)])

    def best(self, gains: npt.NDArray[np.float64]) -> tuple[int, npt.NDArray[Any]]:
        """Return the largest sum of gains of a set, and the set."""
        if self._labels.size == 0:
            return 0, self._labels
        sums = np.add.reduceat(gains[self._labels], self._starts[:-1])
        i = int(sums.argmax())
        return int(sums[i]), self._labels[self._starts[i] : self._starts[i + 1]]


def _deepest(labels: npt.NDArray[Any], box: Any, label: int) -> tuple[int, int]:
    depth = ndimage.distance_transform_cdt(np.pad(labels[box] == label, 1), metric="taxicab")
    row, col = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(row) - 1 + box[0].start, int(col) - 1 + box[1].start


def annotate(hand: Hand) -> int:
    """Return how many interactions the hand needs to reach the goal."""
    while hand.iou < GOAL and hand.n_interactions < MOST_INTERACTIONS:
        offer = max(hand.offers(), key=lambda offer: offer.gain / offer.cost)
        if offer.gain <= 0:
            break
        offer.act()
        hand.n_interactions += offer.cost
    return hand.n_interactions


def count_interactions(task: Task) -> tuple[str, int, int, int, int]:
    """Return the name, the number of superpixels, and the interactions with ours, with SLIC and with the brush."""
    result = Pipeline().run(
        ImageInput(task.image, source=None, key=None), SegmentParams(model=task.model, n_segments=task.n_segments)
    )
    ours = OurHand(task.target, result)
    if measure.label(task.target, connectivity=1, return_num=True)[1] > FEW:
        ours.teach(seed=0)
    slic_hand = SuperpixelHand(task.target, _slic(task.image, task.n_segments))
    return task.name, task.n_segments, annotate(ours), annotate(slic_hand), annotate(Hand(task.target))


def _slic(image: npt.NDArray[Any], n_segments: int) -> npt.NDArray[Any]:
    """Return scikit-image's superpixels, as near to the number as a few runs come."""
    axis = -1 if image.ndim == 3 else None
    found: list[npt.NDArray[Any]] = []
    asked = n_segments
    for _ in range(6):
        labels = slic(image, asked, compactness=10 if axis else 0.1, sigma=1, channel_axis=axis, start_label=1)
        found.append(labels)
        n_found = len(np.unique(labels))
        if n_found == n_segments:
            break
        asked = max(1, round(asked * n_segments / n_found))
    return min(found, key=lambda labels: abs(len(np.unique(labels)) - n_segments))


def bsds_tasks(folder: Path) -> Iterator[Task]:
    """Yield one object of each photograph that has a large one away from its border."""
    n_found = 0
    for name in list_bsds(folder, "val"):
        sample = read_bsds(folder, "val", name)
        truth = sample.ground_truths[0]
        sizes = np.bincount(truth.ravel())
        sizes[np.concatenate([truth[0], truth[-1], truth[:, 0], truth[:, -1]])] = 0
        if sizes.max() < 0.01 * truth.size:
            continue
        yield Task(sample.name, sample.image, truth == sizes.argmax(), N_SEGMENTS, "natural")
        n_found += 1
        if n_found == N_IMAGES:
            return


def nuclei_tasks(folder: Path) -> Iterator[Task]:
    """Yield all nuclei of each image that the network was not trained on."""
    for file in sorted((folder / "images").iterdir()):
        if file.name[0] not in "cdef":
            continue
        truth = imread(folder / "labels" / file.name)
        n_nuclei = np.unique(truth[truth > 0]).size
        image = imread(file)
        n_segments = round(PER_NUCLEUS * truth.size / (np.count_nonzero(truth) / n_nuclei))
        yield Task(file.stem, image[..., :3] if image.ndim == 3 else image, truth > 0, n_segments, "nuclei")


def table(title: str, rows: list[tuple[str, int, int, int, int]]) -> str:
    """Return the interactions of a set of images as Markdown."""
    counts = np.array([row[2:] for row in rows], float)
    lines = [
        f"### {title}",
        "",
        "| | ours | SLIC | brush |",
        "|---|---:|---:|---:|",
        "| interactions, mean of the images | " + " | ".join(f"{n:.1f}" for n in counts.mean(axis=0)) + " |",
        "| median | " + " | ".join(f"{n:.1f}" for n in np.median(counts, axis=0)) + " |",
        "| ours against it, by the sums | | "
        + " | ".join(f"{counts[:, 0].sum() / n:.2f}" for n in counts.sum(axis=0)[1:])
        + " |",
        "| images on which ours needs least | " + f"{int(np.sum(counts[:, 0] <= counts[:, 1:].min(axis=1)))} | | |",
        "",
        "<details><summary>Each image</summary>",
        "",
        "| image | superpixels | ours | SLIC | brush |",
        "|---|---:|---:|---:|---:|",
        *("| " + " | ".join(map(str, row)) + " |" for row in rows),
        "",
        "</details>",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bsds", type=Path, help="folder of BSDS500")
    parser.add_argument("nuclei", type=Path, help="folder with images/ and labels/")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    text = []
    with ProcessPoolExecutor(2) as pool:
        for title, tasks in (("Nuclei", nuclei_tasks(options.nuclei)), ("Photographs", bsds_tasks(options.bsds))):
            listed = list(tasks)
            rows = list(track(pool.map(count_interactions, listed), title, total=len(listed)))
            text.append(table(title, rows))
    Console().print("\n".join(text), markup=False)
    if options.output is not None:
        options.output.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
