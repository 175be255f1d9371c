"""Loading in the background what the first superpixels need, so that they come soon."""

import importlib
import logging
import threading

import numpy as np
from napari.layers import Labels
from napari.utils.transforms import Affine

from napari_superpixels.engine.warm_up import warm_up
from napari_superpixels.plugin.style import line_colormap

_LOG = logging.getLogger(__name__)
_lock = threading.Lock()
_is_started = False


def start_warm_up() -> None:
    """Load torch and the compiled code in a thread, once, so that the first result comes soon."""
    global _is_started
    with _lock:
        if _is_started:
            return
        _is_started = True
    # It loads napari's units, which fails where two threads do so at once.
    Affine(ndim=2)
    threading.Thread(target=_warm_up, name="napari-superpixels-warm-up").start()


def _warm_up() -> None:
    try:
        # napari compiles code of its own for the first Labels layer, which takes more than half a second.
        Labels(np.ones((4, 4), np.int32), colormap=line_colormap()).contour = 1
        warm_up()
        # What the Quality part draws with, and what suggestions are learned with: imported while somebody paints, even
        # in a thread, it would stop the window for a moment.
        for name in ("napari_superpixels.widgets.size_plot", "sklearn.ensemble"):
            importlib.import_module(name)
    except Exception:  # noqa: BLE001 - what fails here fails again, and is told, when the user asks for it
        _LOG.debug("The warm-up failed", exc_info=True)
