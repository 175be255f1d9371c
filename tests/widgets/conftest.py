import pytest
from qtpy.QtWidgets import QComboBox

from napari_superpixels.engine.quality import QualityMeter
from napari_superpixels.engine.session import Session
from napari_superpixels.widgets.main_thread import MainThread
from napari_superpixels.widgets.quality_panel import QualityPanel


@pytest.fixture
def main_thread(qapp):
    return MainThread()


@pytest.fixture
def session(main_thread):
    session = Session(dispatch=main_thread.dispatch)
    yield session
    main_thread.close()
    session.close()


@pytest.fixture
def truths():
    """Return a list whose last element is the ground truth."""
    return [None]


@pytest.fixture
def meter(session, main_thread, truths):
    meter = QualityMeter(session, lambda inputs: truths[-1], main_thread.dispatch)
    yield meter
    meter.close()


@pytest.fixture
def quality_panel(session, meter, qtbot):
    menu = QComboBox()
    menu.setObjectName("ground_truth")
    panel = QualityPanel(session, meter, menu)
    qtbot.addWidget(panel)
    return panel
