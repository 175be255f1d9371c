"""The form of a segmentation's parameters."""

from pydantic.fields import FieldInfo
from qtpy.QtWidgets import QWidget

from napari_superpixels.engine.resolve import unread_parameters
from napari_superpixels.engine.session import Session
from napari_superpixels.widgets._declared_form import DeclaredForm
from napari_superpixels.widgets._rows import ModelRow, Row


class ParamForm(DeclaredForm):
    """Parameters of a segmentation; those that change nothing at present are grey.

    Parameters
    ----------
    session : Session
        What is tuned.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, "Parameters that most images do not need", parent)
        self.links.connect(session.input_changed, self.show_effects)
        self.show_effects()

    def make_row(self, name: str, field: FieldInfo) -> Row:
        """Return the control of a parameter."""
        return ModelRow() if name == "model" else super().make_row(name, field)

    def reload_models(self) -> None:
        """List the models that are installed now."""
        row = self.rows["model"]
        assert isinstance(row, ModelRow)
        row.reload()

    def show_effects(self) -> None:
        """Grey out what has no effect."""
        self.show_unread(unread_parameters(self._session.inputs, self._session.params))
