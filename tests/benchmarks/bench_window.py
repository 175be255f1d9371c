"""How a real napari window feels: python tests/benchmarks/bench_window.py

Prints one line per figure, in milliseconds, with its budget. Run it twice: the first run may compile.
"""

import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np

from napari_superpixels.plugin.virtual_display import has_display, virtual_display

TICK_MS = 5
N_STEPS = 15
N_RUNS = 5


def main() -> int:
    with ExitStack() as stack:
        if not has_display():
            stack.enter_context(virtual_display())
        return int(not measure())


def measure() -> bool:
    import napari
    from skimage.data import astronaut

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    settle(1.0)
    opened, stall = timed_stall(lambda: open_dock(viewer))
    dock = viewer.window.dock_widgets["Segment"]
    ok = report("opening the widget", opened, None)
    ok &= report("  longest stall in the 6 s after that (imports, warm-up)", timed_stall(lambda: settle(6.0))[1], None)
    viewer.add_image(astronaut(), rgb=True)
    ok &= report("first Segment, 512 x 512, warmed up", segment(dock), 2000)
    tiled = np.tile(astronaut(), (2, 2, 1))
    image = viewer.add_image(tiled, rgb=True, name="tiled")
    viewer.reset_view()
    settle(1.0)
    ok &= report("Segment, 1024 x 1024, network included, layer added", segment(dock), None)
    labels = viewer.layers["tiled superpixels"]
    drawing = [timed_stall(lambda: refresh(labels))[1] for _ in range(N_RUNS)]
    report("longest stall by napari alone: refresh and draw of that layer", statistics.median(drawing), None)
    stalls = [computing_stall(dock, image) for _ in range(N_RUNS)]
    ok &= report("longest stall while network and solver run, until the result", statistics.median(stalls), 50)
    for name in ("regularity", "n_segments", "color_weight"):
        ok &= slide(dock, name)
    ok &= report("opening Quality: longest stall", timed_stall(lambda: open_quality(dock))[1], 50)
    choose_truth(dock, viewer, tiled)
    ok &= report("measuring against ground truth: longest stall", timed_stall(lambda: measured(dock))[1], 50)
    dock.quality.missed.click()
    measured(dock)
    ok &= slide(dock, "regularity", ", Quality open")
    stall = timed_stall(lambda: measured(dock))[1]
    report("measuring, missed boundary drawn anew by napari: longest stall", stall, None)
    ok &= report("cancel while the network runs, 2048 x 2048", cancel(dock, viewer, tiled, 0.3), 500)
    ok &= report("cancel while the solver runs, 2048 x 2048", cancel(dock, viewer, tiled, None), 500)
    viewer.close()
    return ok


def slide(dock, name: str, also: str = "") -> bool:
    """Move a slider many times and report the steps; return whether they are within the budget."""
    steps, stall = timed_stall(lambda: [slider_step(dock, name, i) for i in range(N_STEPS)])
    refreshed, drawn = (statistics.median(times) for times in zip(*steps, strict=True))
    ok = report(f"slider step to refreshed layer, 1024 x 1024, {name}{also}", refreshed, 150)
    report("  until it is drawn", drawn, None)
    report("  longest stall meanwhile, drawing included", stall, None)
    return ok


def open_quality(dock) -> None:
    """Open the Quality part and wait until it has been filled."""
    dock.session.update_view(quality_open=True)
    wait_for(lambda: dock.meter.quality is not None)
    settle(0.3)


def choose_truth(dock, viewer, image) -> None:
    """Compare with a ground truth."""
    viewer.add_labels((image[..., 0] > 128).astype(np.uint8), name="truth", visible=False)
    dock.truth.setCurrentIndex(1)
    dock.truth.activated.emit(1)
    measured(dock)


def measured(dock) -> None:
    """Measure the latest result and wait for it."""
    dock.meter.refresh()
    wait_for(lambda: dock.meter.quality is not None and dock.meter.quality.metrics is not None)
    settle(0.3)


