import threading

from napari_superpixels.widgets.main_thread import MainThread


def test_function_runs_in_the_main_thread_in_order(qtbot) -> None:
    main = MainThread()
    calls: list[tuple[int, bool]] = []

    def work() -> None:
        for i in range(20):
            main.dispatch(lambda i=i: calls.append((i, threading.current_thread() is threading.main_thread())))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert calls == []
    qtbot.waitUntil(lambda: len(calls) == 20)
    assert calls == [(i, True) for i in range(20)]


def test_nothing_runs_after_close(qtbot) -> None:
    main = MainThread()
    calls: list[int] = []
    main.dispatch(lambda: calls.append(1))
    main.close()
    main.dispatch(lambda: calls.append(2))
    qtbot.wait(30)
    assert calls == []


def test_dispatch_survives_the_end_of_the_qt_object(qtbot) -> None:
    main = MainThread()
    main.deleteLater()
    qtbot.wait(30)
    main.dispatch(lambda: None)
