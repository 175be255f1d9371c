"""The user's own models: putting them into their folder and taking them out."""

from pathlib import Path

from napari_superpixels.errors import CheckpointError, ModelNotFoundError, WriteError
from napari_superpixels.files import replacing
from napari_superpixels.nets.catalogue import MODEL_SUFFIX, available_models, check_name, user_models_folder
from napari_superpixels.nets.checkpoint import load_model


def install_model(
    path: str | Path, name: str | None = None, *, folder: str | Path | None = None, overwrite: bool = False
) -> Path:
    """Copy a model file into the folder of the user's models, so that it can be chosen by name.

    Parameters
    ----------
    path : str or pathlib.Path
        Model file; it is loaded to see whether it works.
    name : str, optional
        Name to give it; that of the file by default.
    folder : str or pathlib.Path, optional
        Folder of the user's models, as in :func:`napari_superpixels.nets.catalogue.user_models_folder`.
    overwrite : bool
        Whether a model of the user's with this name is replaced.

    Returns
    -------
    pathlib.Path
        The copy.

    Raises
    ------
    ValueError
        If the name cannot be one of a file.
    CheckpointError
        If the file is missing, damaged, foreign or of a newer version, or a model of that name is there.
    WriteError
        If the copy cannot be written.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"The model file {path} does not exist.")
    name = path.stem if name is None else name
    check_name(name)
    target = user_models_folder(folder) / f"{name}{MODEL_SUFFIX}"
    if target.exists() and not overwrite:
        raise CheckpointError(f"{target} exists; choose another name, remove it, or overwrite it (--overwrite).")
    load_model(path)
    data = path.read_bytes()
    with replacing(target) as part:
        part.write_bytes(data)
    return target


def remove_model(name: str, *, folder: str | Path | None = None) -> Path:
    """Remove one of the user's models.

    Parameters
    ----------
    name : str
        Its name.
    folder : str or pathlib.Path, optional
        Folder of the user's models, as in :func:`napari_superpixels.nets.catalogue.user_models_folder`.

    Returns
    -------
    pathlib.Path
        The file that was removed.

    Raises
    ------
    ModelNotFoundError
        If there is no such model, or it came with the program.
    WriteError
        If the file cannot be removed.
    """
    home = user_models_folder(folder)
    found = available_models(folder).get(name)
    if found is None:
        own = sorted(path.stem for path in home.glob(f"*{MODEL_SUFFIX}"))
        raise ModelNotFoundError(f"No model is called {name!r}. Your own models: {', '.join(own) or 'none'}.")
    if found.parent != home:
        raise ModelNotFoundError(
            f"{name!r} came with the program and cannot be removed; your own models are in {home}."
        )
    try:
        found.unlink()
    except OSError as error:
        raise WriteError(f"{found} cannot be removed: {error.strerror or error}.") from error
    return found
