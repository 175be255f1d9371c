"""A window with a segmented image, to look at or to take a picture of."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from napari_superpixels.engine.models import installed_models
from napari_superpixels.engine.preferences import CONFIG_VARIABLE
from napari_superpixels.errors import SuperpixelsError
from napari_superpixels.params import SegmentParams
from napari_superpixels.plugin.virtual_display import DisplayError, has_display, virtual_display

#: Compiling the solver for the first time takes most of this on a slow machine.
_TIMEOUT_S = 600
_SETTLE_MS = 1500
_WINDOW_SIZE = (1280, 800)


class DemoError(SuperpixelsError):
    """The demonstration cannot be shown."""


def run_demo(
    screenshot: Path | None = None,
    image: Path | None = None,
    model: str | None = SegmentParams.model_fields["model"].default,
) -> int:
    """Open napari on an image, segmented; wait until the user closes it, or take a picture and leave.

    Parameters
    ----------
    screenshot : pathlib.Path, optional
        PNG file for a picture of the whole window.
    image : pathlib.Path, optional
        Image to open; the sample photograph if None.
    model : str or None
        Name of an installed model, a model file, or None for the raw image.

    Returns
    -------
    int
        Exit code: 0, or 1 after a message on stderr.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)
    if model == SegmentParams().model and model not in {found.name for found in installed_models()}:
        console.print(f"The model {model!r} is not installed, so superpixels are grown on the raw image.", markup=False)
        model = None
    try:
        with ExitStack() as stack:
            if not has_display():
                if screenshot is None:
                    raise DisplayError(
                        "There is no screen to open a window on. To save a picture of the window instead, add "
                        "'--screenshot demo.png'."
                    )
                stack.enter_context(virtual_display())
            stack.enter_context(_settings_of_its_own(with_napari=screenshot is not None))
            _show(screenshot, image, model)
    except SuperpixelsError as error:
        console.print(str(error), markup=False)
        return 1
    return 0


def _show(screenshot: Path | None, image: Path | None, model: str | None) -> None:
    # Imported here: Qt chooses its display when it is loaded.
    import napari

    from napari_superpixels.plugin.opening import open_widget

    viewer = napari.Viewer(title="Superpixels")
    dock: Any = None
    try:
        viewer.window.resize(*_WINDOW_SIZE)
        _open_image(viewer, image)
        dock = open_widget(viewer, "Segment")
        dock.session.replace(SegmentParams(model=model))
        viewer.reset_view()
        dock.segment()
        if screenshot is None:
            napari.run()
            return
        _wait_for_result(dock)
        viewer.reset_view()
        _process_events(_SETTLE_MS)
        _save_picture(viewer, screenshot)
    finally:
        # Saves the parameters now, while the settings folder is the demonstration's.
        if dock is not None:
            dock.close_session()
        if screenshot is not None:
            viewer.close()


def _open_image(viewer: Any, image: Path | None) -> None:
    from napari_superpixels.plugin.sample_data import coffee

    if image is None:
        [(pixels, options, _)] = coffee()
        viewer.add_image(pixels, **options)
        return
    if not image.is_file():
        raise DemoError(f"The image {image} does not exist.")
    try:
        viewer.open(image, plugin="napari")
    except Exception as error:
        raise DemoError(f"{image} cannot be opened as an image: {error}") from error


def _wait_for_result(dock: Any) -> None:
    """Process events until the first result, its failure, or too long a time."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    failures: list[Exception] = []

    def on_failed(error: Exception) -> None:
        failures.append(error)
        loop.quit()

    dock.session.solved.connect(lambda result: loop.quit())
    dock.session.failed.connect(on_failed)
    QTimer.singleShot(_TIMEOUT_S * 1000, loop.quit)
    if dock.session.result is None and dock.session.is_busy:
        loop.exec_()
    if failures:
        raise DemoError(f"The image could not be segmented: {failures[0]}")
    if dock.session.result is None:
        raise DemoError(f"There was no result after {_TIMEOUT_S} seconds.")


def _process_events(milliseconds: int) -> None:
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec_()


def _save_picture(viewer: Any, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        viewer.window.screenshot(str(path), canvas_only=False, flash=False)
    except (OSError, ValueError) as error:
        raise DemoError(f"The picture cannot be saved as {path}: {error}") from error


@contextmanager
def _settings_of_its_own(*, with_napari: bool) -> Iterator[None]:
    """Neither read nor change the user's parameters; nor napari's settings, for a picture that all can take alike."""
    with tempfile.TemporaryDirectory(prefix="napari-superpixels-", ignore_cleanup_errors=True) as folder:
        chosen = {CONFIG_VARIABLE: folder}
        if with_napari:
            chosen["NAPARI_CONFIG"] = str(Path(folder, "napari.yaml"))
        before = {name: os.environ.get(name) for name in chosen}
        os.environ |= chosen
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
