"""What the parts of the method are worth: `python tests/benchmarks/ablate_networks.py DIR -o FOLDER [--steps N]`.

Trains every network of the tables below on BSDS500 with the same targets, crops, steps and seed, and writes
FOLDER/tables.md: superpixels on the validation split, size and time of each. A run that is complete is not repeated and
one that was interrupted goes on, so the command can be given again; `--tables` writes the tables of what there is.
"""

import argparse
import json
import shutil
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from napari_superpixels.data.sources import DataSource, bsds_source
from napari_superpixels.engine.compute import Compute
from napari_superpixels.engine.run_folder import RunConfig, RunFolder
from napari_superpixels.engine.training import train_network
from napari_superpixels.engine.validation import MEASURES, ValidationConfig, choose_items, measure_network
from napari_superpixels.files import replacing
from napari_superpixels.nets.can import CANConfig
from napari_superpixels.nets.checkpoint import Model
from napari_superpixels.nets.folding import fold
from napari_superpixels.nets.predict import predict
from napari_superpixels.nets.registry import PRESETS, NetworkConfig, build_network
from napari_superpixels.nets.train import TrainConfig

PAPER = PRESETS["can24-d7"]
#: Dilations of the CAN of depth d, whose last layer is the 1x1 convolution; d = 7 is the paper's.
DEPTHS = {depth: (*(2**i for i in range(depth - 2)), 1) for depth in range(4, 9)}
TV_WEIGHTS = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
#: Weight of the association loss, which is as large as the squared error's.
ASSOCIATION_WEIGHT = 10.0
HEADINGS = ("1 - ASA", "BR", "CO_px", "EV")
_MEGAPIXEL = (1000, 1000, 3)


@dataclass(frozen=True)
class Case:
    """A line of a table; those with the same network and losses share a run."""

    table: str
    label: str
    network: NetworkConfig
    losses: dict[str, Any] = field(default_factory=dict)

    @property
    def run(self) -> str:
        """Name of the run's folder."""
        config = self.network
        shape = "-".join(map(str, config.dilations)) if isinstance(config, CANConfig) else "default"
        return "_".join([config.architecture, shape, *(f"{name}-{value:g}" for name, value in self.losses.items())])


def cases() -> Iterator[Case]:
    """Yield the lines of all tables."""
    for name in ("can", "unet", "can-unet"):
        yield Case("Networks", f"`{name}`", PRESETS[name])
    for depth, dilations in DEPTHS.items():
        yield Case("Depth of the CAN, 24 maps", f"d = {depth}", CANConfig(dilations=dilations))
    for weight in TV_WEIGHTS:
        losses = {"tv_weight": weight} if weight else {}
        yield Case("Weight of the total variation, CAN d = 7", f"{weight:g}", PAPER, losses)
    for weight in (0.0, ASSOCIATION_WEIGHT):
        losses = {"association_weight": weight} if weight else {}
        yield Case("Weight of the association loss, CAN d = 7", f"{weight:g}", PAPER, losses)


def complete(
    folder: Path, case: Case, base: RunConfig, images: tuple[DataSource, DataSource], compute: Compute
) -> None:
    """Train a case, go on with its run, or leave it as it is when it is complete."""
    run, compute = RunFolder(folder / case.run), replace(compute, cache=str((folder / "targets").absolute()))
    config = base.model_copy(
        update={"network": case.network, "train": base.train.model_copy(update=case.losses)},
    )
    if run.state.exists():
        if run.read_config().train != config.train:
            raise SystemExit(f"{run.root} was trained with other settings; choose another folder, or remove it.")
        if not measures(run, config.train.steps):
            train_network(run.root, images[0], validation=images[1], resume=True, compute=compute)
        return
    shutil.rmtree(run.root, ignore_errors=True)
    train_network(run.root, images[0], config, validation=images[1], compute=compute)


def measures(run: RunFolder, steps: int) -> dict[str, float]:
    """Return the last measures of a run; none if it is not complete."""
    rows = run.read_rows(steps)
    return rows[-1] if rows and rows[-1]["step"] == steps else {}


