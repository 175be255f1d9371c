"""The Segment panel: what to segment, how, how to show it, and what came of it."""

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QSizePolicy,
    QStyle,
    QVBoxLayout,
    QWidget,
)

from napari_superpixels.engine.links import Links
from napari_superpixels.engine.pipeline import SolveResult
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.engine.session import Session
from napari_superpixels.params import ViewParams
from napari_superpixels.widgets._buttons import line, text_button
from napari_superpixels.widgets._rows import ChoiceRow
from napari_superpixels.widgets.param_form import ParamForm
from napari_superpixels.widgets.quality_panel import QualityPanel
from napari_superpixels.widgets.wording import describe_error, describe_result, wrapped

#: Results that can be shown as layers of their own: name, title, help.
EXTRA_VIEWS = (
    ("flattened", "Flattened", "The image as the network simplifies it: superpixels are grown on this."),
    ("arrival", "Arrival time", "When the growing superpixel reached each pixel: ridges are its borders."),
    ("boundary", "Borders", "Probability of a border, 0 to 1, as the network predicts it. Not every model does."),
    ("seeds", "Seeds", "Where the superpixels started. Move, add or delete points, then choose them under 'Seeds'."),
)
_WIDTH, _MIN_WIDTH = 310, 250
_VIEW_TITLES = {"boundaries": "Boundaries", "filled": "Filled areas", "mean-color": "Mean colour"}
_READY = "Ready: press Segment."


