"""Superpixels that follow the objects of an image: a network flattens the image, the eikonal equation grows regions.

The public names load on first use, so that importing the package stays cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_superpixels.core.metrics import Metrics, evaluate
    from napari_superpixels.engine.api import Segmentation, segment
    from napari_superpixels.nets.checkpoint import load_model

__version__ = "0.1.0"

__all__ = ["Metrics", "Segmentation", "__version__", "evaluate", "load_model", "segment"]

_HOMES = {
    "Metrics": "core.metrics",
    "Segmentation": "engine.api",
    "evaluate": "core.metrics",
    "load_model": "nets.checkpoint",
    "segment": "engine.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
