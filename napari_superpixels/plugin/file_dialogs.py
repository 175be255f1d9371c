"""Dialogs that ask for files and folders."""

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_superpixels.errors import WriteError


class FileDialogs:
    """Asks the user over a widget; None where the user thinks better of it.

    Parameters
    ----------
    parent : QWidget
        Over which dialogs open.
    """

    def __init__(self, parent: QWidget) -> None:
        self._parent = parent

    def ask_save(self, title: str, name: str, kinds: str) -> Path | None:
        """Ask for a file to write; Qt asks again before one that is there is replaced."""
        chosen, _ = QFileDialog.getSaveFileName(self._parent, title, name, kinds)
        return Path(chosen) if chosen else None

    def ask_open(self, title: str, kinds: str) -> Path | None:
        """Ask for a file to read."""
        chosen, _ = QFileDialog.getOpenFileName(self._parent, title, "", kinds)
        return Path(chosen) if chosen else None

    def ask_folder(self, title: str, present: Path) -> Path | None:
        """Ask for a folder."""
        chosen = QFileDialog.getExistingDirectory(self._parent, title, str(present))
        return Path(chosen) if chosen else None


def with_suffix(path: Path, suffixes: tuple[str, ...]) -> Path:
    """Return a path that ends with one of these suffixes, the first of them added where it does not.

    Raises
    ------
    WriteError
        If a file has the longer name already: the user was asked about the shorter one.
    """
    if path.name.lower().endswith(suffixes):
        return path
    longer = path.with_name(path.name + suffixes[0])
    if longer.exists():
        raise WriteError(f"{longer} is there already and was not replaced. Choose it, or give another name.")
    return longer
