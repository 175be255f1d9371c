"""The fields of :class:`SegmentParams` as options of a command, and parameters from a file."""

import difflib
import inspect
import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from napari_superpixels.params import SegmentParams, control

_NONE = "none"


def with_parameters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option per field of SegmentParams, in place of its ``**parameters``.

    Each option takes name, type, bounds, choices and help from the field. The command receives None for an option that
    was not given.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    generated = [_option(name, field) for name, field in SegmentParams.model_fields.items()]
    own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    command.__signature__ = signature.replace(parameters=[*own, *generated])  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in [*own, *generated]}
    return command


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    how = control(field)
    help_text = str(field.description)
    bounds = {key: getattr(rule, key) for rule in field.metadata for key in ("ge", "gt", "le") if hasattr(rule, key)}
    if "gt" in bounds:
        help_text += f" Above {bounds['gt']:g}."
    option = typer.Option(
        f"--{name.replace('_', '-')}",
        help=help_text,
        show_default=str(_NONE if field.default is None else field.default),
        min=bounds.get("ge"),
        max=bounds.get("le"),
        rich_help_panel="Superpixels, advanced" if how.advanced else "Superpixels",
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[_kind(name, field) | None, option]
    )


def _kind(name: str, field: FieldInfo) -> Any:
    """Return the type of an option: the field's, without None; choices become an enumeration."""
    if get_origin(field.annotation) is Literal:
        return StrEnum(name, [(value, value) for value in get_args(field.annotation)])
    return next(kind for kind in (get_args(field.annotation) or (field.annotation,)) if kind is not NoneType)


def collect_parameters(file: Path | None, options: Mapping[str, Any]) -> SegmentParams:
    """Return the parameters of a file, changed by the options that were given.

    Raises
    ------
    typer.BadParameter
        If the file or a value is wrong.
    """
    given = {name: str(value) if isinstance(value, StrEnum) else value for name, value in options.items()}
    given = {name: value for name, value in given.items() if value is not None}
    if given.get("model") == _NONE:
        given["model"] = None
    base = SegmentParams() if file is None else _from_file(file)
    try:
        return base.updated(**given)
    except ValidationError as error:
        raise typer.BadParameter(_explain(error)) from None


def _from_file(file: Path) -> SegmentParams:
    where = "--params"
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror or error}.", param_hint=where) from None
    except ValueError as error:
        raise typer.BadParameter(f"{file} is not valid JSON: {error}.", param_hint=where) from None
    if not isinstance(values, dict):
        raise typer.BadParameter(
            f'{file} holds a JSON {type(values).__name__}; expected an object such as {{"n_segments": 400}}.',
            param_hint=where,
        )
    try:
        return SegmentParams(**values)
    except ValidationError as error:
        raise typer.BadParameter(f"{file}: {_explain(error)}", param_hint=where) from None


def _explain(error: ValidationError) -> str:
    """Return in words what pydantic found."""
    parts = []
    for found in error.errors():
        name = str(found["loc"][0]) if found["loc"] else ""
        if found["type"] == "extra_forbidden":
            known = list(SegmentParams.model_fields)
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}."
            parts.append(f"there is no parameter {name!r}; {hint}")
        else:
            message = found["msg"][0].lower() + found["msg"][1:]
            parts.append(f"{name} is {found['input']!r}; {message.removeprefix('input ').rstrip('.')}.")
    return " ".join(parts)
