"""A double of the state behind the Fine-tune panel: it holds what the panel shows, and notes what it is asked for."""

from dataclasses import dataclass, replace

import numpy as np
from psygnal import Signal

from napari_superpixels.engine.fine_tune_files import FineTuneReport, ImageFigures
from napari_superpixels.engine.models import InstalledModel
from napari_superpixels.params import FineTuneParams

UE, BR = "undersegmentation_error", "boundary_recall"
MODELS = (InstalledModel("natural", "Photographs"), InstalledModel("nuclei", "Nuclei in fluorescence"))


@dataclass(frozen=True)
class Row:
    key: str
    name: str
    origin: str = ""
    kind: str = "annotation"
    shape: tuple[int, ...] = (520, 696)
    share_annotated: float = 1.0
    thumbnail: np.ndarray | None = None
    role: str = "train"
    included: bool = True
    problem: str = ""
    is_frozen: bool = False


class FakeSession:
    """Keeps values; every act of the user is noted in `asked`."""

    rows_changed, params_changed, phase_changed = Signal(), Signal(), Signal()
    progressed, curve_changed, estimated = Signal(), Signal(), Signal()
    finished, failed, told = Signal(object), Signal(str), Signal(str)

    def __init__(self) -> None:
        self.rows: tuple[Row, ...] = ()
        self.params = FineTuneParams()
        self.phase, self.problem, self.message = "setup", "Add at least one image with annotations.", ""
        self.curve: list[dict] = []
        self.epochs: list[dict] = []
        self.baseline: dict[str, float] = {}
        self.n_steps, self.progress, self.seconds_left = 0, 0.0, None
        self.estimate, self.report, self.run_folder = None, None, None
        self.is_estimating = self.can_resume = False
        self.unfinished: list = []
        self.asked: list[tuple] = []

    def set_rows(self, rows) -> None:
        self.rows = tuple(rows)
        self.problem = "" if rows else "Add at least one image with annotations."
        self.rows_changed.emit()

    def set_included(self, key, included) -> None:
        self.asked.append(("included", key, included))
        self._change(key, included=included)

    def set_role(self, key, role) -> None:
        self.asked.append(("role", key, role))
        self._change(key, role=role)

    def update(self, **params) -> None:
        self.asked.append(("update", params))
        self.params = self.params.updated(**params)
        self.params_changed.emit()

    def unfinished_runs(self):
        return self.unfinished

    def set_phase(self, phase, **values) -> None:
        """Go into a phase, with other values."""
        for name, value in values.items():
            setattr(self, name, value)
        self.phase = phase
        self.phase_changed.emit()

    def use_as(self, name) -> None:
        if name == "bad/name":
            raise ValueError("A name has no slashes.")
        self.asked.append(("use_as", name))
        self.set_phase("setup")

    def discard(self, folder=None) -> None:
        self.asked.append(("discard", folder))
        self.unfinished = [run for run in self.unfinished if run.folder != folder]
        if folder is None:
            self.set_phase("setup")

    def __getattr__(self, name):
        if name in ("train", "pause", "go", "stop", "resume", "request_estimate"):
            return lambda *arguments: self.asked.append((name, *arguments))
        raise AttributeError(name)

    def _change(self, key, **values) -> None:
        self.set_rows([replace(row, **values) if row.key == key else row for row in self.rows])


def thumbnail(seed: int = 0, shape: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Return a picture (h, w, 3) of bright discs on a dark ground."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    picture = np.full(shape, 25.0)
    for row, column, radius in zip(
        random.uniform(0, shape[0], 9), random.uniform(0, shape[1], 9), random.uniform(4, 8, 9), strict=True
    ):
        picture[np.hypot(rows - row, columns - column) < radius] = random.uniform(110, 230)
    return np.repeat(picture[..., None], 3, axis=2).astype(np.uint8)


def make_rows() -> list[Row]:
    """Return images of every kind and with every trouble."""
    return [
        Row("a", "nuclei_001", "annotation in Correct", share_annotated=0.182, thumbnail=thumbnail(1)),
        Row("b", "nuclei_002", "annotation in Correct", share_annotated=0.24, thumbnail=thumbnail(2)),
        Row("c", "plate 3 well B07 field 2 channel DAPI", "nuclei.tif + masks.tif", "layers", thumbnail=thumbnail(3)),
        Row("d", "held_out", "/data/pairs", "folder", (256, 320), 1.0, thumbnail(4, (51, 64)), "validation"),
        Row("e", "from_before", "run of 21 Nov", "earlier", role="validation", is_frozen=True, thumbnail=thumbnail(5)),
    ]


def make_curves(session: FakeSession, n_steps: int = 260) -> None:
    """Give a session a loss and some epochs."""
    random = np.random.default_rng(0)
    steps = np.arange(1, n_steps + 1)
    losses = 0.02 + 0.08 * np.exp(-steps / 80) + random.gamma(2, 0.006, n_steps)
    session.curve = [{"step": int(step), "loss": float(loss)} for step, loss in zip(steps, losses, strict=True)]
    session.baseline = {UE: 0.0412, BR: 0.861}
    session.epochs = [
        {"step": step, UE: 0.0412 - 0.008 * (1 - np.exp(-step / 90)), BR: 0.861 + 0.04 * (1 - np.exp(-step / 120))}
        for step in range(50, n_steps + 1, 50)
    ]


def make_report(after: float = 0.0351, *, n: int = 2, notes: tuple[str, ...] = ()) -> FineTuneReport:
    """Return the report of a fine-tuning whose errors were 0.04."""
    shift = after - 0.04
    images = [
        ImageFigures(
            name=f"held_out_{i}",
            before={UE: 0.045 - 0.01 * i, BR: 0.85 + 0.02 * i},
            after={UE: 0.045 - 0.01 * i + shift, BR: 0.85 + 0.02 * i - 3 * shift},
        )
        for i in range(n)
    ]
    return FineTuneReport(
        start="natural",
        steps=300,
        reason="complete",
        seconds=112.0,
        train=("nuclei_001",),
        before={UE: 0.04, BR: 0.86},
        after={UE: after, BR: 0.86 - 3 * shift},
        images=images,
        notes=notes,
        best="best.safetensors",
    )
