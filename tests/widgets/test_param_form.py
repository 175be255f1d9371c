from unittest.mock import Mock

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QComboBox, QLabel, QSlider, QWidget

from napari_superpixels.params import SegmentParams, control
from napari_superpixels.widgets.param_form import ParamForm
from napari_superpixels.widgets.wording import wrapped

NUMBERS = [name for name, field in SegmentParams.model_fields.items() if field.annotation in (int, float)]
CHOICES = ["device", "law", "seed_placement", "solver"]


@pytest.fixture
def form(qtbot, session):
    form = ParamForm(session)
    qtbot.addWidget(form)
    form.show()
    return form


def send(form, name: str) -> None:
    """Let the throttle of a row run out."""
    QTest.qWait(50)


@pytest.mark.parametrize("name", SegmentParams.model_fields)
def test_every_parameter_has_a_named_and_explained_control(form, name: str) -> None:
    widget = form.findChild(QWidget, name)
    field = SegmentParams.model_fields[name]
    assert isinstance(widget, QComboBox | QSlider)
    assert widget.toolTip() == wrapped(field.description)
    assert widget.accessibleName() == field.title
    assert any(label.text() == field.title and label.buddy() is widget for label in form.findChildren(QLabel))
    assert form.advanced.isAncestorOf(widget) == control(field).advanced


@pytest.mark.parametrize("name", NUMBERS)
def test_moving_a_slider_updates_once(form, session, name: str) -> None:
    session.update(law="ergc")
    updates = Mock()
    session.params_changed.connect(lambda new, old: updates(getattr(new, name)))
    slider = form.rows[name].slider
    slider.setValue(slider.maximum() // 3)
    send(form, name)
    updates.assert_called_once_with(getattr(session.params, name))
    assert getattr(session.params, name) == form.rows[name].value() != getattr(SegmentParams(), name)


def test_dragging_sends_the_last_value_and_fewer_than_all(form, session) -> None:
    received: list[float] = []
    session.params_changed.connect(lambda new, old: received.append(new.regularity))
    for position in range(60, 100):
        form.rows["regularity"].slider.setValue(position)
    send(form, "regularity")
    assert received[-1] == 0.99
    assert len(received) < 10


@pytest.mark.parametrize("name", NUMBERS)
def test_typing_a_number_updates_once(form, session, name: str) -> None:
    session.update(law="ergc")
    updates = Mock()
    session.params_changed.connect(lambda new, old: updates())
    box = form.rows[name].box
    box.selectAll()
    QTest.keyClicks(box, "1")
    QTest.keyClick(box, Qt.Key.Key_Return)
    send(form, name)
    assert getattr(session.params, name) == 1
    assert updates.call_count <= 1


@pytest.mark.parametrize("name", CHOICES)
def test_choosing_updates_once(form, session, name: str) -> None:
    updates = Mock()
    session.params_changed.connect(lambda new, old: updates())
    combo = form.rows[name].combo
    other = (combo.currentIndex() + 1) % combo.count()
    combo.setCurrentIndex(other)
    combo.activated.emit(other)
    assert getattr(session.params, name) == combo.itemData(other)
    updates.assert_called_once_with()


def test_choices_have_titles(form) -> None:
    combo = form.findChild(QComboBox, "law")
    assert [combo.itemText(i) for i in range(combo.count())] == ["Quadratic", "Exponential (FMS)", "ERGC (compact)"]


def test_changes_of_the_session_are_shown_and_not_answered(form, session) -> None:
    changed = {"n_segments": 1234, "regularity": 0.25, "law": "exponential", "color_weight": 7.5, "refine_rounds": 9}
    sent = Mock()
    for row in form.rows.values():
        row.committed.connect(sent)
    updates = Mock()
    session.params_changed.connect(lambda new, old: updates())
    session.update(model=None, **changed)
    QTest.qWait(50)
    assert {name: form.rows[name].value() for name in changed} == changed
    assert form.rows["model"].value() is None
    assert form.findChild(QSlider, "regularity").value() == 25
    sent.assert_not_called()
    updates.assert_called_once_with()


def test_law_brings_its_weights(form, session) -> None:
    combo = form.rows["law"].combo
    combo.setCurrentIndex(1)
    combo.activated.emit(1)
    assert form.rows["color_weight"].value() == session.params.color_weight == 5.0


def test_zero_can_be_reached_on_a_logarithmic_slider(form, session) -> None:
    form.rows["color_weight"].slider.setValue(0)
    send(form, "color_weight")
    assert session.params.color_weight == 0


def test_wrong_numbers_stay_in_the_box(form, session) -> None:
    box = form.rows["regularity"].box
    box.selectAll()
    QTest.keyClicks(box, "7,abc")
    QTest.keyClick(box, Qt.Key.Key_Return)
    send(form, "regularity")
    assert 0 <= session.params.regularity <= 1


def test_slider_ends_at_a_sensible_number_but_the_box_does_not(form, session) -> None:
    form.set_slider_limit("n_segments", 5000)
    row = form.rows["n_segments"]
    assert row.value() == 400
    row.slider.setValue(row.slider.maximum())
    send(form, "n_segments")
    assert session.params.n_segments == 5000
    row.box.setValue(60_000)
    send(form, "n_segments")
    assert session.params.n_segments == 60_000


def test_what_has_no_effect_is_disabled(form, session) -> None:
    assert form.rows["flattening"].isEnabled()
    assert not form.rows["compactness"].isEnabled()
    session.update(model=None, law="ergc")
    assert not form.rows["flattening"].isEnabled()
    assert not form.rows["edge_weight"].isEnabled()
    assert form.rows["compactness"].isEnabled()


def test_models_are_listed(form, session) -> None:
    combo = form.findChild(QComboBox, "model")
    texts = [combo.itemText(i) for i in range(combo.count())]
    assert texts == ["natural", "nuclei", "None (raw image)", "Open model file…"]
    combo.setCurrentIndex(2)
    combo.activated.emit(2)
    assert session.params.model is None


def test_file_that_is_no_model_is_refused(form, session, tmp_path, qtbot) -> None:
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"nothing")
    with qtbot.waitSignal(form.refused) as signal:
        form.rows["model"].set_file(str(wrong))
    assert "damaged" in signal.args[0]
    assert session.params.model == "natural"


def test_model_file_is_chosen(form, session, tmp_path) -> None:
    from napari_superpixels.assets import resource_path

    copy = tmp_path / "mine.safetensors"
    copy.write_bytes(resource_path("models", "natural.safetensors").read_bytes())
    form.rows["model"].set_file(str(copy))
    assert session.params.model == str(copy)
    assert form.findChild(QComboBox, "model").currentText() == "mine"


def test_wheel_scrolls_unless_the_control_has_been_clicked(form, session, qtbot) -> None:
    from qtpy.QtCore import QPoint, QPointF
    from qtpy.QtGui import QWheelEvent
    from qtpy.QtWidgets import QApplication

    slider = form.rows["regularity"].slider
    slider.clearFocus()
    point = QPointF(5, 5)
    wheel = QWheelEvent(
        point,
        slider.mapToGlobal(point),
        QPoint(0, 120),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(slider, wheel)
    assert slider.value() == 50