class SegmentPanel(QWidget):
    """A view of one session; the buttons ask, the owner acts.

    Parameters
    ----------
    session : Session
        The state that is shown and changed.
    source : QWidget
        Controls that choose the image; put on top.
    quality : QualityPanel
        Measures of the results; put below.
    """

    segment_requested = Signal()
    """The user wants superpixels of the chosen image."""
    extra_view_toggled = Signal(str, bool)
    """(name in EXTRA_VIEWS, wanted) after a click."""

    def __init__(self, session: Session, source: QWidget, quality: QualityPanel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._quality = quality
        self._reason = ""
        self._seed_note = ""
        self._is_over = False
        inputs = session.inputs
        self._source = None if inputs is None else inputs.source
        self._links = Links()
        self.form = ParamForm(session)
        self.form.refused.connect(self.show_error)
        self.extra_views: dict[str, QCheckBox] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(6)
        layout.addWidget(self._make_controls(source, quality), 1)
        layout.addWidget(self._make_actions())
        self.setMinimumWidth(_MIN_WIDTH)
        self._connect()
        self._show_view(session.view, session.view)
        self._show_busy(session.is_busy)

    def close_session(self) -> None:
        """Stop watching the session, which other widgets may go on using."""
        self._links.close()
        self.form.close_session()
        self._quality.close_session()

    def reload_models(self) -> None:
        """List the models that are installed now."""
        self.form.reload_models()

    def set_unavailable(self, reason: str) -> None:
        """Disable what cannot be done and say why; an empty reason makes it available."""
        if reason == self._reason:
            return
        was_unavailable, self._reason = bool(self._reason), reason
        self._show_busy(self._session.is_busy)
        if reason:
            self._say(reason)
        elif was_unavailable:
            self._say(_READY)

    def set_extra_view(self, name: str, is_shown: bool) -> None:
        """Show whether an extra view is a layer at present, without `extra_view_toggled`."""
        self.extra_views[name].setChecked(is_shown)

    def show_error(self, text: str) -> None:
        """Say what went wrong."""
        self._say(text, is_error=True)

    def add_note(self, text: str) -> None:
        """Add a sentence to the status line."""
        self.status.setText(f"{self.status.text()}\n{text}" if self.status.text() else text)

    def set_seed_note(self, text: str) -> None:
        """Say something of the seeds in the status line, in the place of what was said of them before."""
        old, self._seed_note = self._seed_note, text
        lines = self.status.text().split("\n")
        # As a visit to many planes would else leave a line of each.
        self.status.setText("\n".join(filter(None, [*(line for line in lines if line != old), text])))

    def sizeHint(self) -> QSize:
        """Ask for more than the least width, so that names can be read."""
        return super().sizeHint().expandedTo(QSize(_WIDTH, 0))

    def showEvent(self, event: QShowEvent) -> None:
        """Align the titles, whose width is known once the theme is."""
        super().showEvent(event)
        self._align_titles()

    def _align_titles(self) -> None:
        """Let the controls outside what can be folded begin at one line."""
        folded = (self.form.advanced, self._quality.fold)
        titles = [
            title
            for title in self.findChildren(QLabel)
            if title.buddy() is not None and not any(part.isAncestorOf(title) for part in folded)
        ]
        width = max(title.sizeHint().width() for title in titles)
        for title in titles:
            title.setMinimumWidth(width)

    def _make_controls(self, source: QWidget, quality: QualityPanel) -> QWidget:
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(0, 0, 4, 0)
        layout.setSpacing(6)
        layout.addWidget(source)
        layout.addWidget(line())
        layout.addWidget(self.form)
        layout.addWidget(line())
        layout.addLayout(self._make_view())
        layout.addWidget(line())
        layout.addWidget(quality)
        layout.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(content)
        return area

    def _make_view(self) -> QVBoxLayout:
        self.view_mode = ChoiceRow(list(_VIEW_TITLES), list(_VIEW_TITLES.values()))
        field = ViewParams.model_fields["view_mode"]
        self.view_mode.set_help("view_mode", field.title or "", field.description or "")
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(6)
        title = QLabel(field.title)
        title.setBuddy(self.view_mode.focus_widget())
        title.setToolTip(wrapped(field.description or ""))
        form.addRow(title, self.view_mode)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2)
        grid.setVerticalSpacing(2)
        for i, (name, text, description) in enumerate(EXTRA_VIEWS):
            box = QCheckBox(text)
            box.setObjectName(f"show_{name}")
            box.setToolTip(wrapped(f"Add a layer and keep it up to date. {description}"))
            box.clicked.connect(lambda checked, name=name: self.extra_view_toggled.emit(name, checked))
            grid.addWidget(box, i // 2, i % 2)
            self.extra_views[name] = box
        layout = QVBoxLayout()
        layout.setSpacing(4)
        layout.addLayout(form)
        layout.addWidget(QLabel("Also show as layers:"))
        layout.addLayout(grid)
        return layout

    def _make_actions(self) -> QWidget:
        field = ViewParams.model_fields["live"]
        self.live = QCheckBox(field.title or "")
        self.live.setObjectName("live")
        self.live.setToolTip(wrapped(field.description or ""))
        self.reset = text_button("reset", "Reset", "Go back to the default parameters; the model and the device stay.")
        self.segment = text_button("segment", "Segment", "Cut the chosen image into superpixels.")
        self.cancel = text_button("cancel", "Cancel", "Stop the computation; the superpixels shown stay as they are.")
        self.progress = QProgressBar()
        self.progress.setObjectName("progress")
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(True)
        self.progress.setFixedHeight(18)
        policy = self.progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(policy)
        self.status = QLabel()
        self.status.setObjectName("status")
        self.status.setWordWrap(True)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
        self.warning = QLabel()
        size = self.style().pixelMetric(QStyle.PixelMetric.PM_SmallIconSize)
        icon = self.style().standardIcon(QStyle.StandardPixmap.SP_MessageBoxWarning)
        self.warning.setPixmap(icon.pixmap(size, size))
        self.warning.setVisible(False)
        actions = QWidget()
        layout = QVBoxLayout(actions)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        options = QHBoxLayout()
        options.addWidget(self.live, 1)
        options.addWidget(self.reset)
        buttons = QHBoxLayout()
        buttons.addWidget(self.segment, 2)
        buttons.addWidget(self.cancel, 1)
        message = QHBoxLayout()
        message.addWidget(self.warning, 0, Qt.AlignmentFlag.AlignTop)
        message.addWidget(self.status, 1)
        for part in (options, buttons, message):
            layout.addLayout(part)
        layout.insertWidget(2, self.progress)
        return actions

    def _connect(self) -> None:
        session = self._session
        self.segment.clicked.connect(lambda: self.segment_requested.emit())
        self.cancel.clicked.connect(lambda: session.cancel())
        self.reset.clicked.connect(lambda: session.reset())
        self.live.clicked.connect(lambda checked: session.update_view(live=checked))
        self.view_mode.committed.connect(lambda value: session.update_view(view_mode=value))
        self._links.connect(session.view_changed, self._show_view)
        self._links.connect(session.started, self._on_started)
        self._links.connect(session.progressed, self._on_progressed)
        for signal in (session.solved, session.recalled):
            self._links.connect(signal, self._on_solved)
        self._links.connect(session.failed, self._on_failed)
        self._links.connect(session.cancelled, self._on_cancelled)
        self._links.connect(session.forgotten, self._on_forgotten)
        self._links.connect(session.input_changed, self._on_input)
        self._links.connect(session.idle, self._on_idle)

    def _show_view(self, new: ViewParams, old: ViewParams) -> None:
        self.live.setChecked(new.live)
        self.view_mode.set_value(new.view_mode)

    def _show_busy(self, is_busy: bool) -> None:
        self.segment.setEnabled(not self._reason)
        self.segment.setToolTip(wrapped(self._reason or "Cut the chosen image into superpixels."))
        self.cancel.setEnabled(is_busy)
        self.progress.setVisible(is_busy)
        if not is_busy:
            self.progress.reset()
            self.progress.setFormat("")

    def _on_started(self) -> None:
        if self._is_over:
            self._say("")
        self._show_busy(True)

    def _on_progressed(self, share: float, text: str) -> None:
        self.progress.setValue(round(1000 * share))
        self.progress.setFormat(text)

    def _on_solved(self, result: SolveResult) -> None:
        self._say("\n".join([describe_result(result), *result.notes]))

    def _on_failed(self, error: Exception) -> None:
        self.show_error(describe_error(error))

    def _on_cancelled(self) -> None:
        shown = "" if self._session.result is None else " The superpixels shown are the last complete ones."
        self._say(self._reason or f"Cancelled.{shown}", is_over=True)
        self._show_busy(self._session.is_busy)

    def _on_forgotten(self) -> None:
        self._say(self._reason or _READY)

    def _on_input(self, inputs: ImageInput | None) -> None:
        """Forget what was said of another image."""
        source = None if inputs is None else inputs.source
        if source != self._source:
            self._source = source
            self._on_forgotten()

    def _on_idle(self) -> None:
        self._show_busy(self._session.is_busy)

    def _say(self, text: str, *, is_error: bool = False, is_over: bool = False) -> None:
        """Show a text; one that tells how a computation ended without a result goes when the next begins."""
        self._is_over = is_over or is_error
        self.warning.setVisible(is_error)
        self.status.setText(text)
