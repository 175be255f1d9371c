"""What a result was made of, in a form that can be stored with it."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from napari_superpixels.engine.pipeline import SolveResult

#: Version of the form of the metadata.
METADATA_SCHEMA = 1
_LIBRARIES = ("napari-superpixels", "numpy", "numba", "scipy", "torch")


def layer_metadata(result: SolveResult) -> dict[str, Any]:
    """Return what is needed to make a result again, as plain values that JSON can hold.

    Parameters
    ----------
    result : SolveResult
        A result of the pipeline.

    Returns
    -------
    dict
        ``schema``; ``image``, its name; ``position`` of the plane in a stack (None for axes that are shown);
        ``channel_axis``; ``spacing``; ``model`` with ``name`` and ``sha256``; ``parameters``; ``seeds``,
        positions that the user gave, or None; ``n_segments`` found; ``libraries``, version by name.
    """
    inputs, params = result.inputs, result.params
    return {
        "schema": METADATA_SCHEMA,
        "image": inputs.name,
        "position": list(inputs.position),
        "channel_axis": inputs.channel_axis,
        "spacing": None if inputs.spacing is None else list(inputs.spacing),
        "model": None if params.model is None else {"name": params.model, "sha256": result.network.model_sha256},
        "parameters": params.model_dump(mode="json"),
        "seeds": None if inputs.seeds is None else inputs.seeds.tolist(),
        "n_segments": result.n_segments,
        "libraries": dict(library_versions()),
    }


@cache
def library_versions() -> dict[str, str]:
    """Return the versions of this package and of the libraries that decide a result, by name."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "unknown"
    return versions
