"""Files between the window and the process that learns: what is to be previewed, and the preview. Needs no torch."""

import contextlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.errors import ReadError
from napari_superpixels.files import replacing

_INPUT, _OUTPUT = "preview-input.npz", "preview.npz"


@dataclass(frozen=True, slots=True, eq=False)
class PreviewLabels:
    """Superpixels of the view with the start model and with the network as it is."""

    before: npt.NDArray[np.int32]
    """Shape (M, N)."""
    after: npt.NDArray[np.int32]
    """Shape (M, N)."""
    turn: int
    """Which request they answer."""


def ask_preview(
    folder: str | Path,
    pixels: npt.NDArray[Any],
    n_segments: int,
    *,
    channel_axis: int | None = None,
    rgb: bool | None = None,
    turn: int = 0,
) -> None:
    """Write the pixels that are to be shown into the folder of a run, with the number of the request.

    Raises
    ------
    WriteError
        If they cannot be written.
    """
    layout = np.array([-1 if channel_axis is None else channel_axis % pixels.ndim, -1 if rgb is None else int(rgb)])
    with replacing(Path(folder) / _INPUT) as part, part.open("wb") as file:
        number = np.array(n_segments)
        np.savez(file, allow_pickle=False, pixels=pixels, n_segments=number, layout=layout, turn=np.array(turn))


def read_preview(folder: str | Path) -> PreviewLabels:
    """Read what the child made last.

    Raises
    ------
    ReadError
        If there is nothing, or it is damaged.
    """
    arrays = _read(Path(folder) / _OUTPUT)
    return PreviewLabels(arrays["before"], arrays["after"], int(arrays["turn"]))


def read_request(folder: str | Path) -> dict[str, npt.NDArray[Any]]:
    """Read what :func:`ask_preview` wrote: ``pixels``, ``n_segments``, ``turn``, and ``layout``, -1 for None.

    Raises
    ------
    ReadError
        If there is nothing, or it is damaged.
    """
    return _read(Path(folder) / _INPUT)


def write_preview(folder: str | Path, labels: PreviewLabels) -> None:
    """Write a preview for the window.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    with replacing(Path(folder) / _OUTPUT) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, before=labels.before, after=labels.after, turn=np.array(labels.turn))


def _read(path: Path) -> dict[str, npt.NDArray[Any]]:
    with contextlib.ExitStack() as stack:
        try:
            arrays = stack.enter_context(np.load(path, allow_pickle=False))
            return {name: arrays[name] for name in arrays.files}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ReadError(f"{path} cannot be read: {error}") from error
