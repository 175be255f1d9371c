"""What the Fine-tune panel says."""

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_superpixels.engine.fine_tune_files import FineTuneReport

UE, BR = "undersegmentation_error", "boundary_recall"

EMPTY = (
    "Add an image with annotations: paint classes in Correct and press Annotation; or choose an image and a Labels "
    "layer below; or press Folder for pairs of image and label files. One image is enough to begin, three or more are "
    "better."
)
FROZEN_SPLIT = (
    "Images that validate are never learnt from, and stay the same from the first run on: figures of later runs can be "
    "compared, and nothing leaks."
)
WORSE_ADVICE = (
    "What to try: annotate more images, or more of each image; include the kinds of places where superpixels fail; "
    "train the last layers only; raise Remember. Your start model is unchanged."
)
_UNCHECKED = "It was stopped before its first check, so nothing is known of it and there is no new model."
_UNCHECKED_ADVICE = "Press Train again and let it run until the first dots appear in the curves."
_SAME = 0.005
#: Difference in boundary recall that the figures show.
_TOLD = 0.0005
_REASONS = {
    "complete": "all steps done",
    "patience": "ended early, as it no longer got better",
    "stopped": "stopped by you",
}


class Verdict(NamedTuple):
    """How a fine-tuning ended, in words."""

    headline: str
    """One sentence."""
    detail: str
    """Figures, and what to do if it got worse."""


def verdict(report: "FineTuneReport") -> Verdict:
    """Return whether it got better, by how much, and what to try if not."""
    effort = f"{report.steps} steps in {duration(report.seconds)}: {_REASONS[report.reason]}."
    if not report.after:
        return Verdict(_UNCHECKED, f"{effort}\n{_UNCHECKED_ADVICE}")
    before, after = report.before[UE], report.after[UE]
    n = len(report.images)
    where = f"on {n} image{'' if n == 1 else 's'} that it had not seen"
    change = _change(before, after)
    if report.is_better:
        headline = f"Boundary errors fell {change} {where}."
    elif abs(after - before) <= _SAME * before:
        headline = f"It did not get better: boundary errors stayed as they were {where}."
    else:
        headline = f"It got worse: boundary errors rose {change} {where}."
    parts = [figures(report.before, report.after), *_contrary(report), effort]
    if not report.is_better:
        parts += ["", WORSE_ADVICE]
    return Verdict(headline, "\n".join(parts))


def _contrary(report: "FineTuneReport") -> list[str]:
    """Return what to make of it where the two measures disagree."""
    found = report.after[BR] - report.before[BR]
    if report.is_better and found < -_TOLD:
        return ["Fewer borders are met, but those that are missed matter less: superpixels mix objects less."]
    if not report.is_better and found > _TOLD:
        return ["More borders are met, but superpixels mix objects more, and that decides."]
    return []


def figures(before: "Mapping[str, float]", after: "Mapping[str, float]") -> str:
    """Return the measures of the start model and of the new one."""
    return (
        f"1 − ASA {number(before[UE])} → {number(after[UE])}\n"
        f"Boundary recall {number(before[BR], 3)} → {number(after[BR], 3)}"
    )


def number(value: float, digits: int = 4) -> str:
    """Return a measure with the digits that tell models apart."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def duration(seconds: float) -> str:
    """Return a time as people say it: ``8 s``, ``1 min 50 s``, ``2 h 5 min``."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(whole, 3600)
    return f"{hours} h {rest // 60} min" if rest >= 60 else f"{hours} h"


def rough_duration(seconds: float) -> str:
    """Return an estimate, no more exact than it is: seconds in tens, minutes above two whole."""
    if seconds < 120:
        return f"{max(10 * round(seconds / 10), 10)} s"
    return duration(60 * round(seconds / 60))


def _change(before: float, after: float) -> str:
    if before <= 0:
        return f"from {number(before)} to {number(after)}"
    share = 100 * abs(after - before) / before
    return f"by {share:.0f} %" if share >= 0.95 else f"by {share:.1f} %"
