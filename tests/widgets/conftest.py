import pytest

from napari_superpixels.engine.session import Session
from napari_superpixels.widgets.main_thread import MainThread


@pytest.fixture
def session(qapp):
    main_thread = MainThread()
    session = Session(dispatch=main_thread.dispatch)
    yield session
    main_thread.close()
    session.close()
