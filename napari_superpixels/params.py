"""Every parameter of the program, each declared once.

A field holds its default, bounds, title and help; its :class:`Control` adds what a form needs. The command line, the
widgets, the documentation and the validation are generated from these declarations.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

Law = Literal["quadratic", "exponential", "ergc"]
SeedPlacement = Literal["low-gradient", "hexagonal", "grid"]
Solver = Literal["eikonal", "scikit-fmm"]
Device = Literal["auto", "cpu", "cuda", "mps"]
ViewMode = Literal["boundaries", "filled", "mean-color"]
Preset = Literal["quick", "normal", "thorough"]
Trained = Literal["all", "last"]
Stage = Literal["network", "features", "slowness", "seeds", "arrival", "corrections"]

#: Stages in the order in which they run; a change in one makes every later one run again.
STAGES: tuple[Stage, ...] = ("network", "features", "slowness", "seeds", "arrival", "corrections")

#: The weights each slowness law starts from: (color_weight, edge_weight).
LAW_WEIGHTS: dict[Law, tuple[float, float]] = {
    "quadratic": (1.2, 200.0),
    "exponential": (5.0, 0.0),
    "ergc": (1.0, 0.0),
}
_WEIGHTS_OF_LAWS = ", ".join(f"{law} {color:g} and {edge:g}" for law, (color, edge) in LAW_WEIGHTS.items())

#: Share of the superpixels that are placed evenly at the start, and rounds in which the others are added.
REFINE_START, REFINE_ROUNDS = 0.4, 3


@dataclass(frozen=True, slots=True)
class Control:
    """How a parameter is shown in a form, and which stage reads it first."""

    stage: Stage | None = None
    """First stage of a segmentation that must run again when the parameter changes; None for other parameters."""
    advanced: bool = False
    """Whether the control belongs to the folded *Advanced* part."""
    step: float | None = None
    """Step of a slider; None for a choice."""
    log: bool = False
    """Whether a slider moves on a logarithmic scale."""
    choices: tuple[str, ...] = ()
    """Titles of the choices, in the order of the Literal's values; empty to show the values."""


class Bounds(NamedTuple):
    """Lowest and highest value of a number."""

    low: float
    """Lowest value."""
    high: float
    """Highest value, allowed itself."""
    is_open: bool
    """Whether `low` itself is not allowed."""


def _param(default: Any, title: str, description: str, control: Control, **bounds: Any) -> Any:
    extra: dict[str, Any] = {"control": asdict(control)}
    return Field(default, title=title, description=description, json_schema_extra=extra, **bounds)


