"""Options that several commands share, declared once; the fields of :class:`SegmentParams` and their file."""

import difflib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from napari_superpixels.params import SegmentParams, bounds, control

_NONE = "none"


def with_parameters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option per field of SegmentParams, in place of its ``**parameters``.

    Each option takes name, type, bounds, choices and help from the field. The command receives None for an option that
    was not given. A field that the command declares itself gets no other option.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    declared = {p.name for p in own}
    fields = SegmentParams.model_fields.items()
    declare(command, [*own, *(_option(name, field) for name, field in fields if name not in declared)])
    return command


def given_options(context: typer.Context) -> list[str]:
    """Return the names of the options that were given on the command line."""
    return [name for name in context.params if str(context.get_parameter_source(name)).endswith("COMMANDLINE")]


def declare(command: Callable[..., None], parameters: Sequence[inspect.Parameter]) -> None:
    """Make typer see these parameters of a command in place of its own; all are given by name."""
    by_name = [
        p if p.kind is inspect.Parameter.VAR_KEYWORD else p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for p in parameters
    ]
    command.__signature__ = inspect.Signature(by_name)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in by_name}


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    how = control(field)
    option = typer.Option(
        _flag(name),
        metavar=_values(field),
        help=str(field.description),
        show_default=str(_NONE if field.default is None else field.default),
        rich_help_panel="Superpixels, advanced" if how.advanced else "Superpixels",
    )
    # A string whatever the field's type: pydantic converts it, and says what is wrong in the same words everywhere.
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
    )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _values(field: FieldInfo) -> str:
    """Return the values that a field can take, as shown in help: "1..2000000", "grid|hexagonal" or "NAME"."""
    if get_origin(field.annotation) is Literal:
        return "|".join(get_args(field.annotation))
    limits = bounds(field)
    if limits is None:
        return "NAME"
    return f"{'>' if limits.is_open else ''}{limits.low}..{limits.high}"


def model_name(text: str) -> str | None:
    """Return the model that an option names; None for "none", the raw image."""
    return None if text.lower() == _NONE else text


def collect_parameters(file: Path | None, options: Mapping[str, str | None]) -> SegmentParams:
    """Return the parameters of a file, changed by the options that were given.

    Raises
    ------
    typer.BadParameter
        If the file or a value is wrong.
    """
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if "model" in given:
        given["model"] = model_name(given["model"])
    base = SegmentParams() if file is None else _from_file(file)
    try:
        return base.updated(**given)
    except ValidationError as error:
        raise typer.BadParameter(_explain(error, _flag)) from None


def _from_file(file: Path) -> SegmentParams:
    where = "--params"
    values = read_object(file, where, '{"n_segments": 400}')
    try:
        return SegmentParams(**values)
    except ValidationError as error:
        raise typer.BadParameter(f"{file}: {_explain(error, repr)}", param_hint=where) from None


def read_object(file: Path, option: str, example: str) -> dict[str, Any]:
    """Return the JSON object that a file holds, which an option names.

    Raises
    ------
    typer.BadParameter
        If the file cannot be read, or holds something else.
    """
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror or error}.", param_hint=option) from None
    except ValueError as error:
        raise typer.BadParameter(f"{file} is not valid JSON: {error}.", param_hint=option) from None
    if not isinstance(values, dict):
        raise typer.BadParameter(
            f"{file} holds a JSON {type(values).__name__}; expected an object such as {example}.", param_hint=option
        )
    return values


def check_number_or_size(n_segments: int | None, superpixel_size: float | None) -> None:
    """Refuse a number of superpixels and their size together."""
    if n_segments is not None and superpixel_size is not None:
        raise typer.BadParameter("give the number of superpixels or their size, not both.", param_hint="--n-segments")


def _explain(error: ValidationError, show: Callable[[str], str]) -> str:
    """Return in words what pydantic found; `show` writes the name of a parameter."""
    parts = []
    for found in error.errors():
        name = str(found["loc"][0]) if found["loc"] else ""
        if found["type"] == "extra_forbidden":
            known = list(SegmentParams.model_fields)
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}."
            parts.append(f"there is no parameter {name!r}; {hint}")
        else:
            parts.append(f"{show(name)} is {found['input']!r}; it {found['msg'].removeprefix('Input ').rstrip('.')}.")
    return " ".join(parts)
