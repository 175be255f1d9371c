"""Everything that the benchmark compares, by name."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from napari_superpixels.errors import MissingPackageError
from napari_superpixels.evaluation.ablations import ABLATIONS, Ablation
from napari_superpixels.evaluation.rivals import RIVALS, Rival
from napari_superpixels.evaluation.runs import Method

_Entry = TypeVar("_Entry")
_Loaded = TypeVar("_Loaded")

_ALL: tuple[Ablation | Rival, ...] = (*ABLATIONS, *RIVALS)
#: Our method, its ablations and the rivals, by their names on the command line.
METHODS = {entry.key: entry for entry in _ALL}


def load_methods(keys: Sequence[str] | None = None) -> tuple[list[Method], list[str]]:
    """Return methods of :data:`METHODS`, ready to run, and notes; see :func:`load_chosen`.

    Raises
    ------
    CheckpointError
        If the default model is missing or unusable, beside what :func:`load_chosen` raises.
    """
    return load_chosen(METHODS, keys, lambda entry: entry.load())


def load_chosen(
    entries: Mapping[str, _Entry], keys: Sequence[str] | None, load: Callable[[_Entry], _Loaded]
) -> tuple[list[_Loaded], list[str]]:
    """Load those of some entries that a user named, or all that can be, and say what is left out.

    Parameters
    ----------
    entries : mapping
        What can be loaded, by name.
    keys : sequence of str or None
        Names; None takes all but those whose library is missing, each of which gives a note.
    load : callable
        Loads an entry.

    Raises
    ------
    ValueError
        If there is no entry of that name, or a name comes twice.
    MissingPackageError
        If the library of an entry that was named is missing.
    """
    chosen = list(entries) if keys is None else list(keys)
    check_keys(chosen, list(entries))
    loaded: list[_Loaded] = []
    notes: list[str] = []
    for key in chosen:
        try:
            loaded.append(load(entries[key]))
        except MissingPackageError as error:
            if keys is not None:
                raise
            notes.append(f"{error} It is left out.")
    return loaded, notes


def check_keys(keys: Sequence[str], known: Sequence[str]) -> None:
    """Check names of methods that a user gave.

    Raises
    ------
    ValueError
        If one is unknown, or comes twice.
    """
    for key in keys:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}."
            raise ValueError(f"there is no method {key!r}; {hint}")
    if len(set(keys)) < len(keys):
        raise ValueError(f"each method can be named once; received {', '.join(keys)}")
