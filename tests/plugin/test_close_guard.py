"""Closing a window in which a training goes on."""

import pytest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMainWindow, QMessageBox, QPushButton, QWidget

from napari_superpixels.plugin.close_guard import CloseGuard, ask_to_stop


@pytest.fixture
def window(qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    center = QWidget()
    QPushButton("content", center)
    window.setCentralWidget(center)
    window.show()
    qtbot.waitExposed(window)
    return window


@pytest.mark.parametrize("may_close", [True, False])
def test_the_answer_decides(window, may_close) -> None:
    asked, closed = [], []
    guard = CloseGuard(lambda: True, lambda parent: asked.append(parent) or may_close, lambda: closed.append(True))
    guard.watch(window.centralWidget())
    assert window.close() is may_close
    assert asked == [window]
    assert window.isVisible() is not may_close
    assert closed == [True] * may_close
    guard.release()


def test_without_a_training_nobody_is_asked(window) -> None:
    closed = []
    guard = CloseGuard(lambda: False, lambda parent: pytest.fail("asked"), lambda: closed.append(True))
    guard.watch(window.centralWidget())
    assert window.close()
    assert closed == [True]
    guard.release()


def test_a_script_that_closes_its_viewer_is_not_asked(window) -> None:
    closed = []
    guard = CloseGuard(lambda: True, lambda parent: pytest.fail("asked"), lambda: closed.append(True))
    guard.watch(window.centralWidget())
    window.centralWidget().close()
    assert window.close()
    assert closed == [True]
    guard.release()


def test_window_that_stays_for_another_reason_is_not_taken_as_closed(window) -> None:
    closed = []
    guard = CloseGuard(lambda: True, lambda parent: True, lambda: closed.append(True))
    window.closeEvent = lambda event: event.ignore()
    guard.watch(window.centralWidget())
    assert not window.close()
    assert closed == []
    guard.release()


@pytest.mark.parametrize(("button", "expected"), [("stop_and_close", True), ("keep_training", False), (None, False)])
def test_question(window, qtbot, button, expected) -> None:
    def answer() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        if button is None:
            box.reject()
        else:
            box.findChild(QPushButton, button).click()

    QTimer.singleShot(100, answer)
    assert ask_to_stop(window) is expected
