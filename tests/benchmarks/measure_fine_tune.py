"""What a few images teach a model: `python tests/benchmarks/measure_fine_tune.py NUCLEI [--bsds DIR]`.

Trains from the start model with the recipe of the preset Quick, once for each kind of image: the first images of a
choice teach, the others are held out and measured before and after, with superpixels of a quarter of an average
nucleus' area, and with 400. The last weights are measured, so that nothing is chosen on the held-out images. With
`--bsds`, the first model is measured on photographs too, and once more trained with reminders of what the start
model could.

NUCLEI: a folder with images/*.png and labels/*.png, 0 the background. The kinds are told by size, colour and nuclei.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import JsonValue
from rich.console import Console

from napari_superpixels.data.folders import folder_source
from napari_superpixels.data.sources import AnnotatedImage, DataSource, SourceItem, bsds_source
from napari_superpixels.engine.fine_tune_data import reminders
from napari_superpixels.engine.fine_tune_recipe import recipe
from napari_superpixels.engine.training import train_network
from napari_superpixels.engine.validation import ValidationConfig, choose_items, measure_network
from napari_superpixels.nets.checkpoint import Model, load_model
from napari_superpixels.params import FineTuneParams

MEASURE = "undersegmentation_error"
COUNTS = {"4 per nucleus": ValidationConfig(superpixels_per_object=4.0), "400": ValidationConfig(n_segments=400)}
N_PHOTOGRAPHS = 20
KEEP = 0.25


@dataclass(frozen=True)
class Traits:
    """What tells of which kind an image is."""

    shape: tuple[int, ...]
    is_colored: bool
    n_nuclei: int
    mean_area: float


@dataclass(frozen=True)
class Part:
    """An image of which the upper left corner alone is annotated."""

    whole: SourceItem
    share: float

    @property
    def name(self) -> str:
        """Name of the image."""
        return self.whole.name

    def read(self) -> AnnotatedImage:
        """Read the image."""
        read = self.whole.read()
        rows, columns = read.ground_truths[0].shape
        annotated = np.zeros((rows, columns), bool)
        annotated[: round(rows * self.share**0.5), : round(columns * self.share**0.5)] = True
        return replace(read, annotated=annotated)

    def fingerprint(self) -> list[JsonValue]:
        """Return what changes with the image or the share."""
        return [*self.whole.fingerprint(), self.share]


def is_dense(traits: Traits) -> bool:
    """Return whether many fluorescent nuclei lie close together."""
    return traits.shape == (520, 696) and traits.n_nuclei > 80


KINDS: dict[str, Callable[[Traits], bool]] = {
    "dense fluorescent nuclei, 520 x 696": is_dense,
    "large fluorescent nuclei, 520 x 696": lambda traits: traits.shape == (520, 696) and traits.mean_area > 1200,
    "large fluorescent nuclei, 512 x 640": lambda traits: traits.shape == (512, 640),
    "fluorescent nuclei, 360 x 360": lambda traits: traits.shape == (360, 360),
    "tiny nuclei, 256 x 256": lambda traits: traits.shape == (256, 256) and traits.mean_area < 200,
    "stained tissue": lambda traits: traits.is_colored,
}


@dataclass(frozen=True)
class Case:
    """A training."""

    kind: str
    first: int = 0
    n_teaching: int = 2
    n_held_out: int = 4
    share: float = 1.0

    @property
    def label(self) -> str:
        """The case in words."""
        annotated = "" if self.share == 1 else f", {self.share:.0%} of each annotated"
        return f"{self.kind}, from image {self.first + 1}: {self.n_teaching} teach{annotated}"


def cases() -> Iterator[Case]:
    """Yield the trainings."""
    dense, large, other, middle, tiny, stained = KINDS
    yield Case(dense)
    yield Case(dense, 3)
    yield Case(dense, 5)
    yield Case(dense, share=0.25)
    yield Case(dense, share=0.1)
    yield Case(large)
    yield Case(other, n_held_out=3)
    yield Case(middle)
    yield Case(middle, 6)
    yield Case(middle, n_teaching=8)
    yield Case(tiny)
    yield Case(tiny, 6)
    yield Case(stained)
    yield Case(stained, 6)


def traits(item: SourceItem) -> Traits:
    """Return what tells of which kind an image is."""
    read = item.read()
    areas = np.unique(read.ground_truths[0][read.ground_truths[0] > 0], return_counts=True)[1]
    colors = read.pixels[..., :3].astype(int) if read.pixels.ndim == 3 else np.zeros((1, 1, 1), int)
    is_colored = bool((np.ptp(colors, axis=-1) > 0).any())
    return Traits(read.ground_truths[0].shape, is_colored, len(areas), float(areas.mean()) if len(areas) else 0.0)


def errors(model: Model, items: Sequence[SourceItem], config: ValidationConfig) -> float:
    """Return the mean of 1 - ASA over images."""
    return float(np.mean(measure_network(model, items, config)[MEASURE]))


def trained(source: DataSource, items: Sequence[SourceItem], params: FineTuneParams) -> Model:
    """Return the model that these images teach."""
    start = load_model(params.start)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        kept = reminders(start) if params.keep else ()
        result = train_network(
            run,
            replace(source, items=tuple(items)),
            recipe(params),
            validation=0.0,
            start=start,
            reminders=kept,
        )
        return load_model(result.best)


def row(label: str, pairs: Sequence[tuple[float, float]]) -> str:
    """Return a line of the table."""
    return f"| {label} | " + " | ".join(f"{a:.4f} | {b:.4f} | {b / a - 1:+.0%}" for a, b in pairs) + " |"


def main() -> None:
    """Train, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nuclei", type=Path)
    parser.add_argument("--bsds", type=Path, help="folder with images/ and groundTruth/")
    parser.add_argument("--start", default="natural", help="model that is trained further")
    parser.add_argument("--output", type=Path, metavar="FILE.md")
    options = parser.parse_args()
    console, start = Console(stderr=True), load_model(options.start)
    params = FineTuneParams(start=options.start, device="cpu")
    source = folder_source(options.nuclei / "images", options.nuclei / "labels")
    of_item = {item: traits(item) for item in source}
    heads = " | ".join(f"{name}: before | after | change" for name in COUNTS)
    lines = [f"| images | {heads} |", "|---" * (1 + 3 * len(COUNTS)) + "|"]

    def tell(line: str) -> None:
        lines.append(line)
        console.print(line, soft_wrap=True)

    def learn(case: Case, params: FineTuneParams, label: str) -> Model:
        items = [item for item, found in of_item.items() if KINDS[case.kind](found)][case.first :]
        teaching, held_out = items[: case.n_teaching], items[case.n_teaching :][: case.n_held_out]
        model = trained(source, [item if case.share == 1 else Part(item, case.share) for item in teaching], params)
        configs = COUNTS.values()
        tell(row(label, [(errors(start, held_out, each), errors(model, held_out, each)) for each in configs]))
        return model

    models = [learn(case, params, case.label) for case in cases()]
    if options.bsds is not None:
        first = next(cases())
        kept = learn(first, params.model_copy(update={"keep": KEEP}), f"{first.label}, {KEEP:.0%} reminders")
        config = ValidationConfig(n_images=N_PHOTOGRAPHS)
        photographs = choose_items(bsds_source(options.bsds, "val"), config)
        before = errors(start, photographs, config)
        tell("")
        for label, model in (("no reminders", models[0]), (f"{KEEP:.0%} reminders", kept)):
            after = errors(model, photographs, config)
            change = f"{before:.4f} before, {after:.4f} after, {after / before - 1:+.0%}"
            tell(f"{N_PHOTOGRAPHS} photographs, {label}: {change}")
    if options.output is not None:
        options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
