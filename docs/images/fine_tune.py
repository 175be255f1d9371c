"""Take the pictures fine-tune-*.png beside this file, when run with the folder of some nuclei as its argument.

A real training in a real window: the window while it trains, with its curves and the preview of the view, and the
verdict, with old and new superpixels by swipe. The folder holds images/ and labels/ of the 2018 Data Science Bowl:
python docs/images/fine_tune.py FOLDER
"""

import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
NAMES = ("4596961c789d", "3ebd2ab34ba8", "0b0d577159f0", "6b72b61b8006")
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
        training = Training(Path(sys.argv[1]))
        training.draw()
        run = training.session.run_folder
        assert run is not None
        training.viewer.close()
        Training(Path(sys.argv[1])).draw_after(run)


class Training:
    """A window in which a model is trained."""

    def __init__(self, data: Path) -> None:
        import napari

        self.viewer = napari.Viewer(title="Superpixels")
        self.viewer.window.resize(1400, 940)
        _, self.tune = self.viewer.window.add_plugin_dock_widget("napari-superpixels", "Fine-tune", tabify=True)
        self.session = self.tune.session
        for i, (pixels, labels) in enumerate(read_pairs(data)):
            limits = (int(pixels.min()), int(np.percentile(pixels, 99.5)))
            self.viewer.add_image(pixels, name=f"nuclei {i + 1}", contrast_limits=limits)
            self.viewer.add_labels(labels.astype(np.int32), name=f"drawn {i + 1}", visible=False)
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
        wait(lambda: not self.session.is_running)
        assert self.session.report is not None, self.session.message

    def draw_after(self, run: Path) -> None:
        """Take the picture of a run that has ended.

        In a window of its own: the software renderer can crash where layers come after a picture of the whole window.
        """
        self.session.resume(run)
        wait(lambda: not self.session.is_running)
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
    """Return pixels and labels."""
    import imageio.v3 as iio

    folders = (data / "images", data / "labels")
    return [tuple(iio.imread(folder / f"{name}.png") for folder in folders) for name in NAMES]


def wait(is_done: Any = lambda: False, limit_s: float = 1800) -> None:
    """Process events until something is done, and leave the processor to the training otherwise."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + limit_s
    while not is_done() and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