class SegmentParams(BaseModel):
    """Parameters of one segmentation; immutable, and an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    model: str | None = _param(
        "natural",
        "Model",
        "The trained network that flattens the image before superpixels are grown. "
        "'None' grows them on the raw image. A model trained on images like yours follows their objects better.",
        Control("network"),
    )
    device: Device = _param(
        "auto",
        "Device",
        "Where the network runs. 'auto' takes a GPU when there is one. The result is the same, only the time differs.",
        Control("network", choices=("Automatic", "CPU", "GPU (CUDA)", "GPU (Apple)")),
    )
    n_segments: int = _param(
        400,
        "Superpixels",
        "How many superpixels to make: you get exactly this number. More are smaller and follow finer detail; "
        "fewer are larger and quicker to annotate.",
        Control("seeds", step=1, log=True),
        ge=1,
        le=2_000_000,
    )
    regularity: float = _param(
        0.5,
        "Regularity",
        "Higher gives rounder, more even superpixels with smooth borders; "
        "lower lets them follow every detail of the image.",
        Control("slowness", step=0.01),
        ge=0.0,
        le=1.0,
    )
    flattening: float = _param(
        1.0,
        "Flattening",
        "How much of the network's flattened image is used: 0 is the raw image, 1 is the network's output alone. "
        "Lower it when fine detail that you want is smoothed away.",
        Control("features", advanced=True, step=0.01),
        ge=0.0,
        le=1.0,
    )
    law: Law = _param(
        "quadratic",
        "Slowness law",
        "How a difference of colour slows a superpixel's growth. Quadratic suits most images; exponential clings to "
        "strong edges; ERGC adds a pull towards the seed that makes cells compact. Each law has a colour weight and an "
        f"edge weight of its own ({_WEIGHTS_OF_LAWS}), which go with it as long as you set no others.",
        Control("slowness", advanced=True, choices=("Quadratic", "Exponential (FMS)", "ERGC (compact)")),
    )
    color_weight: float = _param(
        LAW_WEIGHTS["quadratic"][0],
        "Colour weight",
        "How strongly a difference of colour stops growth. Higher follows colour borders more tightly and makes "
        "outlines less regular; 0 ignores colour.",
        Control("slowness", advanced=True, step=0.01, log=True),
        ge=0.0,
        le=100.0,
    )
    edge_weight: float = _param(
        LAW_WEIGHTS["quadratic"][1],
        "Edge weight",
        "How strongly the network's predicted boundaries stop growth. Raise it when superpixels leak across borders "
        "of similar colour; 0 ignores the prediction. Without effect for a model that predicts none.",
        Control("slowness", advanced=True, step=0.1, log=True),
        ge=0.0,
        le=1000.0,
    )
    compactness: float = _param(
        1.0,
        "Compactness",
        "Pull of each seed on the pixels around it, for the ERGC law only. Higher gives rounder cells.",
        Control("slowness", advanced=True, step=0.1, log=True),
        ge=0.0,
        le=1000.0,
    )
    seed_placement: SeedPlacement = _param(
        "hexagonal",
        "Seed placement",
        "Where growth starts. 'Hexagonal' moves the seeds of a hexagonal grid off the edges; 'low gradient' does the "
        "same on a square grid; 'grid' keeps the square grid as it is.",
        Control("seeds", advanced=True, choices=("Low gradient", "Hexagonal", "Plain grid")),
    )
    refine_start: float = _param(
        REFINE_START,
        "Even share",
        "Share of the superpixels placed evenly at the start; the rest are added where the image needs them. "
        "1 spreads all evenly.",
        Control("seeds", advanced=True, step=0.01),
        gt=0.0,
        le=1.0,
    )
    refine_rounds: int = _param(
        REFINE_ROUNDS,
        "Refinement rounds",
        "In how many rounds the remaining superpixels are added. More rounds place them better and take longer.",
        Control("seeds", advanced=True, step=1),
        ge=0,
        le=20,
    )
    solver: Solver = _param(
        "eikonal",
        "Solver",
        "'eikonal' grows all superpixels at once, each by its own colour. 'scikit-fmm' marches one front through the "
        "image gradient: slower, for comparison; it cannot be cancelled, and a window stands still meanwhile.",
        Control("arrival", advanced=True, choices=("Eikonal", "scikit-fmm (comparison)")),
    )

    @model_validator(mode="before")
    @classmethod
    def _law_weights(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("law") in LAW_WEIGHTS:
            color_weight, edge_weight = LAW_WEIGHTS[data["law"]]
            return {"color_weight": color_weight, "edge_weight": edge_weight, **data}
        return data

    def updated(self, **changes: Any) -> Self:
        """Return a validated copy with some fields changed.

        Weights that still are the old law's own follow a change of law.

        Raises
        ------
        pydantic.ValidationError
            If a name is unknown or a value is out of bounds.
        """
        values = self.model_dump()
        if changes.get("law", self.law) != self.law:
            for name, value in zip(("color_weight", "edge_weight"), LAW_WEIGHTS[self.law], strict=True):
                if values[name] == value:
                    del values[name]
        return type(self)(**{**values, **changes})


class ViewParams(BaseModel):
    """How a result is shown; no stage reads these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    live: bool = Field(
        True,
        title="Live",
        description="Recompute while a control moves. Switch off for very large images, then press Segment.",
    )
    view_mode: ViewMode = Field(
        "boundaries",
        title="View",
        description="Show the superpixels as outlines, as filled areas, or as the image with each one's mean colour.",
    )
    quality_open: bool = Field(
        False,
        title="Quality",
        description="Measure each result: against a ground truth if there is one, and on the image alone.",
    )
    tolerance: int = Field(
        2,
        ge=0,
        le=20,
        title="Tolerance",
        description="Distance in pixels within which boundaries count as the same. 2 is usual for photographs of "
        "half a megapixel; take more for larger images.",
    )


#: What a preset says of the parameters of a fine-tuning that it decides.
PRESET_VALUES: dict[Preset, dict[str, int | float | None]] = {
    "quick": {
        "steps": 600,
        "epoch_steps": 100,
        "patience": None,
        "learning_rate": 5e-4,
        "batch_size": 6,
        "crop_size": 96,
    },
    "normal": {
        "steps": 3500,
        "epoch_steps": 250,
        "patience": 5,
        "learning_rate": 5e-4,
        "batch_size": 6,
        "crop_size": 128,
    },
    "thorough": {
        "steps": 13000,
        "epoch_steps": 500,
        "patience": 6,
        "learning_rate": 5e-4,
        "batch_size": 6,
        "crop_size": 128,
    },
}


