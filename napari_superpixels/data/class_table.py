"""The class table: number, name and colour of each class of an annotation, in the user's order."""

import csv
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from napari_superpixels.errors import ReadError, WriteError
from napari_superpixels.files import replacing

#: Red, green, blue; 0 to 255 each.
Color = tuple[int, int, int]

#: Highest class number: classes are stored as uint8, and 0 is no class.
MAX_CLASS = 255
#: Colours that new classes get in turn: the seven of Okabe & Ito (2008), then, one at a time, the colour that is
#: farthest in CIELAB from those before it as seen with normal, protanope, deuteranope and tritanope eyes
#: (simulated after Machado et al. 2009, DOI 10.1109/TVCG.2009.113).
PALETTE: tuple[Color, ...] = (
    *((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0)),
    *((204, 121, 167), (102, 0, 255), (0, 255, 153), (102, 51, 0), (153, 255, 255), (153, 102, 255)),
    *((0, 51, 153), (102, 51, 102), (255, 51, 102), (51, 51, 204), (102, 204, 153), (204, 0, 51)),
    *((153, 204, 102), (153, 0, 51), (153, 255, 204), (153, 153, 255), (153, 153, 51), (153, 51, 255)),
)
_COLUMNS = ("number", "name", "color")
_MAX_NAME = 200
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class LabelClass:
    """A class of an annotation.

    Raises
    ------
    ValueError
        If the number is outside 1 to 255, the name is empty, very long or not one line, or the colour is none.
    """

    number: int
    """Value of its pixels, 1 to 255."""
    name: str
    """Name, one line without spaces around it."""
    color: Color
    """Red, green, blue; 0 to 255 each."""

    def __post_init__(self) -> None:
        if isinstance(self.number, bool) or not isinstance(self.number, int) or not 1 <= self.number <= MAX_CLASS:
            raise ValueError(f"A class has the number {self.number!r}; expected a whole number from 1 to {MAX_CLASS}.")
        name = self.name
        if not isinstance(name, str) or not _is_line(name) or name != name.strip() or not 0 < len(name) < _MAX_NAME:
            raise ValueError(
                f"Class {self.number} has the name {str(name)[:_MAX_NAME]!r}; expected one line of text, not empty, "
                f"without spaces around it or control characters, and below {_MAX_NAME} characters."
            )
        if not (
            isinstance(self.color, tuple)
            and len(self.color) == 3
            and all(isinstance(part, int) and 0 <= part <= 255 for part in self.color)
        ):
            raise ValueError(
                f"Class {self.number} ({name}) has the colour {self.color!r}; expected red, green and blue, whole "
                "numbers from 0 to 255."
            )


