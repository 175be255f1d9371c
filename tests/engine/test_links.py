from psygnal import Signal

from napari_superpixels.engine.links import Links


class Source:
    changed = Signal(int)


def test_slots_are_called_until_the_owner_closes() -> None:
    source, links, seen = Source(), Links(), []
    links.connect(source.changed, seen.append)
    source.changed.emit(1)
    links.close()
    source.changed.emit(2)
    links.close()
    assert seen == [1]


def test_options_are_passed_on() -> None:
    source, links, order = Source(), Links(), []
    links.connect(source.changed, lambda value: order.append("late"), priority=-1)
    links.connect(source.changed, lambda value: order.append("soon"))
    source.changed.emit(1)
    assert order == ["soon", "late"]


def test_one_end_that_cannot_be_undone_does_not_keep_the_others() -> None:
    class Gone:
        def connect(self, slot) -> None:
            """Take any slot."""

        def disconnect(self, slot) -> None:
            raise RuntimeError("wrapped C/C++ object has been deleted")

    source, links, seen = Source(), Links(), []
    links.connect(Gone(), seen.append)
    links.connect(source.changed, seen.append)
    links.close()
    source.changed.emit(1)
    assert seen == []
