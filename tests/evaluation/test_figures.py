"""Figures: the right curves, readable, equal bytes for equal results."""

import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from napari_superpixels.evaluation import figures
from napari_superpixels.evaluation.figures import draw_curves, method_styles
from napari_superpixels.evaluation.results import Result, summarize


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Return the figures that are saved."""
    saved: list[Figure] = []
    monkeypatch.setattr(figures, "save_figure", lambda path, figure: saved.append(figure))
    return saved


def test_curves_run_over_the_numbers_that_came_out(drawn: list[Figure], results: list[Result]) -> None:
    draw_curves("curves.svg", summarize(results))
    panels = [axes for axes in drawn[0].axes if axes.lines]
    assert [axes.get_title(loc="left").split()[0] for axes in panels] == ["BR", "UE", "ASA", "EV", "CO"]
    ours, theirs = panels[0].lines
    assert list(ours.get_xdata()) == [98, 198]
    assert list(theirs.get_ydata()) == pytest.approx([0.5, 0.6])
    (legend,) = [axes.get_legend() for axes in drawn[0].axes if axes.get_legend()]
    assert [text.get_text() for text in legend.get_texts()] == ["ours", "theirs"]


def test_undefined_measures_get_no_panel(drawn: list[Figure], results: list[Result]) -> None:
    rows = [replace(row, metrics=replace(row.metrics, compactness=math.nan)) for row in results]
    draw_curves("curves.svg", summarize(rows))
    assert sum(bool(axes.lines) for axes in drawn[0].axes) == 4


def test_one_number_is_a_point(drawn: list[Figure], results: list[Result]) -> None:
    draw_curves("curves.svg", summarize([row for row in results if row.n_segments == 100]))
    assert list(drawn[0].axes[0].lines[0].get_xdata()) == [98]


def test_methods_differ_without_colour_too() -> None:
    styles = method_styles([f"method {i}" for i in range(14)])
    assert len({(style.marker, style.line) for style in styles.values()}) == 14
    assert len({(style.color, style.line) for style in styles.values()}) == 14
    for style in list(styles.values())[:7]:
        assert sum(to_rgb(style.color)) < 2.3  # dark enough on white


def test_svg_and_png_are_repeatable(tmp_path: Path, results: list[Result]) -> None:
    for name in ("a.svg", "b.svg", "a.png", "b.PNG"):
        draw_curves(tmp_path / name, summarize(results))
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.PNG").read_bytes()
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size > (1500, 800)
