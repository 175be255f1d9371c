"""Figures as files: drawn without a window, equal bytes for equal figures."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from napari_superpixels.errors import WriteError
from napari_superpixels.files import replacing

#: Suffixes of the files that a figure is written to.
FIGURE_SUFFIXES = (".svg", ".png")


def save_figure(path: str | Path, figure: Figure, *, dpi: int = 150) -> None:
    """Write a figure as SVG or PNG, without anything that changes from run to run.

    Parameters
    ----------
    path : str or pathlib.Path
        ``.svg`` or ``.png`` file; its folder is made if missing.
    figure : matplotlib.figure.Figure
        The figure.
    dpi : int
        Pixels per inch of a PNG file.

    Raises
    ------
    WriteError
        If the file cannot be written or is of another kind.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FIGURE_SUFFIXES:
        raise WriteError(f"A figure cannot be written to {path}; name a file that ends with .svg or .png.")
    FigureCanvasAgg(figure)
    metadata = {"Date": None} if suffix == ".svg" else {"Software": None}
    # The salt makes the names inside an SVG equal for equal figures.
    with replacing(path) as part, mpl.rc_context({"svg.hashsalt": "napari-superpixels"}):
        figure.savefig(part, format=suffix[1:], dpi=dpi, metadata=metadata)
