import subprocess
import sys

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QLabel, QPushButton, QSlider, QSpinBox, QWidget

from napari_superpixels.engine.quality import GroundTruth
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.widgets.wording import QUALITY_ROWS, REGION_ROWS, wrapped


@pytest.fixture
def panel(quality_panel):
    quality_panel.show()
    return quality_panel


@pytest.fixture
def measure(session, meter, color_blocks, qtbot):
    """Return a function that segments and waits for the measures."""

    def act():
        session.update(model=None, n_segments=12)
        session.set_input(ImageInput(color_blocks, source=1, key=1, name="blocks"))
        session.segment()
        qtbot.waitUntil(lambda: meter.quality is not None, timeout=60_000)
        return meter.quality

    return act


@pytest.fixture
def blocks_truth():
    return GroundTruth("blocks", np.kron(np.arange(12).reshape(3, 4), np.ones((20, 20), int)))


def text(panel, name: str) -> str:
    return panel.findChild(QLabel, name).text()


def test_closed_at_first_and_then_as_it_was_left(panel, session) -> None:
    button = panel.findChild(QPushButton, "quality")
    assert button.text() == "▸  Quality"
    assert not panel.tolerance.isVisible()
    button.click()
    assert session.view.quality_open
    assert panel.tolerance.isVisible()
    assert button.text() == "▾  Quality"
    session.update_view(quality_open=False)
    assert not panel.tolerance.isVisible()
    assert button.accessibleDescription() == "closed"


def test_everything_is_named_and_explained(panel, session) -> None:
    session.update_view(quality_open=True)
    for kind, name in (
        (QPushButton, "quality"),
        (QSlider, "tolerance"),
        (QSpinBox, "tolerance_box"),
        (QCheckBox, "show_missed"),
    ):
        assert panel.findChild(kind, name).toolTip()
    assert panel.findChild(QWidget, "size_histogram").toolTip()
    for name, title, description, _ in (*QUALITY_ROWS, *REGION_ROWS):
        value = panel.findChild(QLabel, name)
        assert value.accessibleName() == title
        assert value.toolTip() == wrapped(description)


def test_empty_until_there_is_a_result(panel, session, measure) -> None:
    session.update_view(quality_open=True)
    assert "Press Segment" in panel.message.text()
    assert not panel.values["count"].isVisible()
    measure()
    assert panel.values["count"].isVisible()
    session.set_input(None)
    assert "Press Segment" in panel.message.text()
    assert not panel.values["count"].isVisible()


def test_measures_without_ground_truth(panel, session, measure) -> None:
    session.update_view(quality_open=True)
    quality = measure()
    assert text(panel, "count") == "12"
    assert text(panel, "median_size") == f"{np.median(quality.regions.sizes):.0f} px"
    assert text(panel, "boundary_contrast") == f"ΔE {quality.regions.boundary_contrast:.1f}"
    assert text(panel, "straddling_share") == f"{100 * quality.regions.straddling_share:.1f} %"
    assert not panel.values["boundary_recall"].isVisible()
    assert "Choose a Labels layer" in panel.message.text()
    assert not panel.missed.isEnabled()
    panel.set_has_truth(True)
    assert panel.message.text() == "Comparing with the ground truth..."


def test_measures_against_ground_truth(panel, session, meter, truths, blocks_truth, measure) -> None:
    truths.append(blocks_truth)
    panel.set_has_truth(True)
    session.update_view(quality_open=True)
    metrics = measure().metrics
    for name in ("boundary_recall", "undersegmentation_error", "explained_variation", "compactness"):
        assert text(panel, name) == f"{getattr(metrics, name):.3f}"
        assert panel.values[name].isVisible()
    asa = float(text(panel, "achievable_segmentation_accuracy"))
    assert asa == pytest.approx(1 - float(text(panel, "undersegmentation_error")))
    assert not panel.message.isVisible()
    assert panel.missed.isEnabled()
    panel.set_has_truth(False)
    assert not panel.values["boundary_recall"].isVisible()


def test_mismatch_is_told_in_the_panel(panel, session, truths, measure) -> None:
    truths.append(GroundTruth("wrong", np.ones((3, 4), int)))
    session.update_view(quality_open=True)
    measure()
    assert "'wrong' has shape (3, 4) here" in panel.message.text()
    assert not panel.values["boundary_recall"].isVisible()
    assert text(panel, "count") == "12"


def test_failure_is_told_in_the_panel(panel, session, meter, truths, measure, qtbot) -> None:
    session.update_view(quality_open=True)
    measure()
    truths.append(GroundTruth("gone", lambda: open("/nowhere/at/all")))  # noqa: PTH123
    meter.refresh()
    qtbot.waitUntil(lambda: "FileNotFoundError" in panel.message.text(), timeout=10_000)


def test_outdated_measures_are_greyed(panel, session, meter, measure, qtbot) -> None:
    session.update_view(quality_open=True)
    measure()
    assert panel.values["count"].isEnabled()
    session.update(n_segments=20)
    qtbot.waitUntil(lambda: session.result.n_segments == 20, timeout=60_000)
    assert not panel.values["count"].isEnabled()
    qtbot.waitUntil(lambda: text(panel, "count") == "20", timeout=10_000)
    assert panel.values["count"].isEnabled()


def test_tolerance_goes_both_ways(panel, session, qtbot) -> None:
    panel.tolerance.box.setValue(5)
    qtbot.waitUntil(lambda: session.view.tolerance == 5)
    session.update_view(tolerance=1)
    assert panel.tolerance.value() == 1


def test_missed_asks_only_when_clicked(panel, qtbot) -> None:
    asked = []
    panel.missed_toggled.connect(asked.append)
    panel.set_has_truth(True)
    panel.set_missed(True)
    assert asked == []
    panel.fold.set_open(True)
    panel.missed.click()
    assert asked == [False]


def test_histogram_has_the_window_s_colors_and_takes_no_focus(panel, session, measure, qapp) -> None:
    session.update_view(quality_open=True)
    measure()
    plot = panel.plot
    counts, _ = measure().size_histogram()
    assert plot.heights() == list(counts)
    for sheet, color in (("QWidget { color: #ff0000 }", "#ff0000"), ("QWidget { color: #00ff00 }", "#00ff00")):
        panel.setStyleSheet(sheet)
        qapp.processEvents()
        assert plot.axes["left"].textPen().color().name() == color
    # The view's viewport only hands on what the view refuses.
    parts = [part for part in (plot, *plot.findChildren(QWidget)) if part.isVisible() and part.focusProxy() is None]
    assert not any(part.focusPolicy() & Qt.FocusPolicy.TabFocus for part in parts)


def test_plotting_is_loaded_only_when_it_is_looked_at() -> None:
    code = (
        "import sys, napari_superpixels.widgets.quality_panel as q; assert 'pyqtgraph' not in sys.modules;"
        "import napari_superpixels.widgets.size_plot; assert 'pyqtgraph' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tool_tips_are_broken_into_lines_and_keep_their_signs() -> None:
    assert wrapped("a < b\n\nnext") == "<p>a &lt; b</p><p>next</p>"