def open_dock(viewer) -> float:
    start = time.perf_counter()
    from napari_superpixels.plugin.dock import SegmentDock

    viewer.window.add_dock_widget(SegmentDock(viewer), name="Segment")
    settle(0)
    return 1000 * (time.perf_counter() - start)


def segment(dock) -> float:
    """Press Segment and return the milliseconds until the layer is drawn."""
    results: list[object] = []
    dock.session.solved.connect(lambda result: results.append(result))
    start = time.perf_counter()
    dock.panel.segment.click()
    wait_for(lambda: bool(results) and not dock.session.is_busy)
    settle(0)
    return 1000 * (time.perf_counter() - start)


def computing_stall(dock, image) -> float:
    """Run network and solver on the same pixels anew and return the longest stall in ms until the result comes."""
    from napari_superpixels.plugin.regions import mark_changed

    settle(0.3)
    done: list[object] = []
    dock.session.progressed.connect(lambda share, text: done.append(share) if share == 1 else None)
    mark_changed(image)

    def run() -> None:
        dock.panel.segment.click()
        wait_for(lambda: bool(done))

    stall = timed_stall(run)[1]
    wait_for(lambda: not dock.session.is_busy)
    return stall


def slider_step(dock, name: str, i: int) -> tuple[float, float]:
    """Move a slider and return the milliseconds until the layer is refreshed, and until it is drawn."""
    refreshed: list[float] = []
    # Connected after the layers' own callback, so it comes when the layer has been refreshed.
    dock.session.solved.connect(lambda result: refreshed.append(time.perf_counter()))
    slider = dock.panel.form.rows[name].slider
    start = time.perf_counter()
    slider.setValue(slider.value() + (7 if i % 2 else -6))
    wait_for(lambda: bool(refreshed) and not dock.session.is_busy)
    settle(0)
    drawn = time.perf_counter()
    settle(0.05)
    return 1000 * (refreshed[0] - start), 1000 * (drawn - start)


def cancel(dock, viewer, tiled, after_s: float | None) -> float:
    """Press Cancel during the network, or once the superpixels grow, and return the milliseconds until all is idle."""
    viewer.add_image(np.tile(tiled, (2, 2, 1)), rgb=True)
    settle(0.3)
    texts: list[str] = []
    dock.session.progressed.connect(lambda share, text: texts.append(text))
    dock.panel.segment.click()
    if after_s is None:
        wait_for(lambda: "Growing superpixels" in texts)
    else:
        settle(after_s)
    assert dock.session.is_busy, "too late to cancel"
    start = time.perf_counter()
    dock.panel.cancel.click()
    wait_for(lambda: not dock.session.is_busy)
    return 1000 * (time.perf_counter() - start)


def refresh(layer) -> None:
    layer.refresh(extent=False)
    settle(0.15)


def timed_stall(action: Callable[[], object]) -> tuple[float, float]:
    """Return what an action returns, and the longest time in ms in which the event loop did not tick."""
    from qtpy.QtCore import Qt, QTimer

    ticks = [time.perf_counter()]
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    timer.start(TICK_MS)
    value = action()
    ticks.append(time.perf_counter())
    timer.stop()
    return value, 1000 * float(np.diff(ticks).max()) - TICK_MS


def settle(seconds: float) -> None:
    """Process events for a while."""
    end = time.perf_counter() + seconds
    process_events()
    while time.perf_counter() < end:
        process_events()
        time.sleep(0.001)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.perf_counter() + 120
    while not condition():
        process_events()
        time.sleep(0.001)
        if time.perf_counter() > end:
            sys.exit("nothing happened for two minutes")


def process_events() -> None:
    from qtpy.QtWidgets import QApplication

    QApplication.instance().processEvents()


def report(what: str, value_ms: float, budget_ms: float | None) -> bool:
    ok = budget_ms is None or value_ms <= budget_ms
    budget = "" if budget_ms is None else f"   (budget {budget_ms:.0f}){'' if ok else '  MISSED'}"
    sys.stdout.write(f"{what:<66}{value_ms:8.1f}{budget}\n")
    sys.stdout.flush()
    return ok


if __name__ == "__main__":
    sys.exit(main())
