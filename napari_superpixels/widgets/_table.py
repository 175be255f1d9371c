"""What the tables of the panels have in common."""

from qtpy.QtCore import QAbstractItemModel, QEvent, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

#: Height of the titles, in pixels.
HEADER = 22
_NARROWEST = 20


class FittedTable(QTableView):
    """A table without a grid, in which rows are chosen, whose columns fit the font.

    Parameters
    ----------
    model : QAbstractItemModel
        What it shows.
    name : str
        Name of the object.
    title : str
        What a screen reader calls it.
    stretched : int
        The column that takes the room that the others leave.
    """

    def __init__(self, model: QAbstractItemModel, name: str, title: str, stretched: int) -> None:
        super().__init__()
        self.setModel(model)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        header.setFixedHeight(HEADER)
        header.setMinimumSectionSize(_NARROWEST)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(stretched, QHeaderView.ResizeMode.Stretch)
        # The chosen row is enough; Qt would draw a frame around one of its cells too.
        self.setStyleSheet("QTableView { outline: 0; }")
        self.fit_columns()

    def fit_columns(self) -> None:
        """Make the columns as wide as their texts in the present font."""
        raise NotImplementedError

    def changeEvent(self, event: QEvent) -> None:
        """Fit another font, as a theme brings it."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.fit_columns()