def as_model(network: NetworkConfig) -> Model:
    """Return an untrained model."""
    built = build_network(network, 0).requires_grad_(False).eval()
    return Model("untrained", "", network, built, fold(built), RunConfig().card)


def remember(file: Path, values: dict[str, float]) -> dict[str, float]:
    """Write values and return them."""
    with replacing(file) as part:
        part.write_text(json.dumps(values), encoding="utf-8")
    return values


def measure_image(folder: Path, source: DataSource, config: ValidationConfig) -> dict[str, float]:
    """Measure the superpixels of the image itself, which is what an untrained CAN returns."""
    file = folder / "image.json"
    if file.exists():
        found: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
        return found
    without = config.model_copy(update={"edge_weight": 0.0})
    values = measure_network(as_model(PAPER), choose_items(source, config), without, device="cpu")
    return remember(file, {name: float(np.mean(values[name])) for name in MEASURES})


def measure_times(folder: Path) -> dict[str, float]:
    """Return milliseconds per megapixel of each network, by its run."""
    file = folder / "times.json"
    if file.exists():
        found: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
        return found
    image = np.random.default_rng(0).random(_MEGAPIXEL, np.float32)
    times = {}
    for case in cases():
        if not case.losses and case.run not in times:
            model = as_model(case.network)
            seconds = [predict(model, image, device="cpu").seconds for _ in range(4)][1:]
            times[case.run] = 1000 * statistics.median(seconds)
    return remember(file, times)


def tables(folder: Path, steps: int, image: dict[str, float], times: dict[str, float]) -> str:
    """Return the tables of the runs that are complete."""
    lines, table = [], None
    columns = ["weights", "receptive radius", "ms per megapixel", *HEADINGS]
    for case in cases():
        if case.table != table:
            table = case.table
            lines += ["", f"### {table}", "", f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
            lines.append("| the image itself | | | | " + _numbers(image))
        found = measures(RunFolder(folder / case.run), steps)
        if found:
            count = f"{build_network(case.network).parameter_count:,}".replace(",", " ")
            cost = times[Case("", "", case.network).run]
            lines.append(
                f"| {case.label} | {count} | {case.network.receptive_radius} | {cost:.0f} | " + _numbers(found)
            )
    return "\n".join(lines[1:]) + "\n"


def _numbers(values: dict[str, float]) -> str:
    return " | ".join(f"{values[name]:.4f}" for name in MEASURES) + " |"


def main() -> None:
    """Train, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bsds", type=Path, help="folder with images/ and groundTruth/")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=6)
    parser.add_argument("--crop-size", type=int, default=192)
    parser.add_argument("--train-images", type=int, help="learn from that many images, evenly spread; all by default")
    parser.add_argument("--images", type=int, default=100, help="validate on that many images, evenly spread")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--tables", action="store_true", help="train nothing; write the tables of what there is")
    options = parser.parse_args()
    source, validation = bsds_source(options.bsds, "train"), bsds_source(options.bsds, "val")
    if options.train_images is not None:
        source = source.subset(
            [item.name for item in choose_items(source, ValidationConfig(n_images=options.train_images))]
        )
    base = RunConfig(
        train=TrainConfig(
            steps=options.steps,
            epoch_steps=options.steps,
            batch_size=options.batch_size,
            crop_size=options.crop_size,
            warmup_steps=min(100, options.steps // 10),
        ),
        validation=ValidationConfig(n_images=options.images),
    )
    compute = Compute(device=options.device, precision=options.precision)
    runs = {} if options.tables else {case.run: case for case in cases()}
    for case in track(runs.values(), "runs", console=Console(stderr=True)):
        complete(options.output, case, base, (source, validation), compute)
    image = measure_image(options.output, validation, base.validation)
    text = tables(options.output, options.steps, image, measure_times(options.output))
    with replacing(options.output / "tables.md") as part:
        part.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
