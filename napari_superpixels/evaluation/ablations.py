"""Our own method with one part taken away or changed, to see what the part is worth."""

from dataclasses import dataclass, field
from typing import Any

from napari_superpixels.evaluation.runs import EikonalMethod
from napari_superpixels.params import LAW_WEIGHTS, SegmentParams


@dataclass(frozen=True, slots=True)
class Ablation:
    """A variant of the default parameters."""

    key: str
    """Name on the command line."""
    title: str
    """Name in tables and figures."""
    changes: dict[str, Any] = field(default_factory=dict)
    """Fields of :class:`SegmentParams` that differ from their defaults."""

    def load(self) -> EikonalMethod:
        """Return the variant, ready to run.

        Raises
        ------
        CheckpointError
            If the default model is missing or unusable.
        """
        return EikonalMethod(SegmentParams().updated(**self.changes), self.title)


#: The defaults first, then one change each. Another law comes with its own weights.
ABLATIONS = (
    Ablation("eikonal", "eikonal"),
    Ablation("raw", "eikonal, raw image", {"model": None}),
    Ablation("no-boundary", "eikonal, no boundary head", {"edge_weight": 0.0}),
    Ablation("boundary-only", "eikonal, boundary head on raw image", {"flattening": 0.0}),
    Ablation("no-refinement", "eikonal, no refinement", {"refine_rounds": 0}),
    *(Ablation(law, f"eikonal, {law} law", {"law": law}) for law in LAW_WEIGHTS if law != SegmentParams().law),
)
