"""What a fine-tuning starts from and how it trains: the form, the estimate, and the button."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pydantic.fields import FieldInfo
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_superpixels.engine.links import Links
from napari_superpixels.engine.models import InstalledModel
from napari_superpixels.params import PRESET_VALUES
from napari_superpixels.widgets._buttons import text_button
from napari_superpixels.widgets._declared_form import DeclaredForm
from napari_superpixels.widgets._preset_row import PresetRow
from napari_superpixels.widgets._rows import ModelRow, Row
from napari_superpixels.widgets.fine_tune_data import text_block
from napari_superpixels.widgets.fine_tune_wording import rough_duration
from napari_superpixels.widgets.wording import wrapped

if TYPE_CHECKING:
    from napari_superpixels.engine.fine_tune_session import FineTuneSession

_TRAIN_HELP = "Train in a process of its own: the window stays usable, and your start model stays as it is."
_ESTIMATE_HELP = "Time a few real steps on your images, to say how long the training will take."

_MOST_SEGMENTS = 20_000

Models = Callable[[], Sequence[InstalledModel]]
"""Returns the models that are installed now."""


class FineTuneForm(DeclaredForm):
    """Parameters of a fine-tuning.

    Parameters
    ----------
    session : FineTuneSession
        What is set up.
    models : callable
        Returns the models to start from.
    """

    def __init__(self, session: "FineTuneSession", models: Models) -> None:
        self._models = models
        super().__init__(session, "Parameters that most trainings do not need")
        self.set_slider_limit("n_segments", _MOST_SEGMENTS)
        self.show_effects()

    def make_row(self, name: str, field: FieldInfo) -> Row:
        """Return the control of a parameter."""
        return ModelRow(self._models, has_none=False) if name == "start" else super().make_row(name, field)

    def show_effects(self) -> None:
        """Show what the preset says, where the user has no value of his own."""
        values = PRESET_VALUES[self._session.params.preset]
        for name, row in self.rows.items():
            if isinstance(row, PresetRow) and name in values:
                row.set_preset(values[name])

    def reload_models(self) -> None:
        """List the models that are installed now."""
        row = self.rows["start"]
        assert isinstance(row, ModelRow)
        row.reload()


class TrainControls(QWidget):
    """The estimate, the button Train, and why it cannot be pressed.

    Parameters
    ----------
    session : FineTuneSession
        What is trained.
    """

    def __init__(self, session: "FineTuneSession") -> None:
        super().__init__()
        self._session = session
        self.reason = text_block("train_reason")
        self.estimate_text = text_block("estimate_text")
        self.estimate = text_button("estimate", "Estimate time", _ESTIMATE_HELP)
        self.train = text_button("train", "Train", _TRAIN_HELP)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.estimate_text, 1)
        row.addWidget(self.estimate)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.reason)
        layout.addWidget(self.train)
        self.estimate.clicked.connect(lambda: session.request_estimate())
        self.train.clicked.connect(lambda: session.train())
        self._links = Links()
        for signal in (session.rows_changed, session.params_changed, session.estimated, session.phase_changed):
            self._links.connect(signal, self.refresh)
        self.refresh()

    def close_session(self) -> None:
        """Stop watching the session."""
        self._links.close()

    def refresh(self) -> None:
        """Show whether training is possible, and how long it will take."""
        problem = self._session.problem
        self.reason.setText(f"Train waits: {problem}" if problem else "")
        self.reason.setVisible(bool(problem))
        self.train.setEnabled(not problem)
        self.train.setToolTip(wrapped(f"{problem}\n\n{_TRAIN_HELP}" if problem else _TRAIN_HELP))
        is_estimating = self._session.is_estimating
        self.estimate.setEnabled(not problem and not is_estimating)
        estimate = self._session.estimate
        if is_estimating:
            self.estimate_text.setText("Timing a few steps…")
        elif estimate is not None:
            self.estimate_text.setText(f"Takes about {rough_duration(estimate.seconds)} on this computer.")
            self.estimate_text.setToolTip(
                wrapped(
                    f"Measured: {1000 * estimate.step_seconds:.0f} ms for a step, {estimate.check_seconds:.1f} s "
                    "for a check. It may end earlier, when it no longer gets better."
                )
            )
        else:
            self.estimate_text.setText("How long will it take?")
            self.estimate_text.setToolTip(wrapped(_ESTIMATE_HELP))
