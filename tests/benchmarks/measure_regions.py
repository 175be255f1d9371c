"""How good the merge tree, the doubts and the suggested classes are: `python tests/benchmarks/measure_regions.py`.

    python tests/benchmarks/measure_regions.py --bsds DIR --nuclei DIR [--every N] [--output FILE.md]

Writes the tables of docs/correct-hierarchy.md. BSDS500's split `val`; nuclei: a folder with images/*.png and
labels/*.png, 0 the background.
"""

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from rich.console import Console
from rich.progress import track
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from napari_superpixels.core.eikonal import new_cancel_flag
from napari_superpixels.core.merge_tree import merge_tree
from napari_superpixels.core.region_graph import HALF_STEP, RegionGraph
from napari_superpixels.data.bsds import list_bsds, read_bsds
from napari_superpixels.engine.doubt import leak_probability
from napari_superpixels.engine.pipeline import Pipeline
from napari_superpixels.engine.region_model import RegionModel, plane_maps, region_model
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.params import SegmentParams

FINE = 1000
COARSER = (400, 200, 100, 50, 25)
PAINTED = (3, 10, 30)
LEAK = 0.1


@dataclass
class Picture:
    """An image's superpixels and its ground truths."""

    labels: np.ndarray
    model: RegionModel
    truths: list[np.ndarray]
    direct: dict[int, np.ndarray]

    def overlap(self, truth: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Return the number of pixels that each label shares with each segment."""
        labels = self.labels if labels is None else labels
        n = int(truth.max()) + 1
        return np.bincount((labels.astype(np.int64) * n + truth).ravel(), minlength=n * (labels.max() + 1)).reshape(
            -1, n
        )

    def accuracy(self, labels: np.ndarray) -> float:
        """Return the achievable segmentation accuracy, mean over annotators."""
        return float(np.mean([self.overlap(truth, labels).max(axis=1).sum() / labels.size for truth in self.truths]))

    def leaks(self) -> np.ndarray:
        """Return for each label whether more than a tenth of it lies in another object than the rest."""
        shares = [1 - o.max(axis=1) / np.maximum(o.sum(axis=1), 1) for o in map(self.overlap, self.truths)]
        return np.mean(shares, axis=0) > LEAK


def picture(image: np.ndarray, truths: list[np.ndarray], n_segments: int, coarser: tuple[int, ...] = ()) -> Picture:
    pipeline, inputs = Pipeline(), ImageInput(image, source="image", key="image")
    result = pipeline.run(inputs, SegmentParams(n_segments=n_segments))
    labels = np.ascontiguousarray(result.superpixels.labels)
    model = region_model(plane_maps(result), labels, new_cancel_flag())
    direct = {n: pipeline.run(inputs, SegmentParams(n_segments=n)).superpixels.labels for n in coarser}
    return Picture(labels, model, truths, direct)


def photographs(folder: Path, every: int) -> Iterator[Picture]:
    for name in track(list_bsds(folder, "val")[::every], "BSDS500"):
        sample = read_bsds(folder, "val", name)
        yield picture(sample.image, list(sample.ground_truths), FINE, COARSER)


def nuclei(folder: Path, every: int) -> Iterator[Picture]:
    for path in track(sorted((folder / "images").glob("*.png"))[::every], "Nuclei"):
        image = iio.imread(path)
        image = image[..., :3] if image.ndim == 3 else image
        truth = iio.imread(folder / "labels" / path.name).astype(np.int64)
        yield picture(image, [truth], FINE if image.shape[0] > 400 else 400)


def restrengthened(graph: RegionGraph, what: str) -> RegionGraph:
    """Return a copy of a graph whose borders have another strength."""
    copy = RegionGraph(graph.sizes, graph.color_sums, graph.edges, graph.lengths, graph.evidence, graph.has_boundary)
    distance = np.linalg.norm(graph.colors[graph.edges[:, 0]] - graph.colors[graph.edges[:, 1]], axis=1)
    strengths = {
        "colour": distance / (distance + HALF_STEP),
        "boundary": graph.evidence / graph.lengths / 32767,
    }
    copy.__dict__["strengths"] = strengths[what].astype(np.float32)
    return copy


def edited(shot: Picture, n_edits: int, rng: np.random.Generator) -> tuple[np.ndarray, RegionModel]:
    """Merge neighbours and split superpixels at random."""
    labels, model = shot.labels.copy(), shot.model
    whole = (slice(0, labels.shape[0]), slice(0, labels.shape[1]))
    for i in range(n_edits):
        before, label = labels.copy(), int(rng.choice(model.tree.labels))
        if i % 2:
            labels[labels == label] = other = int(model.graph.neighbors(label)[0])
        else:
            where = np.argwhere(labels == label)
            half = where[where[:, 1] > np.median(where[:, 1])]
            labels[tuple(half.T)] = other = model.graph.n_labels + 1
        model = model.updated(whole, before, labels, np.array([label, other], np.int32))
    return labels, model


def tree_rows(shots: list[Picture]) -> Iterator[list[str]]:
    """Yield the rows about the tree."""
    yield ["ASA", *(f"{n} regions" for n in COARSER)]

    def row(name: str, of: Any) -> list[str]:
        return [name, *(f"{np.mean([of(shot, n) for shot in shots]):.4f}" for n in COARSER)]

    def of_tree(what: str) -> Any:
        trees = {id(s): merge_tree(restrengthened(s.model.graph, what)) for s in shots}
        return lambda shot, n: shot.accuracy(trees[id(shot)].labels_at(n)[shot.labels])

    yield row("so many superpixels grown at once", lambda shot, n: shot.accuracy(shot.direct[n]))
    yield row(f"merged from {FINE}: colour alone", of_tree("colour"))
    yield row(f"merged from {FINE}: boundary alone", of_tree("boundary"))
    yield row(f"merged from {FINE}: both", lambda s, n: s.accuracy(s.model.tree.labels_at(n)[s.labels]))
    rng = np.random.default_rng(0)
    changed = {id(shot): edited(shot, 50, rng) for shot in shots}
    anew = {id(s): merge_tree(changed[id(s)][1].graph) for s in shots}
    yield row(
        "both, after 50 edits, updated", lambda s, n: s.accuracy(changed[id(s)][1].tree.labels_at(n)[changed[id(s)][0]])
    )
    yield row("both, after 50 edits, made anew", lambda s, n: s.accuracy(anew[id(s)].labels_at(n)[changed[id(s)][0]]))


def doubt_rows(sets: dict[str, list[Picture]]) -> Iterator[list[str]]:
    """Yield the rows about superpixels that straddle an edge."""
    yield ["superpixels", "share that leaks", "area under the ROC curve", "share among the 20 most doubtful"]
    for name, shots in sets.items():
        found = []
        for shot in shots:
            leaks, score = shot.leaks()[1:], leak_probability(shot.model)[1:]
            if 5 <= leaks.sum() < leaks.size:
                found.append((leaks.mean(), roc_auc_score(leaks, score), leaks[np.argsort(-score)[:20]].mean()))
        yield [name, *(f"{value:.3f}" for value in np.mean(found, axis=0))]


def classified(name: str, shot: Picture) -> np.ndarray:
    """Return a class for each superpixel: nucleus or not; in photographs the largest segments, pure superpixels."""
    overlap = shot.overlap(shot.truths[0])
    if name == "nuclei":
        inside = overlap[:, 1:].sum(axis=1) / np.maximum(overlap.sum(axis=1), 1)
        classes = np.where(inside > 0.5, 1, 2)
        classes[0] = 0
        return classes
    main, pure = overlap.argmax(axis=1), overlap.max(axis=1) > 0.8 * overlap.sum(axis=1)
    counts = np.bincount(main[1:][pure[1:]])
    classes = np.zeros(len(main), int)
    for number, segment in enumerate(np.argsort(-counts)[:5], 1):
        if counts[segment] >= 50:
            classes[(main == segment) & pure] = number
    classes[0] = 0
    return classes


CLASSIFIERS: dict[str, Any] = {
    "logistic regression": lambda: make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=300)
    ),
    "random forest": lambda: RandomForestClassifier(100, class_weight="balanced", random_state=0),
    "extremely randomised trees": lambda: ExtraTreesClassifier(100, class_weight="balanced", random_state=0),
}


def suggestion_rows(sets: dict[str, list[Picture]]) -> Iterator[list[str]]:
    """Yield the rows about suggested classes."""
    yield ["accuracy on the other superpixels", *(f"{name}, {n} each" for name in sets for n in PAINTED)]
    for surroundings in (False, True):
        for classifier, make in CLASSIFIERS.items():
            row = [f"{classifier}, {'with' if surroundings else 'without'} surroundings"]
            for name, shots in sets.items():
                row += [f"{accuracy(name, shots, make, surroundings, n):.3f}" for n in PAINTED]
            yield row


def accuracy(name: str, shots: list[Picture], make: Any, surroundings: bool, n_painted: int) -> float:
    found = []
    for i, shot in enumerate(shots):
        classes = classified(name, shot)
        numbers, counts = np.unique(classes[classes > 0], return_counts=True)
        if len(numbers) < 2 or counts.min() < 2 * min(PAINTED):
            continue
        features = shot.model.sums.features(shot.model.graph if surroundings else None)
        rng = np.random.default_rng(i)
        painted = np.concatenate([rng.permutation(np.flatnonzero(classes == k))[:n_painted] for k in numbers])
        others = np.setdiff1d(np.flatnonzero(classes), painted)
        if len(others):
            with warnings.catch_warnings(action="ignore"):
                guess = make().fit(features[painted], classes[painted]).predict(features[others])
            found.append(np.mean(guess == classes[others]))
    return float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bsds", type=Path, required=True)
    parser.add_argument("--nuclei", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="take every N-th image")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    sets = {
        "BSDS500": list(photographs(options.bsds, options.every)),
        "nuclei": list(nuclei(options.nuclei, options.every)),
    }
    tables = [list(tree_rows(sets["BSDS500"])), list(doubt_rows(sets)), list(suggestion_rows(sets))]
    text = "\n".join("\n".join(["| " + " | ".join(row) + " |" for row in table]) + "\n" for table in tables)
    Console().print(text, highlight=False, soft_wrap=True)
    if options.output:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
