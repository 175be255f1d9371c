"""Tables: complete, sorted, and equal bytes for equal results."""

import csv
import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from napari_superpixels.core.metrics import Metrics
from napari_superpixels.errors import WriteError
from napari_superpixels.evaluation.results import Result, summarize
from napari_superpixels.evaluation.tables import (
    MEASURES,
    SCHEMA,
    TABLE_MEASURES,
    measure_table,
    summary_table,
    write_csv,
    write_json,
)

METHODS = {"ours": {"x": 1}, "theirs": {"y": [2]}}


def shown(table: Table) -> list[list[str]]:
    console = Console(width=500)
    with console.capture() as capture:
        console.print(table)
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in capture.get().splitlines() if "│" in line]


def test_measures_are_fields() -> None:
    assert {measure.field for measure in MEASURES.values()} == {field.name for field in fields(Metrics)}
    assert set(TABLE_MEASURES) <= set(MEASURES)


def test_table_of_methods(results: list[Result]) -> None:
    rows = shown(summary_table(summarize(results), ("K", "BR")))
    assert rows == [
        ["ours", "2", "100", "98.0", "0.3000"],
        ["ours", "2", "200", "198.0", "0.4000"],
        ["theirs", "2", "100", "98.0", "0.5000"],
        ["theirs", "2", "200", "198.0", "0.6000"],
    ]


def test_table_of_measures(results: list[Result]) -> None:
    ours = [row for row in results if row.method == "ours"]
    undefined = [replace(row, metrics=replace(row.metrics, explained_variation=None)) for row in ours]
    rows = {row[0]: row[1:] for row in shown(measure_table(summarize(undefined)))}
    assert rows["BR"] == ["Boundary recall ↑", "0.3000", "0.4000"]
    assert "EV" not in rows  # undefined
    assert "UE worst" not in rows  # one annotator
    assert rows["BR worst"] == ["Worst annotator ↑", "1.0000", "1.0000"]


def test_csv_is_complete_and_sorted(tmp_path: Path, results: list[Result]) -> None:
    results[0] = replace(results[0], metrics=replace(results[0].metrics, explained_variation=None))
    write_csv(tmp_path / "a.csv", results, METHODS)
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    keys = [(row["method"], row["n_segments"], row["image"]) for row in rows]
    assert keys == [(m, k, c) for m in ("ours", "theirs") for k in ("100", "200") for c in ("a", "b")]
    assert {field.name for field in fields(Metrics)} < set(rows[0])
    assert float(rows[0]["boundary_recall"]) == 0.1 + 0.3
    assert [row["explained_variation"] for row in rows].count("") == 1
    assert json.loads(rows[-1]["parameters"]) == METHODS["theirs"]
    assert json.loads(rows[0]["versions"])["napari-superpixels"]


def test_json_is_complete(tmp_path: Path, results: list[Result]) -> None:
    write_json(tmp_path / "a.json", results, METHODS, {"kind": "bsds", "split": "val"})
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["data"] == {"kind": "bsds", "split": "val"}
    assert document["methods"] == METHODS
    assert document["schema"] == SCHEMA
    assert document["versions"].keys() >= {"napari-superpixels", "numpy", "torch"}
    assert len(document["results"]) == 8
    means = document["means"][0]
    assert (means["method"], means["n_segments"], means["n_images"]) == ("ours", 100, 2)
    assert means["boundary_recall"] == pytest.approx(0.3)


def test_equal_results_give_equal_bytes(tmp_path: Path, results: list[Result]) -> None:
    other = [replace(row, seconds=7.0) for row in sorted(results, key=lambda row: (row.method, row.case))]
    for name, rows in (("first", results), ("second", other)):
        write_csv(tmp_path / f"{name}.csv", rows, METHODS)
        write_json(tmp_path / f"{name}.json", rows, METHODS, {})
    for suffix in (".csv", ".json"):
        assert (tmp_path / f"first{suffix}").read_bytes() == (tmp_path / f"second{suffix}").read_bytes()


@pytest.mark.parametrize("write", [write_csv, lambda *args: write_json(*args, {})])
def test_no_part_of_a_file_is_left(tmp_path: Path, results: list[Result], write) -> None:
    with pytest.raises(TypeError):
        write(tmp_path / "table", results, {"ours": {}, "theirs": {"not JSON": object()}})
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WriteError, match="cannot be written"):
        write(tmp_path / "file" / "table", results, METHODS)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
