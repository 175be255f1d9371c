"""Tables of the documentation that repeat declarations: equal to them. `python tests/test_docs.py` writes them anew."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from napari_superpixels.params import PRESET_VALUES, FineTuneParams, SegmentParams, bounds, control

DOCS = Path(__file__).parent.parent / "docs"


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(titles), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def parameters(*, advanced: bool) -> str:
    fields = SegmentParams.model_fields.items()
    rows = [
        [field.title or "", f"`--{name.replace('_', '-')}`", default(field), values(field), field.description or ""]
        for name, field in fields
        if control(field).advanced == advanced
    ]
    return table(("in the window", "option", "default", "values", "what it does"), rows)


def default(field: FieldInfo) -> str:
    titles = dict(choices(field))
    return titles.get(field.default, number(field.default))


def values(field: FieldInfo) -> str:
    if found := choices(field):
        return ", ".join(f"{title}: `{value}`" for value, title in found)
    limits = bounds(field)
    if limits is None:
        return "name of a model, file, or `none`"
    return f"{'above ' if limits.is_open else ''}{number(limits.low)} to {number(limits.high)}"


def choices(field: FieldInfo) -> list[tuple[str, str]]:
    if get_origin(field.annotation) is not Literal:
        return []
    return list(zip(get_args(field.annotation), control(field).choices, strict=True))


def number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "-" if value is None else f"{value}"


def presets() -> str:
    fields = FineTuneParams.model_fields
    names = PRESET_VALUES["quick"]
    titles = [title.replace(" (", ", ").rstrip(")") for title in control(fields["preset"]).choices]
    rows = [
        [
            fields[name].title or "",
            f"`--{name.replace('_', '-')}`",
            *(number(each[name]) for each in PRESET_VALUES.values()),
        ]
        for name in names
    ]
    return table(("", "option", *titles), rows)


TABLES = {
    ("segment.md", "parameters"): parameters(advanced=False),
    ("segment.md", "advanced parameters"): parameters(advanced=True),
    ("fine-tune.md", "presets"): presets(),
}


def replaced(page: str, mark: str, text: str) -> str:
    """Return a page with another table between ``<!-- mark -->`` and ``<!-- end -->``."""
    found = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- end -->)", re.DOTALL)
    new, n_found = found.subn(lambda match: f"{match[1]}{text}\n{match[2]}", page)
    assert n_found == 1, f"expected one table between <!-- {mark} --> and <!-- end -->, found {n_found}"
    return new


@pytest.mark.parametrize(("page", "mark"), TABLES)
def test_table_is_as_declared(page: str, mark: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    is_equal = replaced(text, mark, TABLES[page, mark]) == text
    assert is_equal, f"docs/{page} has another table than params.py; write it anew with: python tests/test_docs.py"


@pytest.mark.parametrize("page", [*DOCS.glob("*.md"), *DOCS.parent.glob("*.md")], ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    places = [link.partition("#")[::2] for link in links if "://" not in link]
    missing = [name for name, _ in places if not (page.parent / name).exists()]
    assert not missing
    unknown = [
        anchor for name, anchor in places if anchor and anchor not in anchors(page.parent / name if name else page)
    ]
    assert not unknown


def anchors(page: Path) -> set[str]:
    """Return what links can name of a page: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


if __name__ == "__main__":
    for (name, mark), text in TABLES.items():
        path = DOCS / name
        path.write_text(replaced(path.read_text(encoding="utf-8"), mark, text), encoding="utf-8")
