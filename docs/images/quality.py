"""Take the picture quality.png beside this file, when run: python docs/images/quality.py.

The Segment widget with its Quality part open, on the sample of fluorescent nuclei. The ground truth here is a
threshold: it stands for the labels that you have for your own images.
"""

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

OUTPUT = Path(__file__).with_suffix(".png")


def main() -> None:
    """Take the picture, with settings of its own."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        os.environ |= {"NAPARI_SUPERPIXELS_CONFIG": folder, "NAPARI_CONFIG": str(Path(folder, "napari.yaml"))}
        from napari_superpixels.plugin.virtual_display import has_display, virtual_display

        if not has_display():
            stack.enter_context(virtual_display())
        draw()


def draw() -> None:
    """Segment the sample, compare it, and save the window with 256 colours."""
    import napari
    from PIL import Image
    from skimage.filters import gaussian, threshold_otsu
    from skimage.measure import label

    from napari_superpixels.plugin.sample_data import nuclei_fluorescence

    [(pixels, options, _)] = nuclei_fluorescence()
    viewer = napari.Viewer(title="Superpixels")
    viewer.window.resize(1280, 980)
    viewer.add_image(pixels, **options)
    smooth = gaussian(pixels, 1)
    viewer.add_labels(label(smooth > threshold_otsu(smooth)), name="nuclei by threshold", visible=False)
    _, dock = viewer.window.add_plugin_dock_widget("napari-superpixels", "Segment")
    dock.source.choose_image(viewer.layers[0])
    dock.session.update_view(quality_open=True)
    dock.truth.setCurrentIndex(1)
    dock.truth.activated.emit(1)
    dock.quality.missed.click()
    dock.segment()
    wait(lambda: dock.meter.quality is not None and dock.meter.quality.missed is not None)
    viewer.reset_view()
    wait(lambda: False, limit_s=2)
    window = viewer.window.screenshot(canvas_only=False, flash=False)
    Image.fromarray(window).convert("RGB").quantize(256).save(OUTPUT, optimize=True)
    viewer.close()


def wait(is_done, limit_s: float = 300) -> None:
    """Process events until something is done."""
    from qtpy.QtCore import QElapsedTimer, QEventLoop
    from qtpy.QtWidgets import QApplication

    clock = QElapsedTimer()
    clock.start()
    while not is_done() and clock.elapsed() < 1000 * limit_s:
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 50)


if __name__ == "__main__":
    sys.exit(main())
