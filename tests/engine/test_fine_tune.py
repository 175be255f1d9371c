"""What a fine-tuning learns from and is measured on, and what comes of it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from pydantic import JsonValue
from safetensors.numpy import load_file

from napari_superpixels.data.sources import DataSource, array_source
from napari_superpixels.data.training_folder import Role, TrainingFolder, TrainingItem, hash_pixels
from napari_superpixels.engine.fine_tune import FineTuneEvents, fine_tune, learning_data
from napari_superpixels.engine.fine_tune_data import known_roles, prepare, reminders
from napari_superpixels.engine.fine_tune_files import (
    FineTuneJob,
    FineTuneReport,
    ImageFigures,
    read_job,
    read_report,
    write_job,
)
from napari_superpixels.engine.fine_tune_recipe import recipe
from napari_superpixels.engine.run_folder import RunFolder
from napari_superpixels.errors import CancelledError, ReadError, TrainingError
from napari_superpixels.nets.can import CANConfig
from napari_superpixels.nets.catalogue import ModelCard
from napari_superpixels.nets.checkpoint import load_model, save_model
from napari_superpixels.nets.registry import build_network
from napari_superpixels.params import PRESET_VALUES, FineTuneParams
from tests.engine.fine_tuning import TINY, discs, make_items, make_run

pytestmark = pytest.mark.usefixtures("single_thread")


def _folder(n_images: int, roles: dict[str, Role] | None = None, first: int = 0) -> TrainingFolder:
    images, labels = zip(*(discs(first + i) for i in range(n_images)), strict=True)
    names = [f"disc {first + i}" for i in range(n_images)]
    return TrainingFolder(array_source(images, labels, names=names), roles or {})


def _names(source: DataSource) -> list[str]:
    return [item.name for item in source]


def test_images_without_a_role_get_one_from_the_seed() -> None:
    found = [prepare(_folder(8), seed) for seed in (0, 0, 1, 2, 3)]
    assert all(len(data.train) == 6 and len(data.validation) == 2 for data in found)
    splits = [tuple(_names(data.validation)) for data in found]
    assert splits[0] == splits[1]
    assert len(set(splits)) > 1
    for data in found:
        assert not set(_names(data.train)) & set(_names(data.validation))


def test_roles_that_are_given_hold() -> None:
    data = prepare(_folder(3, {"disc 2": "validation"}), 0)
    assert (_names(data.train), _names(data.validation)) == (["disc 0", "disc 1"], ["disc 2"])
    for role, verb in (("train", "validates"), ("validation", "trains")):
        with pytest.raises(ReadError, match=f"None of the 2 images {verb}"):
            prepare(_folder(2, {"disc 0": role, "disc 1": role}), 0)  # type: ignore[dict-item]


def test_one_image_teaches_with_one_half_and_measures_with_the_other() -> None:
    data = prepare(_folder(1), 0)
    assert data.is_halved
    assert any("one half" in note for note in data.notes)
    image, labels = discs(0)
    first, second = data.train.items[0].read(), data.validation.items[0].read()
    np.testing.assert_array_equal(np.concatenate([first.pixels, second.pixels], axis=1), image)
    np.testing.assert_array_equal(np.concatenate([first.ground_truths[0], second.ground_truths[0]], axis=1), labels)


def test_an_image_that_teaches_must_not_measure() -> None:
    image, labels = discs(0)
    source = array_source([image, image.copy()], [labels, labels], names=["one", "two"])
    with pytest.raises(ReadError, match="'one' is the same image as 'two', which validates"):
        prepare(TrainingFolder(source, {"one": "train", "two": "validation"}), 0)


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [
        (np.full((48, 56), 3, np.uint8), discs(0)[1], "one value everywhere"),
        (discs(0)[0], np.ones((48, 56), np.int32), "one segment without a border"),
        (discs(0)[0], discs(0)[1][:-1], "ground truth has shape"),
    ],
)
def test_what_teaches_nothing_is_refused(pixels: np.ndarray, labels: np.ndarray, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        prepare(TrainingFolder(array_source([pixels], [labels])), 0)


def test_an_earlier_run_takes_part_and_its_split_stays() -> None:
    """Of the new images one was among the earlier ones; its new annotation counts, its old role too."""
    earlier = prepare(_folder(3, {"disc 1": "validation"}), 0)
    image, labels = discs(1)
    more = np.where(labels > 0, 1, 0).astype(np.int32)
    again = array_source([image, discs(9)[0]], [more, discs(9)[1]], names=["again", "disc 0"])
    data = prepare(TrainingFolder(again, {"again": "train"}), 0, earlier=earlier)
    assert _names(data.validation) == ["again"]
    assert sorted(_names(data.train)) == ["disc 0", "disc 0-2", "disc 2"]
    np.testing.assert_array_equal(data.items["again"].read().ground_truths[0], more)
    np.testing.assert_array_equal(data.items["disc 0-2"].read().pixels, discs(0)[0])


def test_reminders_are_what_the_model_makes_of_the_sample_images() -> None:
    model = load_model("natural")
    samples = reminders(model)
    assert len(samples) == 3
    for sample in samples:
        target = sample.colors[0][sample.labels[0]]
        assert target.shape == sample.image.shape
        assert 0 < np.abs(target - sample.image / 255).mean() < 0.1


def test_presets_and_own_values() -> None:
    for preset, values in PRESET_VALUES.items():
        train = recipe(FineTuneParams(preset=preset)).train
        assert {name: getattr(train, name) for name in values} == values
    own = recipe(FineTuneParams(steps=7, learning_rate=0.1, trained="last", keep=0.25, seed=3)).train
    assert (own.steps, own.learning_rate, own.trained, own.reminder_share, own.seed) == (7, 0.1, "last", 0.25, 3)


def test_report_card_and_split(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", TINY.updated(keep=0.5, trained="last"))
    told: list[tuple[str, object]] = []
    events = FineTuneEvents(
        on_baseline=lambda measures, data: told.append(("baseline", len(data.validation))),
        on_step=lambda event, n_steps: told.append(("step", n_steps)),
        on_epoch=lambda event: told.append(("epoch", event.epoch)),
    )
    report = fine_tune(folder, events=events)
    expected = [("baseline", 1), ("step", 4), ("step", 4), ("epoch", 1), ("step", 4), ("step", 4), ("epoch", 2)]
    assert told == expected
    assert read_report(folder) == report
    assert report.train == ("disc 0", "disc 1")
    assert [image.name for image in report.images] == ["disc 2"]
    assert report.before == report.images[0].before
    assert RunFolder(folder).read_split().validation == ("disc 2",)
    best = load_model(folder / "best.safetensors")
    assert best.card.metrics["val_undersegmentation_error"] == pytest.approx(report.after["undersegmentation_error"])
    assert best.card.recipe["lineage"]["before"] == report.before  # type: ignore[call-overload,index]
    with pytest.raises(TrainingError, match="holds a training run already"):
        fine_tune(folder)
    shutil.rmtree(folder / "data")
    assert fine_tune(folder, resume=True) == report


def test_the_same_job_gives_the_same_weights_also_when_it_is_stopped(tmp_path: Path) -> None:
    whole, parts = (make_run(tmp_path / name, TINY.updated(steps=6, epoch_steps=3)) for name in ("whole", "parts"))
    fine_tune(whole)
    stops = 0
    for n_questions in range(8, 200, 5):
        answers = iter([False] * n_questions)
        try:
            report = fine_tune(parts, resume=True, should_stop=lambda answers=answers: next(answers, True))
        except CancelledError:
            stops += 1
            continue
        if report.reason == "complete":
            break
        stops += 1
        assert read_report(parts) is None
    assert stops > 1
    for name in ("best", "last"):
        first, second = (load_file(folder / f"{name}.safetensors") for folder in (whole, parts))
        assert all(np.array_equal(value, second[key]) for key, value in first.items())
    assert read_report(parts).after == read_report(whole).after  # type: ignore[union-attr]


def test_continuing_joins_the_images_of_the_run_before(tmp_path: Path) -> None:
    first = make_run(tmp_path / "first")
    fine_tune(first)
    params = TINY.updated(start=str(first / "best.safetensors"))
    new = [TrainingItem("new", *discs(20)), TrainingItem("old", *discs(2), role="train")]
    second = make_run(tmp_path / "second", params, new, earlier=first)
    data = learning_data(second, read_job(second))
    assert _names(data.validation) == ["old"]
    assert sorted(_names(data.train)) == ["disc 0", "disc 1", "new"]
    report = fine_tune(second)
    assert [image.name for image in report.images] == ["old"]


def test_images_that_the_start_model_has_met_keep_their_roles_without_its_run(tmp_path: Path) -> None:
    """The card of a model says which images taught and which measured; a name or a seed cannot change that."""
    first = make_run(tmp_path / "first")
    fine_tune(first)
    start = load_model(first / "best.safetensors")
    known = known_roles(start.card)
    assert sorted(known.values()) == ["train", "train", "validation"]
    shutil.copy(first / "best.safetensors", tmp_path / "alone.safetensors")
    for seed in range(4):
        images, labels = zip(*(discs(number) for number in (2, 1, 0, 30)), strict=True)
        source = array_source(images, labels, names=["a", "b", "c", "new"])
        data = prepare(TrainingFolder(source), seed, known=known)
        assert _names(data.validation) == ["a"]
        assert any("'a', 'b', 'c' took part" in note for note in data.notes)
    params = TINY.updated(start=str(tmp_path / "alone.safetensors"))
    wrong = [TrainingItem("x", *discs(0), role="validation"), TrainingItem("y", *discs(9), role="train")]
    with pytest.raises(ReadError, match="None of the 2 images validates"):
        fine_tune(make_run(tmp_path / "wrong", params, wrong))
    with pytest.raises(ReadError, match="'x' is the only image, and it took part when the start model was made"):
        fine_tune(make_run(tmp_path / "only", params, wrong[:1]))
    right = [TrainingItem("x", *discs(2)), TrainingItem("y", *discs(9))]
    second = make_run(tmp_path / "second", params, right)
    fine_tune(second)
    third = known_roles(load_model(second / "best.safetensors").card)
    assert known.items() < third.items()
    assert third[hash_pixels(discs(9)[0])] == "train"


def test_an_image_that_was_halved_goes_on_with_the_same_halves_or_teaches(tmp_path: Path) -> None:
    first = make_run(tmp_path / "first", items=make_items((None,)))
    fine_tune(first)
    known = known_roles(load_model(first / "best.safetensors").card)
    assert list(known.values()) == ["half"]
    again = prepare(_folder(1), 0, known=known)
    assert again.is_halved
    for seed in range(4):
        assert _names(prepare(_folder(2), seed, known=known).train) == ["disc 0"]


def test_images_of_an_earlier_run_can_be_left_out() -> None:
    earlier = prepare(_folder(3, {"disc 1": "validation"}), 0)
    data = prepare(_folder(1, first=9), 0, earlier=earlier, left_out=[earlier.hashes["disc 0"]])
    assert (_names(data.train), _names(data.validation)) == (["disc 2", "disc 9"], ["disc 1"])


def test_an_earlier_run_whose_images_are_gone(tmp_path: Path) -> None:
    first = make_run(tmp_path / "first")
    shutil.rmtree(first / "data")
    with pytest.raises(ReadError, match="The images of the training that made the start model are needed too"):
        fine_tune(make_run(tmp_path / "second", earlier=first))


@pytest.mark.parametrize("lineage", ["text", {"roles": ["a"]}, {"roles": {"digest": "teacher"}}])
def test_a_card_that_says_nothing_of_images(lineage: JsonValue) -> None:
    assert known_roles(ModelCard(recipe={"lineage": lineage})) == {}
    assert known_roles(ModelCard()) == {}


def test_models_that_cannot_learn_are_refused(tmp_path: Path) -> None:
    save_model(tmp_path / "one.safetensors", build_network(CANConfig(in_channels=1, out_channels=1)))
    folder = make_run(tmp_path / "run", TINY.updated(start=str(tmp_path / "one.safetensors")))
    with pytest.raises(TrainingError, match="makes 1 channels of 1; fine-tuning needs a model that makes colours"):
        fine_tune(folder)


def test_a_verdict_is_plain() -> None:
    def report(before: float, after: float | None) -> FineTuneReport:
        values = [{"undersegmentation_error": value} for value in (before, after) if value is not None]
        images = (ImageFigures(name="a", before=values[0], after=values[-1] if after is not None else {}),)
        after_values = values[1] if after is not None else {}
        return FineTuneReport(
            start="natural",
            steps=1,
            reason="complete",
            seconds=1.0,
            train=("b",),
            before=values[0],
            after=after_values,
            images=images,
        )

    assert report(0.04, 0.03).is_better
    assert report(0.04, 0.03).change == pytest.approx(-0.25)
    assert not report(0.04, 0.05).is_better
    assert not report(0.04, None).is_better
    assert report(0.04, None).change == 0.0


def test_files_that_are_no_job(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"job\.json cannot be read"):
        fine_tune(tmp_path)
    assert read_report(tmp_path) is None
    write_job(tmp_path, FineTuneJob(data="data"))
    with pytest.raises(TrainingError, match="holds a training run already"):
        write_job(tmp_path, FineTuneJob(data="data"))
    with pytest.raises(ReadError, match="data does not exist"):
        fine_tune(tmp_path)
    (tmp_path / "job.json").write_text("{}")
    with pytest.raises(ReadError, match="cannot be understood"):
        read_job(tmp_path)


def test_stopped_while_the_images_are_read(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", items=make_items())
    with pytest.raises(CancelledError, match="stopped before it began"):
        fine_tune(folder, should_stop=lambda: True)
    assert fine_tune(folder, resume=True).reason == "complete"