class FineTuneParams(BaseModel):
    """Parameters of one fine-tuning; immutable, and an unknown name is an error.

    Those that are None are what the preset says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    start: str = _param(
        "natural",
        "Start from",
        "The model that learns further; it stays as it is. The nearer its images are to yours, the fewer of yours "
        "it needs.",
        Control(),
    )
    preset: Preset = _param(
        "quick",
        "Effort",
        "How long it learns. Quick suits two to five images; take a longer one for more images, or when the curves "
        "still fall at the end. It decides steps, checks, patience, learning rate and crops where you set none.",
        Control(choices=("Quick (2 minutes)", "Normal (8 minutes)", "Thorough (half an hour)")),
    )
    trained: Trained = _param(
        "all",
        "What learns",
        "'Last layers' changes the end of the network alone: for very few images that are much like those it knows. "
        "'Whole network' adapts better where they are not.",
        Control(choices=("Whole network", "Last layers")),
    )
    n_segments: int = _param(
        400,
        "Superpixels",
        "Into how many superpixels an image is cut to measure the model, before and after. Take as many as you use.",
        Control(step=1, log=True),
        ge=1,
        le=2_000_000,
    )
    keep: float = _param(
        0.0,
        "Remember",
        "Share of the lessons that remind the model of what it knew, on images that came with the program. Raise it to "
        "about 0.2 when the model is to stay good on other images too; it then learns yours a little more slowly.",
        Control(step=0.05),
        ge=0.0,
        le=0.9,
    )
    device: Device = _param(
        "auto",
        "Device",
        "Where the network learns. 'auto' takes a GPU when there is one.",
        Control(advanced=True, choices=("Automatic", "CPU", "GPU (CUDA)", "GPU (Apple)")),
    )
    steps: int | None = _param(
        None,
        "Steps",
        "How many times the model is corrected.",
        Control(advanced=True, step=10, log=True),
        ge=1,
        le=100_000,
    )
    epoch_steps: int | None = _param(
        None,
        "Steps between checks",
        "After how many steps the model is measured on the validation images and saved.",
        Control(advanced=True, step=10, log=True),
        ge=1,
        le=10_000,
    )
    patience: int | None = _param(
        None,
        "Patience",
        "After how many checks without a better result the training ends.",
        Control(advanced=True, step=1),
        ge=1,
        le=100,
    )
    learning_rate: float | None = _param(
        None,
        "Learning rate",
        "How much a step changes the model. Lower it when the loss jumps.",
        Control(advanced=True, step=0.0001, log=True),
        gt=0.0,
        le=1.0,
    )
    batch_size: int | None = _param(
        None,
        "Crops per step",
        "How many pieces of the images each step looks at. Fewer need less memory.",
        Control(advanced=True, step=1),
        ge=1,
        le=256,
    )
    crop_size: int | None = _param(
        None,
        "Crop size",
        "Side of such a piece in pixels. It should show an object with its surroundings; smaller ones are faster.",
        Control(advanced=True, step=16),
        ge=16,
        le=1024,
    )
    seed: int = _param(
        0,
        "Seed",
        "Decides all chance: the same seed and images give the same model on the same computer.",
        Control(advanced=True, step=1),
        ge=0,
        le=1_000_000,
    )

    def updated(self, **changes: Any) -> Self:
        """Return a validated copy with some fields changed.

        Raises
        ------
        pydantic.ValidationError
            If a name is unknown or a value is out of bounds.
        """
        return type(self)(**{**self.model_dump(), **changes})


def control(field: FieldInfo) -> Control:
    """Return how a field of :class:`SegmentParams` or :class:`FineTuneParams` is shown."""
    extra: Any = field.json_schema_extra
    return Control(**{**extra["control"], "choices": tuple(extra["control"]["choices"])})


def bounds(field: FieldInfo) -> Bounds | None:
    """Return the bounds of a field of any parameters; None where it is no number."""
    limits = {key: getattr(rule, key) for rule in field.metadata for key in ("ge", "gt", "le") if hasattr(rule, key)}
    if not limits:
        return None
    is_open = "gt" in limits
    return Bounds(limits["gt" if is_open else "ge"], limits["le"], is_open)
