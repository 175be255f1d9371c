"""Annotations to and from files, and where they are kept while they are made."""

from collections.abc import Mapping
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_superpixels.widgets._buttons import text_button
from napari_superpixels.widgets.wording import wrapped

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
        self._folder = ""
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
        layout.addLayout(self._make_journal())
        self.set_journal_folder(None)

    def set_journal_folder(self, folder: str | Path | None) -> None:
        """Show where the journal is; None if there is none."""
        self._folder = "" if folder is None else str(folder)
        self._show_folder()
        self.folder.setToolTip(wrapped(f"{self._folder}\n\n{_JOURNAL_HELP}" if self._folder else _JOURNAL_HELP))

    def set_available(self, is_available: bool) -> None:
        """Say whether there is an annotation to write, or to read into; a project can always be opened."""
        for name in ("export", "import"):
            self._buttons[name].setEnabled(is_available)
        self._save.setEnabled(is_available)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Shorten the folder to the room that there is."""
        super().resizeEvent(event)
        self._show_folder()

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

    def _make_journal(self) -> QHBoxLayout:
        self.folder = QLabel()
        self.folder.setObjectName("journal_folder")
        self.folder.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        change = text_button("change_journal_folder", "Change…", "Choose another folder for the journal.")
        change.clicked.connect(lambda: self.journal_folder_requested.emit())
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.folder, 1)
        row.addWidget(change)
        return row

    def _show_folder(self) -> None:
        text = f"Kept in {self._folder}" if self._folder else "Not kept while you work"
        width = max(self.folder.width() - 4, 0)
        self.folder.setText(self.folder.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, width))
