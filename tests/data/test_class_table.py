"""The class table: its rules, its default colours, its files."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from skimage.color import rgb2lab

from napari_superpixels.data.class_table import PALETTE, ClassTable, LabelClass, read_class_table, write_class_table
from napari_superpixels.errors import ReadError, WriteError

TABLE = ClassTable().added("nucleus").added('border; thin, "torn"', color=(1, 2, 3)).added("Größe", number=255)
#: Linear RGB as seen by a protanope and a deuteranope (Machado et al. 2009, severity 1).
PROTANOPE = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
DEUTERANOPE = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]


def test_added_takes_the_lowest_number_and_a_new_colour() -> None:
    table = ClassTable().added("a").added("b").removed(1).added("c")
    assert [(entry.number, entry.name) for entry in table] == [(2, "b"), (1, "c")]
    assert len({entry.color for entry in table}) == 2


def test_changes_leave_the_old_table_alone() -> None:
    before = TABLE.to_json()
    changed = TABLE.renamed(1, "cell").recolored(1, (9, 9, 9)).moved(255, 0)
    assert changed.numbers == (255, 1, 2)
    assert changed[1] == LabelClass(1, "cell", (9, 9, 9))
    assert TABLE.to_json() == before


@pytest.mark.parametrize("name", ["細胞\u3000核", "5\u00a0µm", "👩\u200d🔬", "soft\u00adhyphen"])
def test_names_may_have_wide_spaces_and_joined_signs(tmp_path: Path, name: str) -> None:
    table = ClassTable().added(name)
    for file in ("a.csv", "a.json"):
        write_class_table(tmp_path / file, table)
        assert read_class_table(tmp_path / file) == table


@pytest.mark.parametrize("name", ["a\x00b", "a\x85b", "a\u2028b", "a\u2029b", "a\ud800b", "\u3000a", "a\u00a0"])
def test_line_breaks_controls_and_spaces_around_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected one line of text, not empty, without spaces around"):
        ClassTable().added(name)


def test_all_255_numbers_can_be_used_and_no_more() -> None:
    table = ClassTable().completed(range(256))
    assert len(table) == 255
    assert 0 not in table
    with pytest.raises(ValueError, match="All 255 class numbers are in use"):
        table.added("one more")
    with pytest.raises(ValueError, match="number 256"):
        ClassTable().completed([256])


def test_completed_finds_free_names() -> None:
    assert ClassTable().added("class 2").completed([2])[2].name == "class 2 (2)"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.added("nucleus"), "Two classes have the name 'nucleus'"),
        (lambda table: table.renamed(2, "nucleus"), "Two classes have the name 'nucleus'"),
        (lambda table: table.added("x", number=1), "Two classes have the number 1"),
        (lambda table: table.added(""), "not empty"),
        (lambda table: table.added("two\nlines"), "one line"),
        (lambda table: table.added(" x"), "without spaces around"),
        (lambda table: table.added("x" * 1000), "below 200 characters"),
        (lambda table: table.added("x", number=0), "number 0; expected a whole number from 1 to 255"),
        (lambda table: table.added("x", color=(0, 0, 256)), "colour"),
        (lambda table: table.moved(1, 3), "there are places 0 to 2"),
    ],
)
def test_wrong_changes_are_refused(change, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        change(TABLE)


@pytest.mark.parametrize("change", [lambda t: t.renamed(7, "x"), lambda t: t.removed(7), lambda t: t.moved(7, 0)])
def test_unknown_class_is_named(change) -> None:
    with pytest.raises(KeyError, match="no class 7"):
        change(TABLE)


@pytest.mark.parametrize("seen_by", [None, PROTANOPE, DEUTERANOPE], ids=["normal", "protanope", "deuteranope"])
def test_default_colours_differ_also_for_the_colour_blind(seen_by) -> None:
    colors = np.array(PALETTE) / 255
    if seen_by is not None:
        linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
        linear = np.clip(linear @ np.transpose(seen_by), 0, 1)
        colors = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert len(PALETTE) >= 20
    assert min(np.linalg.norm(a - b) for a, b in combinations(rgb2lab(colors), 2)) > 13


@pytest.mark.parametrize("name", ["a.csv", "a.JSON"])
def test_files_give_the_same_table(tmp_path: Path, name: str) -> None:
    write_class_table(tmp_path / "new" / name, TABLE)
    assert read_class_table(tmp_path / "new" / name) == TABLE


def test_spreadsheet_with_semicolons_and_names_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name;color\r\nnucleus;#0a0B0c\r\nborder;\r\n", encoding="utf-8-sig")
    table = read_class_table(tmp_path / "a.csv")
    assert [(entry.number, entry.name) for entry in table] == [(1, "nucleus"), (2, "border")]
    assert table[1].color == (10, 11, 12)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"number,name,color\n1,a,#000000\n1,b,#000000\n", "Two classes have the number 1"),
        ("a.csv", b"number,name,color\n300,a,#000000\n", "number 300"),
        ("a.csv", b"number,name,color\none,a,#000000\n", "invalid literal"),
        ("a.csv", b"number,name,color\n1,a,red\n", "expected '#rrggbb'"),
        ("a.csv", b"1,a,#000000\n2,b,#000000\n", "its columns are"),
        ("a.csv", b"number,name\n1,a,b,c,d\n", "its columns are"),
        ("a.csv", b"\xff\xfe\x00", "no class table"),
        ("a.json", b"{}", "should be a list"),
        ("a.json", b'[{"number": 1.5, "name": "a"}]', "number 1.5"),
        ("a.json", b'[{"number": true, "name": "a"}]', "number True"),
        ("a.json", b'[{"number": 1, "name": 7}]', "name '7'"),
        ("a.json", b"[" * 100_000, "no class table"),
        ("a.json", b"[1", "no class table"),
        ("a.json", b" " * 2_000_000, "too many for a class table"),
    ],
)
def test_bad_files_are_explained(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ReadError, match=message):
        read_class_table(tmp_path / name)


def test_missing_file_and_unknown_suffix(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="No such file"):
        read_class_table(tmp_path / "a.csv")
    with pytest.raises(WriteError, match=r"ends with \.csv or \.json"):
        write_class_table(tmp_path / "a.txt", TABLE)
