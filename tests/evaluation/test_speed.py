"""The speed benchmark: what is planned, measured in child processes, kept and written."""

import csv
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_superpixels.core.parallel import n_processors
from napari_superpixels.errors import MissingPackageError, WriteError
from napari_superpixels.evaluation import speed, speed_methods, speed_worker
from napari_superpixels.evaluation.speed import SpeedStore, Timing, measure_memory, measure_speed
from napari_superpixels.evaluation.speed_methods import (
    SPEED_METHODS,
    SpeedMethod,
    Workload,
    load_speed_methods,
    n_superpixels,
)
from napari_superpixels.evaluation.speed_report import (
    draw_speed,
    memory_table,
    time_table,
    write_speed_csv,
    write_speed_json,
)

OURS = [method for method in SPEED_METHODS if method.key in ("eikonal", "march")]


def fake(key: str, **options: Any) -> SpeedMethod:
    return SpeedMethod(key, key.title(), lambda work: lambda: None, **options)


class FakeChild:
    """Stands for the child process: every method takes 1 s per 1000 pixels of edge, squared, and 10 MB."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.jobs: list[dict[str, Any]] = []
        monkeypatch.setattr(speed, "_run_child", self.run)

    def run(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        self.jobs.append(job)
        if job["kind"] == "memory":
            return [{"method": key, "bytes": 10 * 2**20} for key in job["methods"]]
        seconds = (job["edge"] / 1000) ** 2
        return [{"method": key, "seconds": seconds * factor} for factor in (3, 1, 2) for key in job["methods"]]


def test_a_child_process_times_methods_and_measures_their_memory() -> None:
    (timed,) = measure_speed(OURS, sizes=[512], threads=[n_processors()], n_runs=3)
    timings = list(measure_memory(OURS, timed))
    assert [timing.method for timing in timings] == [method.title for method in OURS]
    for timing in timings:
        assert len(timing.seconds) == 3
        assert 1e-4 < min(timing.seconds) <= (timing.median or 0) < 60
        assert timing.note == ""
    if sys.platform == "linux":
        # Fronts hold 8 bytes of features and 8 of label and arrival for each pixel, at the least.
        assert 2 * 2**20 < (timings[0].extra_bytes or 0) < 200 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process cannot be bound to cores")
def test_the_child_is_bound_to_its_cores() -> None:
    code = (
        "import json, os, sys; from napari_superpixels.evaluation import speed_worker;"
        "speed_worker.run_job = lambda job, emit: emit({'cores': len(os.sched_getaffinity(0))});"
        "speed_worker.main()"
    )
    done = subprocess.run([sys.executable, "-c", code, json.dumps({"n_threads": 1})], capture_output=True, text=True)
    assert json.loads(done.stdout) == {"cores": 1}, done.stderr


def test_methods_take_turns() -> None:
    calls: list[str] = []
    found: list[dict[str, Any]] = []
    ready = {name: lambda name=name: calls.append(name) for name in "ab"}
    speed_worker._time_in_turn(ready, 3, found.append)
    assert calls == ["a", "b"] * 3
    assert [entry["method"] for entry in found] == calls


def test_a_method_that_fails_is_left_out_of_further_turns() -> None:
    def fail() -> None:
        raise ValueError("too many")

    found: list[dict[str, Any]] = []
    speed_worker._time_in_turn({"a": fail, "b": lambda: None}, 3, found.append)
    assert found[0] == {"method": "a", "error": "too many"}
    assert [entry["method"] for entry in found[1:]] == ["b"] * 3


def test_slow_methods_are_run_at_least_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_worker, "_ENOUGH_SECONDS", 0.01)
    found: list[dict[str, Any]] = []
    speed_worker._time_in_turn({"a": lambda: time.sleep(0.02)}, 7, found.append)
    assert len(found) == 3
    assert all(entry["seconds"] >= 0.02 for entry in found)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the status of a Linux process")
def test_memory_is_the_peak_of_the_call() -> None:
    assert 64 * 2**20 < (speed_worker._extra_memory(lambda: np.ones(2**26, np.uint8)) or 0) < 80 * 2**20
    assert (speed_worker._extra_memory(lambda: None) or 0) < 8 * 2**20


def test_sizes_and_threads_are_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "n_processors", lambda: 2)
    child = FakeChild(monkeypatch)
    blocks = list(measure_speed([fake("a"), fake("b")], sizes=[500, 250], threads=[1, 2], n_runs=5))
    assert [(block[0].n_threads, block[0].edge) for block in blocks] == [(1, 250), (1, 500), (2, 250), (2, 500)]
    assert [job["kind"] for job in child.jobs] == ["time"] * 4
    assert child.jobs[0] == {
        "methods": ["a", "b"],
        "edge": 250,
        "n_threads": 1,
        "n_runs": 5,
        "model": "natural",
        "kind": "time",
    }
    assert blocks[0][0] == Timing("A", 250, 1, (0.1875, 0.0625, 0.125))
    assert blocks[0][0].median == 0.125


def test_memory_is_measured_once_for_each_size_with_most_threads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child = FakeChild(monkeypatch)
    store = SpeedStore(tmp_path / "speed.jsonl")
    timed = [Timing("A", 250, 1, (1.0,)), Timing("A", 250, 2, (0.5,)), Timing("B", 250, 2, note="too slow")]
    for _ in range(2):
        found = list(measure_memory([fake("a"), fake("b")], timed, store=store))
        assert [timing.extra_bytes for timing in found] == [None, 10 * 2**20, None]
        assert found[1].seconds == (0.5,)
    assert child.jobs == [{"kind": "memory", "methods": ["a"], "edge": 250, "n_threads": 2, "model": "natural"}]


def test_rivals_are_left_out_where_they_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeChild(monkeypatch)
    monkeypatch.setattr(speed, "LONGEST_RUN", 12.0)
    methods = [
        fake("own"),
        fake("slow", is_rival=True),
        fake("small", largest_edge=2000),
        fake("few", most_superpixels=n_superpixels(1000)),
    ]
    blocks = list(measure_speed(methods, sizes=[1000, 2000, 4000], threads=[n_processors()]))
    notes = {(timing.method, timing.edge): timing.note for block in blocks for timing in block}
    assert {key for key, note in notes.items() if note} == {
        ("Slow", 4000),
        ("Small", 4000),
        ("Few", 2000),
        ("Few", 4000),
    }
    assert notes["Slow", 4000] == "about 32 s a run at 4000x4000"
    assert notes["Small", 4000] == "not beyond 2000 pixels a side"
    assert notes["Few", 2000] == f"at most {n_superpixels(1000)} superpixels"


def test_a_crash_is_told() -> None:
    found = list(
        speed._run_child(
            {"kind": "time", "methods": ["unknown"], "edge": 64, "n_threads": 1, "n_runs": 1, "model": "natural"}
        )
    )
    assert found == [{"method": "unknown", "error": "the process ended with status 1"}]


def test_what_is_kept_is_not_measured_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    child = FakeChild(monkeypatch)
    path = tmp_path / "kept" / "speed.jsonl"
    arguments: dict[str, Any] = {"sizes": [100, 200], "threads": [n_processors()]}
    first = next(iter(measure_speed([fake("a")], **arguments, store=SpeedStore(path))))
    path.write_text(path.read_text() + '\n{"key": "cut o')
    again = list(measure_speed([fake("a")], **arguments, store=SpeedStore(path)))
    assert [job["edge"] for job in child.jobs] == [100, 200]
    assert again[0] == first
    store = SpeedStore(path)
    assert list(measure_speed([fake("a")], **arguments, store=store)) == again
    assert len(child.jobs) == 2
    list(measure_speed([fake("b")], **arguments, store=store))
    assert len(child.jobs) == 4
    store.remove()
    assert not path.exists()


def test_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match=r"keeps results for a later start, cannot be used"):
        SpeedStore(tmp_path / "file" / "speed.jsonl")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": []}, "sizes must be 32 pixels or more"),
        ({"sizes": [16]}, r"32 pixels or more; received \[16\]"),
        ({"threads": [0]}, "numbers of threads must be from 1 to"),
        ({"threads": [n_processors() + 1]}, "the usable cores; received"),
        ({"n_runs": 0}, "at least one run is needed"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        next(measure_speed(OURS, **{"threads": [n_processors()], **arguments}))


def test_default_threads_are_those_that_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "n_processors", lambda: 4)
    for can_bind, threads in ((True, [1, 4]), (False, [4])):
        monkeypatch.setattr(speed, "_can_bind", lambda can=can_bind: can)
        assert speed.default_threads() == threads
        speed.check_speed([64], threads, 1)


def test_a_missing_library_is_left_out_with_a_note_unless_it_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise MissingPackageError("X needs the package x.")

    rival = SpeedMethod("x", "X", missing, is_rival=True)  # type: ignore[arg-type]
    monkeypatch.setattr(speed_methods, "SPEED_METHODS", (OURS[0], rival))
    assert load_speed_methods() == ([OURS[0]], ["X needs the package x. It is left out."])
    with pytest.raises(MissingPackageError):
        load_speed_methods(["x"])
    with pytest.raises(ValueError, match="no method 'eikonl'; did you mean 'eikonal'"):
        load_speed_methods(["eikonl"])


@pytest.mark.parametrize("method", [m for m in SPEED_METHODS if not m.is_rival], ids=lambda method: method.key)
def test_own_methods_run(method: SpeedMethod) -> None:
    call = method.prepare(Workload(speed_methods.tiled_astronaut(96), n_superpixels(96), 1, "natural"))
    call()
    call()


def test_the_image_is_as_large_as_asked() -> None:
    image = speed_methods.tiled_astronaut(700)
    assert image.shape == (700, 700, 3)
    np.testing.assert_array_equal(image[512:], image[: 700 - 512])
    assert n_superpixels(1024) == 2601


TIMINGS = [
    Timing("ours", 1000, 1, (0.2, 0.1, 0.3)),
    Timing("theirs", 1000, 1, (2.0,)),
    Timing("ours", 2000, 1, (0.8,)),
    Timing("theirs", 2000, 1, note="about 99 s a run"),
    Timing("ours", 1000, 2, (0.1,), 30 * 2**20),
]


def column(table: Any, index: int) -> list[str]:
    return list(table.columns[index].cells)


def test_tables() -> None:
    table = time_table(TIMINGS, 1)
    assert [str(one.header) for one in table.columns] == ["method", "1000²", "2000²"]
    assert (column(table, 0), column(table, 1), column(table, 2)) == (
        ["ours", "theirs"],
        ["200", "2000"],
        ["200", "-"],
    )
    assert (column(memory_table(TIMINGS), 0), column(memory_table(TIMINGS), 1)) == (["ours"], ["30.0"])


def test_csv_and_json(tmp_path: Path) -> None:
    write_speed_csv(tmp_path / "s.csv", TIMINGS)
    with (tmp_path / "s.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["ms_per_megapixel"] for row in rows] == ["200.0", "2000.0", "200.0", "", "100.0"]
    assert rows[3]["note"] == "about 99 s a run"
    assert rows[4]["extra_MB"] == "30.0"
    write_speed_json(tmp_path / "s.json", TIMINGS)
    told = json.loads((tmp_path / "s.json").read_text())
    assert told["timings"][0]["seconds"] == [0.2, 0.1, 0.3]
    assert told["machine"]["cores"] >= 1
    assert "numba" in told["versions"]


@pytest.mark.parametrize("name", ["s.svg", "s.png"])
def test_figure(tmp_path: Path, name: str) -> None:
    draw_speed(tmp_path / name, TIMINGS)
    first = (tmp_path / name).read_bytes()
    assert len(first) > 5000
    draw_speed(tmp_path / name, TIMINGS[:3])
    assert (tmp_path / name).read_bytes() != first
