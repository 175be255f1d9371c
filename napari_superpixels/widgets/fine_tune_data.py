"""The training data of a fine-tuning: the list, and what adds to it."""

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_superpixels.widgets._buttons import text_button
from napari_superpixels.widgets._fine_tune_cells import DataTable
from napari_superpixels.widgets._fine_tune_rows import DataModel
from napari_superpixels.widgets._fold import Fold
from napari_superpixels.widgets._rows import ChoiceRow
from napari_superpixels.widgets.fine_tune_wording import EMPTY, FROZEN_SPLIT
from napari_superpixels.widgets.wording import wrapped

if TYPE_CHECKING:
    from napari_superpixels.engine.fine_tune_session import FineTuneSession

_ZERO_HELP = (
    "Whether the pixels of value 0 in the Labels layer are an object of their own, such as the background of cells, or "
    "just not annotated, and left out."
)


class FineTuneData(QWidget):
    """The images of a session.

    Parameters
    ----------
    session : FineTuneSession
        Holds the rows.
    layers : QWidget, optional
        Menus that choose an image and a Labels layer.
    """

    add_annotation_requested = Signal()
    """The user wants the annotation at hand in the Correct widget."""
    add_layers_requested = Signal(str)
    """The user wants the chosen layers; what 0 means in the Labels layer: "segment" or "unannotated"."""
    add_folder_requested = Signal()
    """The user wants the pairs of a folder."""

    def __init__(self, session: "FineTuneSession", layers: QWidget | None = None) -> None:
        super().__init__()
        self.model = DataModel(session, self)
        self.table = DataTable(self.model)
        self.empty = text_block("empty_data", EMPTY)
        self.empty.setStyleSheet("border: 1px dashed rgba(128, 128, 128, 160); border-radius: 3px; padding: 6px;")
        self.note = text_block("frozen_split", FROZEN_SPLIT)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for part in (heading("Images to learn from"), self.empty, self.table):
            layout.addWidget(part)
        layout.addLayout(self._make_buttons())
        if layers is not None:
            layout.addWidget(self._make_layers(layers))
        layout.addWidget(self.note)
        self.table.remove_pressed.connect(self.remove)
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._show_enabled())
        for signal in (self.model.modelReset, self.model.dataChanged):
            signal.connect(lambda *_: self._show_enabled())
        self._show_enabled()

    def close_session(self) -> None:
        """Stop watching the session."""
        self.model.close_session()

    def remove(self) -> None:
        """Take the chosen images out of the list."""
        self.model.remove(self.table.chosen())

    def _make_buttons(self) -> QHBoxLayout:
        annotation = text_button(
            "add_annotation", "+ Annotation", "Add the image that is open in Correct, with what you painted there."
        )
        folder = text_button(
            "add_folder",
            "+ Folder…",
            "Add pairs of image and label files: a folder with images/ and labels/ (or masks/), or files such as "
            "cell.png with cell_mask.png.",
        )
        self.remove_button = text_button(
            "remove_data", "Remove", "Take the chosen images out of the list (Del). Nothing is deleted."
        )
        annotation.clicked.connect(lambda: self.add_annotation_requested.emit())
        folder.clicked.connect(lambda: self.add_folder_requested.emit())
        self.remove_button.clicked.connect(self.remove)
        row = QHBoxLayout()
        row.setSpacing(2)
        for button, stretch in ((annotation, 4), (folder, 3), (self.remove_button, 3)):
            row.addWidget(button, stretch)
        return row

    def _make_layers(self, layers: QWidget) -> Fold:
        self.zero = ChoiceRow(["segment", "unannotated"], ["Background, an object", "Not annotated"])
        self.zero.set_help("zero", "Label 0", _ZERO_HELP)
        self.zero.set_value("segment")
        title = QLabel("Label 0 is")
        title.setBuddy(self.zero.focus_widget())
        title.setToolTip(wrapped(_ZERO_HELP))
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(6)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(title, self.zero)
        add = text_button("add_layers", "+ These layers", "Add the chosen image with the chosen labels.")
        add.clicked.connect(lambda: self.add_layers_requested.emit(self.zero.value()))
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(layers)
        column.addLayout(form)
        column.addWidget(add)
        return Fold("layers", "Image and Labels layers", "Add any image and Labels layer of the viewer", content)

    def _show_enabled(self) -> None:
        has_rows = self.model.rowCount() > 0
        self.empty.setVisible(not has_rows)
        self.table.setVisible(has_rows)
        self.note.setVisible(has_rows)
        chosen = self.table.chosen()
        self.remove_button.setEnabled(any(not self.model.is_locked(i) for i in chosen))


def heading(text: str) -> QLabel:
    """Return the title of a part of the panel."""
    label = QLabel(text)
    label.setStyleSheet("font-weight: bold;")
    return label


def text_block(name: str, text: str = "") -> QLabel:
    """Return a text that wraps at whatever width there is."""
    label = QLabel(text)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
    return label
