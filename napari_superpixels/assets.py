"""Files that ship with the package."""

from pathlib import Path

_RESOURCES = Path(__file__).parent / "resources"


def resource_path(*parts: str) -> Path:
    """Return the path of a shipped file.

    Parameters
    ----------
    *parts : str
        Path below the resources folder, for example ``"models", "natural.safetensors"``.

    Returns
    -------
    pathlib.Path
        Path of an existing file or folder.

    Raises
    ------
    FileNotFoundError
        If the installation lacks the file.
    """
    path = _RESOURCES.joinpath(*parts)
    if not path.exists():
        raise FileNotFoundError(
            f"The shipped file {'/'.join(parts)!r} is missing from this installation (looked in {_RESOURCES}); "
            "reinstall napari-superpixels."
        )
    return path
