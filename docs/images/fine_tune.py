"""Take the pictures fine-tune-*.png beside this file, when run with the folder of some nuclei as its argument.

A real training in a real window: the window while it trains, with its curves and the preview of the view, and the
verdict, with old and new superpixels by swipe. The folder holds images/ and labels/, of which the first grey ones are
used: python docs/images/fine_tune.py FOLDER
"""

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
N_IMAGES = 4
SIDE = 256
RUNNING_AT = 0.4


def main() -> None:
    """Take the pictures, with settings, runs and models of their own."""
    with ExitStack() as stack:
        own = stack.enter_context(tempfile.TemporaryDirectory())
        os.environ |= {
            f"NAPARI_SUPERPIXELS_{name}": str(Path(own, name.lower()))
            for name in ("CONFIG", "JOURNALS", "RUNS", "MODELS")
        }
        os.environ["NAPARI_CONFIG"] = str(Path(own, "napari.yaml"))
        from napari_superpixels.plugin.virtual_display import has_display, virtual_display

        if not has_display():
            stack.enter_context(virtual_display())
        Training(Path(sys.argv[1])).draw()


class Training:
    """A window in which a model is trained."""

    def __init__(self, data: Path) -> None:
        import napari

        self.viewer = napari.Viewer(title="Superpixels")
        self.viewer.window.resize(1400, 940)
        _, self.tune = self.viewer.window.add_plugin_dock_widget("napari-superpixels", "Fine-tune", tabify=True)
        self.session = self.tune.session
        for i, (pixels, labels) in enumerate(read_pairs(data)):
            self.viewer.add_image(pixels, name=f"nuclei {i + 1}")
            self.viewer.add_labels(labels, name=f"drawn {i + 1}", visible=False)
            self.tune.source.image_menu.choose(self.viewer.layers[f"nuclei {i + 1}"])
            self.tune.source.labels_menu.choose(self.viewer.layers[f"drawn {i + 1}"])
            self.tune.add_layers()
            wait(lambda n=i + 1: len(self.session.rows) == n)

    def draw(self) -> None:
        """Train, and take the pictures."""
        self.look_at(0)
        self.save("setup")
        self.press("train")
        wait(lambda: self.session.phase == "running" and self.session.progress > 0.02)
        self.press("preview")
        wait(lambda: self.session.progress > RUNNING_AT and "nuclei 1 after" in self.viewer.layers)
        self.save("running")
        wait(lambda: not self.session.is_running, limit_s=1800)
        assert self.session.report is not None, self.session.message
        name = self.session.report.images[0].name
        self.look_at(int(name.split()[-1]) - 1)
        self.tune.panel.set_compare("swipe")
        self.tune.panel.compare_requested.emit(name, "swipe")
        wait(lambda: f"{name} after" in self.viewer.layers)
        self.save("after")
        self.viewer.close()

    def look_at(self, i: int) -> None:
        """Show one of the images alone."""
        for layer in self.viewer.layers:
            layer.visible = layer.name == f"nuclei {i + 1}"
        self.viewer.layers.selection.active = self.viewer.layers[f"nuclei {i + 1}"]
        self.viewer.reset_view()

    def press(self, name: str) -> None:
        """Press a button of the panel."""
        from qtpy.QtWidgets import QAbstractButton

        self.tune.panel.findChild(QAbstractButton, name).click()

    def save(self, name: str) -> None:
        """Save the whole window with 256 colours."""
        from PIL import Image

        wait(limit_s=1.5)
        window = self.viewer.window.screenshot(canvas_only=False, flash=False)
        Image.fromarray(window).convert("RGB").quantize(256).save(FOLDER / f"fine-tune-{name}.png", optimize=True)


def read_pairs(data: Path) -> list[tuple[Any, Any]]:
    """Return pixels and labels of the first grey images that show nuclei enough."""
    import imageio.v3 as iio

    found = []
    for path in sorted((data / "images").iterdir()):
        pixels = iio.imread(path)
        if pixels.shape == (SIDE, SIDE) and len(found) < N_IMAGES:
            labels = iio.imread(data / "labels" / path.name).astype(np.int32)
            if labels.max() > 5:
                found.append((pixels, labels))
    return found


def wait(is_done: Any = lambda: False, limit_s: float = 600) -> None:
    """Process events until something is done."""
    from qtpy.QtCore import QElapsedTimer, QEventLoop
    from qtpy.QtWidgets import QApplication

    clock = QElapsedTimer()
    clock.start()
    while not is_done() and clock.elapsed() < 1000 * limit_s:
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 50)


if __name__ == "__main__":
    sys.exit(main())