@dataclass(frozen=True, slots=True)
class ClassTable:
    """The classes of an annotation; immutable, every change gives a new table.

    Raises
    ------
    ValueError
        If a number or a name occurs twice.

    Examples
    --------
    >>> table = ClassTable().added("nucleus").added("border", color=(213, 94, 0))
    >>> [(entry.number, entry.name) for entry in table]
    [(1, 'nucleus'), (2, 'border')]
    """

    classes: tuple[LabelClass, ...] = ()
    """The classes in the user's order."""

    def __post_init__(self) -> None:
        for what in ("number", "name"):
            values = [getattr(entry, what) for entry in self.classes]
            twice = next((value for i, value in enumerate(values) if value in values[:i]), None)
            if twice is not None:
                raise ValueError(f"Two classes have the {what} {twice!r}; every class needs one of its own.")

    def __len__(self) -> int:
        return len(self.classes)

    def __iter__(self) -> Iterator[LabelClass]:
        return iter(self.classes)

    def __contains__(self, number: object) -> bool:
        return any(entry.number == number for entry in self.classes)

    def __getitem__(self, number: int) -> LabelClass:
        for entry in self.classes:
            if entry.number == number:
                return entry
        raise KeyError(f"There is no class {number}; the table has {self.numbers}.")

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the classes, in the user's order."""
        return tuple(entry.number for entry in self.classes)

    def added(self, name: str | None = None, color: Color | None = None, number: int | None = None) -> Self:
        """Return the table with one more class at its end.

        Parameters
        ----------
        name : str, optional
            Its name, which no other class has; by default "class" and its number.
        color : tuple of int, optional
            Red, green, blue, 0 to 255; by default the first of :data:`PALETTE` that is least in use.
        number : int, optional
            Value of its pixels, 1 to 255; by default the lowest free one.

        Raises
        ------
        ValueError
            If name or number is taken or not valid, or all 255 numbers are.
        """
        if number is None:
            number = next((free for free in range(1, MAX_CLASS + 1) if free not in self), None)
            if number is None:
                raise ValueError(f"All {MAX_CLASS} class numbers are in use; remove a class first.")
        if color is None:
            used = [entry.color for entry in self.classes]
            color = min(PALETTE, key=used.count)
        if name is None:
            name = self._free_name(f"class {number}")
        return replace(self, classes=(*self.classes, LabelClass(number, name, color)))

    def renamed(self, number: int, name: str) -> Self:
        """Return the table with another name for a class; KeyError where there is none, ValueError for a bad name."""
        return self._changed(replace(self[number], name=name))

    def recolored(self, number: int, color: Color) -> Self:
        """Return the table with another colour for a class; KeyError where there is none, ValueError for a bad one."""
        return self._changed(replace(self[number], color=color))

    def moved(self, number: int, position: int) -> Self:
        """Return the table with a class at another place, counted from 0; its number stays.

        Raises
        ------
        KeyError
            If there is no such class.
        ValueError
            If there is no such place.
        """
        if not 0 <= position < len(self):
            raise ValueError(f"A class cannot move to place {position}; there are places 0 to {len(self) - 1}.")
        entry = self[number]
        others = [other for other in self.classes if other is not entry]
        return replace(self, classes=(*others[:position], entry, *others[position:]))

    def removed(self, number: int) -> Self:
        """Return the table without a class; KeyError where there is none."""
        entry = self[number]
        return replace(self, classes=tuple(other for other in self.classes if other is not entry))

    def completed(self, numbers: Iterable[int]) -> Self:
        """Return the table with an entry for each of these numbers (0 is no class); present entries stay.

        Raises
        ------
        ValueError
            If a number is outside 0 to 255.
        """
        table = self
        for number in sorted({int(number) for number in numbers} - {0}):
            if number not in table:
                table = table.added(number=number)
        return table

    def to_json(self) -> list[dict[str, Any]]:
        """Return the classes as ``{"number": 1, "name": "nucleus", "color": "#e69f00"}``, in their order."""
        return [{"number": one.number, "name": one.name, "color": color_text(one.color)} for one in self.classes]

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Return the table that :meth:`to_json` gave; a colour may also be a list of three numbers.

        Raises
        ------
        ValueError
            If the data is no such list, or its classes are not valid.
        """
        if not isinstance(data, list):
            raise ValueError(f"A class table should be a list of classes; received {type(data).__name__}.")
        table = cls()
        for row in data:
            if not isinstance(row, dict) or not set(row) <= set(_COLUMNS) or "name" not in row:
                raise ValueError(f"A class should have number, name and color; received {str(row)[:80]}.")
            color = row.get("color")
            table = table.added(row["name"], None if color is None else read_color(color), row.get("number"))
        return table

    def _changed(self, changed: LabelClass) -> Self:
        classes = tuple(changed if entry.number == changed.number else entry for entry in self.classes)
        return replace(self, classes=classes)

    def _free_name(self, wanted: str) -> str:
        names = {entry.name for entry in self.classes}
        name, count = wanted, 2
        while name in names:
            name, count = f"{wanted} ({count})", count + 1
        return name


def _is_line(text: str) -> bool:
    """Return whether a text has no line breaks, controls or halves of characters; wide spaces and emoji are none."""
    return not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text)


def one_line(text: str) -> str:
    """Return a text of another program as a class can have it for its name: in one line, without spaces around it."""
    return "".join(letter if _is_line(letter) else " " for letter in text).strip()


def color_text(color: Color) -> str:
    """Return a colour as "#rrggbb"."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def read_color(value: str | Sequence[int]) -> Color:
    """Return the colour written as "#rrggbb" or as three numbers from 0 to 255.

    Raises
    ------
    ValueError
        If it is written otherwise.
    """
    if isinstance(value, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", value.strip()):
        digits = value.strip()[1:]
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    if isinstance(value, list | tuple) and len(value) == 3 and all(type(part) is int for part in value):
        return value[0], value[1], value[2]
    raise ValueError(f"The colour {value!r} is unknown; expected '#rrggbb', such as '#e69f00'.")


def write_class_table(path: str | Path, table: ClassTable) -> None:
    """Write a class table, as a whole or not at all.

    Parameters
    ----------
    path : str or pathlib.Path
        ``.csv`` (columns number, name, color) or ``.json``.
    table : ClassTable
        The classes.

    Raises
    ------
    WriteError
        If the name ends otherwise, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".json"):
        raise WriteError(f"A class table cannot be written as {path.name}; use a name that ends with .csv or .json.")
    with replacing(path) as part:
        if suffix == ".json":
            part.write_text(json.dumps(table.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            return
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, _COLUMNS)
            writer.writeheader()
            writer.writerows(table.to_json())


def read_class_table(path: str | Path) -> ClassTable:
    """Read a class table that :func:`write_class_table`, a spreadsheet or a script wrote.

    Parameters
    ----------
    path : str or pathlib.Path
        ``.csv`` with the columns name and, if wanted, number and color, in any order; or ``.json``.

    Raises
    ------
    ReadError
        If the file is missing, of another kind, or its classes are not valid.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ReadError(f"{path} has {path.stat().st_size} bytes, too many for a class table of at most 255 rows.")
        text = path.read_text(encoding="utf-8-sig")
        rows = json.loads(text) if path.suffix.lower() == ".json" else _csv_rows(text)
        return ClassTable.from_json(rows)
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, csv.Error, RecursionError) as error:
        raise ReadError(
            f"{path} is no class table ({error}). Expected a CSV file with the columns number, name, color, or a JSON "
            "list of such rows."
        ) from error


def _csv_rows(text: str) -> list[dict[str, Any]]:
    lines = text.splitlines()
    # Spreadsheets of many countries separate by semicolons.
    delimiter = ";" if lines and ";" in lines[0] else ","
    rows: list[dict[str, Any]] = []
    for row in csv.DictReader(lines, delimiter=delimiter, strict=True):
        if None in row or not set(row) <= set(_COLUMNS):
            raise ValueError(f"its columns are {', '.join(map(str, row))}")
        kept: dict[str, Any] = {key: value.strip() for key, value in row.items() if value and value.strip()}
        if "number" in kept:
            kept["number"] = int(kept["number"])
        rows.append(kept)
    return rows
