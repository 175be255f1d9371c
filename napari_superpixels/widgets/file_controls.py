"""Annotations to and from files, and where they are kept while they are made."""

from collections.abc import Mapping
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QMenu, QPushButton, QVBoxLayout, QWidget

from napari_superpixels.widgets._buttons import text_button
from napari_superpixels.widgets._folder_row import FolderRow

_JOURNAL_HELP = (
    "Every act is written to this folder a moment after it is done, so that nothing is lost if the program stops. What "
    "is not saved as a project stays there when you close the window, and is offered when you open the image again."
)


class FileControls(QWidget):
    """Asks for exports, imports and projects; shows the folder of the journal.

    Parameters
    ----------
    formats : mapping of str to str
        Formats of annotations, with what to call them, in the order of the menus.
    """

    export_requested = Signal(str)
    """The user wants the annotation in this format."""
    import_requested = Signal(str)
    """The user wants the annotation of a file of this format."""
    save_project_requested = Signal()
    """The user wants all of the work in one file."""
    open_project_requested = Signal()
    """The user wants the work of a project file."""
    journal_folder_requested = Signal()
    """The user wants the journal elsewhere."""

    def __init__(self, formats: Mapping[str, str]) -> None:
        super().__init__()
        self._buttons: dict[str, QPushButton] = {}
        self.menus: dict[str, QMenu] = {}
        """Menus of the buttons, by name."""
        buttons = QHBoxLayout()
        buttons.setSpacing(2)
        entries = {str(name): title for name, title in formats.items()}
        buttons.addWidget(self._menu_button("export", "Export", "Write the classes to a file.", entries), 1)
        buttons.addWidget(
            self._menu_button("import", "Import", "Read classes from a file, as one step of the history.", entries), 1
        )
        project = {"save": "Save project…", "open": "Open project…"}
        description = "All of the work in one file: superpixels, classes, corrections, parameters and history."
        buttons.addWidget(self._menu_button("project", "Project", description, project), 1)
        self._save = self.menus["project"].actions()[0]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(buttons)
        self.journal = FolderRow(
            *("journal_folder", "change_journal_folder", _JOURNAL_HELP),
            *("Choose another folder for the journal.", "Not kept while you work"),
        )
        self.journal.change_requested.connect(self.journal_folder_requested)
        layout.addWidget(self.journal)

    def set_journal_folder(self, folder: str | Path | None) -> None:
        """Show where the journal is; None if there is none."""
        self.journal.set_folder(folder)

    def set_available(self, is_available: bool) -> None:
        """Say whether there is an annotation to write, or to read into; a project can always be opened."""
        for name in ("export", "import"):
            self._buttons[name].setEnabled(is_available)
        self._save.setEnabled(is_available)

    def _menu_button(self, name: str, title: str, description: str, entries: Mapping[str, str]) -> QPushButton:
        button = text_button(name, title, description)
        menu = QMenu(button)
        menu.setObjectName(f"{name}_menu")
        for value, text in entries.items():
            action = menu.addAction(text)
            action.setObjectName(f"{name}_{value}")
            action.triggered.connect(lambda checked=False, value=value: self._request(name, value))
        button.setMenu(menu)
        self.menus[name] = menu
        self._buttons[name] = button
        return button

    def _request(self, name: str, value: str) -> None:
        if name == "export":
            self.export_requested.emit(value)
        elif name == "import":
            self.import_requested.emit(value)
        elif value == "save":
            self.save_project_requested.emit()
        else:
            self.open_project_requested.emit()
