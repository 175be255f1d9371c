"""The Correct panel: tools, classes, history, levels, doubts, suggestions and files of one annotation."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.hierarchy import Hierarchy
from napari_superpixels.engine.links import Links
from napari_superpixels.widgets._buttons import text_button
from napari_superpixels.widgets._fold import Fold
from napari_superpixels.widgets._texts import FixedLabel
from napari_superpixels.widgets.class_table_view import ClassTableView
from napari_superpixels.widgets.doubt_controls import DoubtControls
from napari_superpixels.widgets.file_controls import FileControls
from napari_superpixels.widgets.history_view import HistoryView, UndoButtons
from napari_superpixels.widgets.level_row import LevelRow
from napari_superpixels.widgets.restore_offer import RestoreOffer
from napari_superpixels.widgets.shortcut_card import ACTION_KEYS, ShortcutCard
from napari_superpixels.widgets.suggestion_controls import SuggestionControls
from napari_superpixels.widgets.tool_buttons import ToolButtons, ToolInfo
from napari_superpixels.widgets.wording import wrapped

if TYPE_CHECKING:
    from napari_superpixels.engine.doubt import Doubt
    from napari_superpixels.engine.suggestions import Suggester

_WIDTH, _MIN_WIDTH = 310, 250
_REST_MS = 60
_NO_TOOL = "Choose a tool to paint or repair superpixels; hover over one to see what it does."


class CorrectPanel(QWidget):
    """A view of one annotation at a time; what needs the viewer is asked for by signals.

    Parameters
    ----------
    tools : iterable of ToolInfo
        The tools in the order of their buttons.
    formats : mapping of str to str
        Formats of annotations, with what to call them.
    source : QWidget
        Controls that choose the image; put on top.
    """

    tool_chosen = Signal(object)
    """Name of the tool that the user chose; None to switch the tool off."""
    acting = Signal()
    """Emitted before the panel changes the annotation: what is half done in the viewer should be dropped."""
    segment_requested = Signal()
    """The user wants superpixels of the chosen image."""
    superpixels_toggled = Signal(bool)
    """The user wants the superpixels' outlines shown, or hidden."""
    copy_plane_requested = Signal()
    """The user wants this plane's annotation in the next plane too."""
    restore_requested = Signal()
    """The user wants the earlier work that was offered."""
    discard_requested = Signal()
    """The user does not want it."""

    def __init__(
        self,
        tools: Iterable[ToolInfo],
        formats: Mapping[str, str],
        source: QWidget,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        tools = tuple(tools)
        self._annotation: Annotation | None = None
        self._links = Links()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_REST_MS)
        self._later.timeout.connect(self._recount)
        self.tools = ToolButtons(tools)
        self.classes = ClassTableView()
        self.undo_buttons = UndoButtons()
        self.history = HistoryView()
        self.level = LevelRow()
        self.doubts = DoubtControls()
        self.suggestions = SuggestionControls()
        self.files = FileControls(formats)
        self.offer = RestoreOffer()
        self.folds: dict[str, Fold] = {}
        """Parts that can be folded away, by name."""
        self._lay_out(source, tools)
        # A click leaves the focus where it is, so that Space and the keys of the tools reach the picture.
        for button in self.findChildren(QAbstractButton):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._connect()
        self.set_annotation(None)
        self.set_unavailable("")

    def close_session(self) -> None:
        """Stop watching everything, which other widgets may go on using."""
        self.set_annotation(None)
        self.set_hierarchy(None)

    def set_annotation(
        self, annotation: Annotation | None, doubt: "Doubt | None" = None, suggester: "Suggester | None" = None
    ) -> None:
        """Show another annotation, or none.

        Parameters
        ----------
        annotation : Annotation or None
            What is shown and changed.
        doubt : Doubt, optional
            Ranks its superpixels.
        suggester : Suggester, optional
            Suggests classes for them.
        """
        self._links.close()
        self._later.stop()
        self._annotation = annotation
        for part in (self.classes, self.undo_buttons, self.history):
            part.set_annotation(annotation)
        # Whatever cannot be worked on: they may be the way back to what can.
        for way_back in (self.undo_buttons, self.history):
            way_back.setEnabled(annotation is not None)
        self.doubts.set_doubt(doubt, annotation)
        self.suggestions.set_suggester(suggester)
        self.copy_plane.setVisible(annotation is not None and annotation.labels.ndim > 2)
        if annotation is not None:
            for signal in (annotation.classes_changed, annotation.labels_changed, annotation.plane_changed):
                self._links.connect(signal, self._on_changed)

    def set_hierarchy(self, hierarchy: Hierarchy | None) -> None:
        """Show the levels of a hierarchy, or of none."""
        self.level.set_hierarchy(hierarchy)

    def set_unavailable(self, reason: str, *, can_segment: bool = False) -> None:
        """Disable what cannot be done and say why; an empty reason makes it available. The history stays as it is.

        Parameters
        ----------
        reason : str
            Why the annotation cannot be worked on.
        can_segment : bool
            Whether segmenting the image would help; then a button offers it.
        """
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason))
        self.segment.setVisible(bool(reason) and can_segment)
        # Not the files: a project can be opened without any image.
        views = (self.level, self.show_superpixels, self.copy_plane)
        acts = (self.tools, self.help, self.classes, self.doubts, self.suggestions)
        for part in (*views, *acts):
            part.setEnabled(not reason)
        self.files.set_available(not reason)

    def set_tool(self, name: str | None) -> None:
        """Show which tool is on, without `tool_chosen`."""
        self.tools.set_tool(name or None)
        self.help.setText(self.tools.help or _NO_TOOL)

    def set_superpixels_shown(self, is_shown: bool) -> None:
        """Show whether the outlines are shown, without `superpixels_toggled`."""
        self.show_superpixels.setChecked(is_shown)

    def offer_restore(self, text: str) -> None:
        """Offer to restore earlier work, described by a text; an empty one takes the offer back."""
        self.offer.set_text(text)

    def set_journal_folder(self, folder: str | Path | None) -> None:
        """Show where the journal is; None if there is none."""
        self.files.set_journal_folder(folder)

    def say(self, text: str) -> None:
        """Tell the user something."""
        self._tell(text, False)

    def show_error(self, text: str) -> None:
        """Say what went wrong."""
        self._tell(text, True)

    def key_actions(self) -> dict[str, Callable[[], None]]:
        """Return what keys do while a tool is on, besides choosing tools and classes; keys as napari writes them."""
        buttons: tuple[QAbstractButton, ...] = (
            *(self.doubts.next, self.doubts.previous, self.doubts.check),
            *(self.suggestions.suggest, self.suggestions.accept, self.suggestions.accept_in_lasso),
            self.show_superpixels,
        )
        return {ACTION_KEYS[button.objectName()]: button.click for button in buttons}

    def sizeHint(self) -> QSize:
        """Ask for more than the least width, so that names can be read."""
        return super().sizeHint().expandedTo(QSize(_WIDTH, 0))

    def _lay_out(self, source: QWidget, tools: tuple[ToolInfo, ...]) -> None:
        self.reason = QLabel()
        self.reason.setObjectName("reason")
        self.reason.setWordWrap(True)
        self.reason.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
        self.segment = text_button("segment", "Segment", "Cut the chosen image into superpixels.")
        self.help = FixedLabel("tool_help", 2)
        self.help.setText(_NO_TOOL)
        self.status = FixedLabel("status", 2)
        self._controls = self._make_controls(tools)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(6)
        for part in (source, self.reason, self.segment, self.offer, self.tools, self.help, self.classes):
            layout.addWidget(part)
        layout.addWidget(self.undo_buttons)
        layout.addWidget(self._controls, 1)
        layout.addWidget(self.status)
        self.setMinimumWidth(_MIN_WIDTH)

    def _make_controls(self, tools: tuple[ToolInfo, ...]) -> QScrollArea:
        content = self._content = QWidget()
        layout = self._column = QVBoxLayout(content)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._make_view())
        for name, title, description, part in (
            ("history", "History", "All that was done, to go back to.", self.history),
            ("doubtful", "Find the doubtful", "Go through the superpixels that are worth a look.", self.doubts),
            ("suggestions", "Suggest the rest", "Classes for the superpixels that have none yet.", self.suggestions),
            ("files", "Files", "Export, import, projects, and where your work is kept.", self.files),
            ("shortcuts", "Mouse and keys", "What mouse and keys do while a tool is on.", ShortcutCard(tools)),
        ):
            self.folds[name] = Fold(name, title, description, part)
            layout.addWidget(self.folds[name])
        layout.addStretch()
        self.folds["history"].toggled.connect(self._stretch_history)
        self.folds["history"].set_open(True)
        self._stretch_history(True)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(content)
        for fold in self.folds.values():
            fold.toggled.connect(lambda is_open, fold=fold: self._reveal(fold) if is_open else None)
        return area

    def _reveal(self, fold: Fold) -> None:
        """Scroll to a part that was opened, as far as its title stays in view."""
        viewport, bar = self._controls.viewport(), self._controls.verticalScrollBar()
        # Now, not when Qt comes to it, so that places are known.
        self._column.activate()
        self._content.resize(self._content.width(), max(self._column.sizeHint().height(), viewport.height()))
        self._column.activate()
        bar.setRange(0, self._content.height() - viewport.height())
        bar.setValue(min(fold.y(), max(bar.value(), fold.y() + fold.height() - viewport.height())))

    def _stretch_history(self, is_open: bool) -> None:
        """Let the list of the history take what is left of the height."""
        self._column.setStretchFactor(self.folds["history"], int(is_open))

    def _make_view(self) -> QVBoxLayout:
        self.show_superpixels = QCheckBox("Outlines  (H)")
        self.show_superpixels.setObjectName("show_superpixels")
        self.show_superpixels.setChecked(True)
        self.show_superpixels.setToolTip(wrapped("Show the outlines of the superpixels, or hide them."))
        self.copy_plane = text_button(
            "copy_plane", "Copy to next plane", "Give the superpixels of the next plane the classes of this one."
        )
        title = QLabel("Coarser")
        title.setBuddy(self.level.focus_widget())
        title.setToolTip(self.level.focus_widget().toolTip())
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(6)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(title, self.level)
        row = QHBoxLayout()
        row.addWidget(self.show_superpixels, 1)
        row.addWidget(self.copy_plane)
        layout = QVBoxLayout()
        layout.setSpacing(4)
        layout.addLayout(form)
        layout.addLayout(row)
        return layout

    def _connect(self) -> None:
        self.tools.chosen.connect(self._on_tool)
        for part in (self.classes, self.undo_buttons, self.history):
            part.acting.connect(self.acting)
        self.classes.told.connect(self._tell)
        self.doubts.split_requested.connect(self._split_mixed)
        self.segment.clicked.connect(lambda: self.segment_requested.emit())
        self.offer.restore_requested.connect(self.restore_requested)
        self.offer.discard_requested.connect(self.discard_requested)
        self.show_superpixels.clicked.connect(self.superpixels_toggled)
        self.copy_plane.clicked.connect(lambda: self.copy_plane_requested.emit())

    def _on_tool(self, name: str | None) -> None:
        self.help.setText(self.tools.help or _NO_TOOL)
        self.tool_chosen.emit(name)

    def _split_mixed(self) -> None:
        if self._annotation is None:
            return
        self.acting.emit()
        entry = self._annotation.split_all_mixed()
        self.say("Mixed superpixels are divided where their classes meet." if entry else "Nothing could be divided.")

    def _on_changed(self, *_: object) -> None:
        if not self._later.isActive():
            self._later.start()

    def _recount(self) -> None:
        if self._annotation is not None and self._annotation.is_in_stroke:
            # A progress bar draws itself at once, and Qt the whole window with it; the picture comes first.
            self._later.start()
            return
        self.classes.recount()

    def _tell(self, text: str, is_error: bool) -> None:
        self.status.setText(f"⚠ {text}" if is_error and text else text)
