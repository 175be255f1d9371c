"""Messages where the user looks: in the panel, or by napari while the panel is hidden."""

from napari.utils.notifications import show_error
from qtpy.QtWidgets import QWidget

from napari_superpixels.engine.session import Session
from napari_superpixels.widgets.wording import describe_error


class HiddenPanelNotifier:
    """Repeats a session's failures as napari notifications while its panel cannot be seen."""

    def __init__(self, session: Session, panel: QWidget) -> None:
        self._panel = panel
        self._session = session
        session.failed.connect(self._on_failed)

    def close(self) -> None:
        """Stop watching the session."""
        self._session.failed.disconnect(self._on_failed)

    def _on_failed(self, error: Exception) -> None:
        if not self._panel.isVisible():
            show_error(f"Superpixels: {describe_error(error)}")
