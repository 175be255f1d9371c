"""Results are averaged, and kept in a file that only grows."""

import math
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from napari_superpixels.core.metrics import Metrics
from napari_superpixels.errors import WriteError
from napari_superpixels.evaluation import results as results_module
from napari_superpixels.evaluation.results import Result, ResultStore, result_key, summarize


def test_means_over_images(results: list[Result]) -> None:
    summaries = summarize(results)
    assert [(s.method, s.n_segments, s.n_cases) for s in summaries] == [
        ("ours", 100, 2),
        ("ours", 200, 2),
        ("theirs", 100, 2),
        ("theirs", 200, 2),
    ]
    assert [s.means["boundary_recall"] for s in summaries] == pytest.approx([0.3, 0.4, 0.5, 0.6])
    assert summaries[0].means["n_superpixels"] == 98


def test_order_of_the_images_does_not_matter(results: list[Result]) -> None:
    results = [replace(row, metrics=replace(row.metrics, boundary_recall=1 / (3 + i))) for i, row in enumerate(results)]
    ours = [row for row in results if row.method == "ours"]
    assert summarize(ours) == summarize(ours[::-1])


def test_mean_of_an_undefined_measure_is_undefined(halves: Metrics) -> None:
    rows = [Result("ours", "a", None, halves), Result("ours", "b", None, replace(halves, explained_variation=None))]
    (summary,) = summarize(rows)
    assert math.isnan(summary.means["explained_variation"])
    assert summary.means["boundary_recall"] == 1


KEY = {"case": ["a", 1], "method": "ours", "settings": {"x": 1}, "n_segments": 100, "tolerance": 2}


@pytest.mark.parametrize(
    "change",
    [{"case": ["a", 2]}, {"method": "theirs"}, {"settings": {"x": 2}}, {"n_segments": 101}, {"tolerance": 1}],
)
def test_key_changes_with_everything_that_decides_a_result(change: dict) -> None:
    assert result_key(**KEY) == result_key(**KEY)
    assert result_key(**KEY) != result_key(**{**KEY, **change})


def test_key_changes_with_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    before = result_key(**KEY)
    monkeypatch.setattr(results_module, "_program", lambda: ["another version"])
    assert result_key(**KEY) != before


def test_store_gives_back_what_was_kept(tmp_path: Path, results: list[Result]) -> None:
    path = tmp_path / "deep" / "store.jsonl"
    store = ResultStore(path)
    undefined = replace(results[0], metrics=replace(results[0].metrics, compactness=math.nan), seconds=None)
    store.add("first", undefined)
    store.add("second", results[1])
    again = ResultStore(path)
    assert len(again) == 2
    assert again.get("second") == results[1]
    found = again.get("first")
    assert found is not None
    assert math.isnan(found.metrics.compactness)
    assert found.seconds is None
    assert again.get("third") is None
    again.remove()
    assert not path.exists()


def test_cut_off_and_foreign_lines_are_ignored(tmp_path: Path, results: list[Result]) -> None:
    path = tmp_path / "store.jsonl"
    store = ResultStore(path)
    store.add("first", results[0])
    store.add("second", results[1])
    path.write_text("nonsense\n[]\n{}\n" + path.read_text()[:-30])
    again = ResultStore(path)
    assert (again.get("first"), again.get("second")) == (results[0], None)
    again.add("second", results[1])
    assert ResultStore(path).get("second") == results[1]


def test_threads_do_not_tear_lines(tmp_path: Path, results: list[Result]) -> None:
    store = ResultStore(tmp_path / "store.jsonl")

    def add(n: int) -> None:
        for i in range(20):
            store.add(f"{n} {i}", results[i % len(results)])

    threads = [threading.Thread(target=add, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ResultStore(tmp_path / "store.jsonl")) == 80


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WriteError, match=r"store\.jsonl.*cannot be used"):
        ResultStore(tmp_path / "file" / "store.jsonl")
