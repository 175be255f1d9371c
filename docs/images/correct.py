"""Take the pictures correct.png and correct-tools.png beside this file, when run: python docs/images/correct.py.

The Correct widget at work on the sample photograph: the whole window, and what each tool does. All that happens is done
with mouse events on the canvas.
"""

import itertools
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
CROP = (300, 190)
COLUMNS = 4
ZOOM = 1.7


def main() -> None:
    """Take the pictures, with settings and a journal of their own."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        os.environ |= {
            "NAPARI_SUPERPIXELS_CONFIG": folder,
            "NAPARI_SUPERPIXELS_JOURNALS": folder,
            "NAPARI_CONFIG": str(Path(folder, "napari.yaml")),
        }
        from napari_superpixels.plugin.virtual_display import has_display, virtual_display

        if not has_display():
            stack.enter_context(virtual_display())
        Session().draw()


class Session:
    """A window, a hand, and the pictures that come of it."""

    def __init__(self) -> None:
        import napari
        from qtpy.QtCore import Qt

        from napari_superpixels.plugin.sample_data import coffee

        self.left, self.plain = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        self.crops: list[tuple[str, Any]] = []
        self.viewer = napari.Viewer(title="Superpixels")
        self.viewer.window.resize(1400, 940)
        [(pixels, options, _)] = coffee()
        self.viewer.add_image(pixels, **options)
        _, dock = self.viewer.window.add_plugin_dock_widget("napari-superpixels", "Segment", tabify=True)
        _, self.correct = self.viewer.window.add_plugin_dock_widget("napari-superpixels", "Correct", tabify=True)
        dock.segment()
        wait(lambda: self.correct.layers is not None and not dock.session.is_busy and self.correct.hierarchy.is_ready)
        self.viewer.reset_view()
        self.correct.panel.parentWidget().raise_()
        wait(limit_s=1.5)
        self.annotation = self.correct.layers.annotation
        self.canvas = self.viewer.window._qt_viewer.canvas

    def draw(self) -> None:
        """Work, and take the pictures."""
        annotation, tool, show = self.annotation, self.tool, self.show
        if not len(annotation.table):
            annotation.add_class("cup")
        annotation.rename_class(annotation.table.numbers[0], "cup")
        for name in ("spoon", "saucer", "table"):
            annotation.add_class(name)
        cup, spoon, saucer, table = annotation.table.numbers
        show("Paint: drag", tool("paint", spoon), (170, 280), (150, 230), (190, 330))
        show("Erase, or Shift+drag", tool("erase"), (170, 280), (170, 280), (172, 300))
        show("Fill: all of its class together", tool("fill", saucer), (170, 280), (150, 230))
        for _ in ("fill", "erase", "paint"):
            self.correct.undo()
        show("Box", tool("rectangle", table), (65, 480), (20, 430), (110, 540), is_released=False)
        lasso = [(25, 430), (30, 530), (105, 535), (100, 440)]
        show("Lasso", tool("lasso", table), (65, 480), *lasso, is_released=False)
        show("Merge: drag across", tool("merge"), (330, 540), (315, 500), (350, 585))
        show("Split: a click in each part", tool("split"), (60, 80), *self.widest((60, 80)), are_clicks=True)
        show("Cut: a stroke stays a border", tool("cut"), (240, 540), (215, 510), (270, 580))
        show("Move: drag over a border", tool("move"), (60, 190), (60, 165), (62, 205))
        show("+ Seed: click", tool("add_seed"), (330, 60), (330, 60), are_clicks=True)
        show("- Seed: click", tool("remove_seed"), (250, 40), (250, 40), are_clicks=True)
        self.correct.hand.level = 0.5
        show("Coarser: Shift+wheel", tool("paint", saucer), (310, 280))
        self.correct.hand.level = 0.0
        self.viewer.reset_view()
        wait(limit_s=0.3)
        self.paint_the_rest(cup, spoon, saucer, table)
        tool("paint")()
        self.move((170, 300))
        wait(limit_s=1)
        self.save_window()
        self.suggest()
        show("Suggest: hatched until accepted", tool("paint"), (240, 420))
        self.correct.panel.suggestions.suggest.click()
        self.correct.panel.doubts.next.click()
        wait(limit_s=0.8)
        self.crops.append(("Doubtful: N goes to the next", self.crop(self.canvas.native.rect().center())))
        save_sheet(self.crops, FOLDER / "correct-tools.png")
        self.viewer.close()

    def tool(self, name: str, number: int | None = None) -> Callable[[], None]:
        """Return what chooses a tool, and a class for it."""

        def choose() -> None:
            if number is not None:
                self.annotation.current_class = number
            self.correct.choose_tool(name)

        return choose

    def show(
        self,
        title: str,
        choose: Callable[[], None],
        at: tuple[int, int],
        *places: tuple[int, int],
        are_clicks: bool = False,
        is_released: bool = True,
    ) -> None:
        """Choose a tool, use it at some places, and keep the picture around a place under a title."""
        choose()
        self.viewer.scene.camera.center = at
        self.viewer.scene.camera.zoom = ZOOM
        wait(limit_s=0.3)
        if are_clicks:
            self.clicks(*places)
        elif places:
            self.drag(*places, is_released=is_released)
        if is_released:
            self.move(at)
        wait(limit_s=0.6)
        self.crops.append((title, self.crop(self.at(*at))))
        if not is_released:
            self.release(places[-1])

    def crop(self, where: Any) -> Any:
        """Return the picture around a place of the canvas."""
        picture = self.viewer.window.screenshot(canvas_only=True, flash=False)
        ratio = picture.shape[1] / self.canvas.native.width()
        top = int(np.clip(where.y() * ratio - CROP[1] / 2, 0, picture.shape[0] - CROP[1]))
        left = int(np.clip(where.x() * ratio - CROP[0] / 2, 0, picture.shape[1] - CROP[0]))
        return picture[top : top + CROP[1], left : left + CROP[0], :3]

    def at(self, row: float, column: float) -> Any:
        """Return the place on the canvas of a row and column."""
        from qtpy.QtCore import QPoint

        transform = self.canvas.view.scene.transform
        x, y = transform.map(list(reversed(self.correct.layers.classes.data_to_world((row, column)))))[:2]
        return QPoint(round(float(x)), round(float(y)))

    def move(self, place: tuple[int, int]) -> None:
        """Move the mouse to a row and column."""
        from qtpy.QtTest import QTest

        QTest.mouseMove(self.canvas.native, self.at(*place))
        wait(limit_s=0.05)

    def press(self, place: tuple[int, int]) -> None:
        """Press the left button."""
        from qtpy.QtTest import QTest

        QTest.mousePress(self.canvas.native, self.left, self.plain, self.at(*place))

    def release(self, place: tuple[int, int]) -> None:
        """Release it."""
        from qtpy.QtTest import QTest

        QTest.mouseRelease(self.canvas.native, self.left, self.plain, self.at(*place))
        wait(limit_s=0.3)

    def drag(self, *places: tuple[int, int], is_released: bool = True) -> None:
        """Press at the first place, move through the others, release at the last."""
        self.press(places[0])
        for start, end in itertools.pairwise(places):
            for share in np.linspace(0, 1, 8):
                row, column = np.round(np.array(start) + share * (np.array(end) - start)).astype(int)
                self.move((int(row), int(column)))
        if is_released:
            self.release(places[-1])

    def clicks(self, *places: tuple[int, int]) -> None:
        """Click at each place."""
        for place in places:
            self.press(place)
            self.release(place)

    def widest(self, at: tuple[int, int]) -> list[tuple[int, int]]:
        """Return two places near the ends of a row of the superpixel at a place."""
        row = at[0]
        columns = np.flatnonzero(self.annotation.labels_plane[row] == self.annotation.labels_plane[at])
        return [(row, int(columns[len(columns) // 4])), (row, int(columns[-len(columns) // 4]))]

    def paint_the_rest(self, cup: int, spoon: int, saucer: int, table: int) -> None:
        """Paint most of what there is, with drags."""
        strokes = {
            cup: [((120, 230), (210, 250)), ((170, 200), (230, 330)), ((120, 300), (140, 380))],
            table: [((20, 40), (60, 560)), ((360, 40), (390, 500)), ((200, 20), (320, 40))],
            saucer: [((150, 110), (260, 100)), ((140, 430), (250, 450)), ((250, 450), (300, 400))],
            spoon: [((270, 140), (330, 200)), ((320, 200), (330, 360))],
        }
        for number, lines in strokes.items():
            self.tool("paint", number)()
            for line in lines:
                self.drag(*line)

    def suggest(self) -> None:
        """Ask for suggestions and wait for them."""
        self.correct.panel.suggestions.suggest.click()
        wait(lambda: self.correct.suggestions.suggester.current is not None, limit_s=30)
        wait(limit_s=1)

    def save_window(self) -> None:
        """Save the whole window with 256 colours."""
        from PIL import Image

        window = self.viewer.window.screenshot(canvas_only=False, flash=False)
        Image.fromarray(window).convert("RGB").quantize(256).save(FOLDER / "correct.png", optimize=True)


def save_sheet(crops: list[tuple[str, Any]], path: Path) -> None:
    """Save pictures with their titles, side by side."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(15)
    line, gap = 24, 8
    n_rows = -(-len(crops) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (CROP[0] + gap) - gap, n_rows * (CROP[1] + line + gap) - gap), "white")
    pen = ImageDraw.Draw(sheet)
    for i, (title, picture) in enumerate(crops):
        x, y = (i % COLUMNS) * (CROP[0] + gap), (i // COLUMNS) * (CROP[1] + line + gap)
        pen.text((x + 2, y + 3), title, "black", font)
        sheet.paste(Image.fromarray(np.ascontiguousarray(picture)), (x, y + line))
    sheet.quantize(256).save(path, optimize=True)


def wait(is_done: Callable[[], bool] = lambda: False, limit_s: float = 300) -> None:
    """Process events until something is done."""
    from qtpy.QtCore import QElapsedTimer, QEventLoop
    from qtpy.QtWidgets import QApplication

    clock = QElapsedTimer()
    clock.start()
    while not is_done() and clock.elapsed() < 1000 * limit_s:
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 50)


if __name__ == "__main__":
    sys.exit(main())
