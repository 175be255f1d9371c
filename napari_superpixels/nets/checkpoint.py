"""Saving and loading of models: weights as safetensors with a JSON header. Nothing is ever unpickled."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from torch import Tensor

from napari_superpixels import __version__
from napari_superpixels.errors import CheckpointError, WriteError
from napari_superpixels.nets.can import CAN, CANConfig
from napari_superpixels.nets.catalogue import HEADER_KEY, ModelCard, ModelHeader, find_model, read_header
from napari_superpixels.nets.folding import FoldedCAN, fold

_ARCHITECTURE = "can"


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A trained network that was read from a file."""

    name: str
    """File name without suffix."""
    sha256: str
    """Hash of the file, in hexadecimal; two models with the same hash give the same results."""
    config: CANConfig
    """Shape of the network."""
    network: CAN
    """The network as it was trained, in evaluation mode on the CPU; copy it to train it further."""
    folded: FoldedCAN
    """The same network as plain convolutions, for inference."""
    card: ModelCard
    """Description of the model."""


def save_model(path: str | Path, network: CAN, card: ModelCard | None = None) -> None:
    """Write a network to a file, replacing it as a whole or not at all.

    Parameters
    ----------
    path : str or pathlib.Path
        File to write; its folder is made if missing.
    network : CAN
        Network whose weights and running statistics are written.
    card : ModelCard, optional
        Description that goes into the header.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    path = Path(path)
    header = ModelHeader(
        architecture=_ARCHITECTURE,
        config=network.config.model_dump(mode="json"),
        library=__version__,
        card=card or ModelCard(),
    )
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    data = safetensors.torch.save(tensors, {HEADER_KEY: header.model_dump_json()})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(f"The model cannot be written to {path}: {error.strerror or error}.") from error


def load_model(name_or_path: str | Path) -> Model:
    """Load an installed model by name, or any model file.

    Parameters
    ----------
    name_or_path : str or pathlib.Path
        For example ``"natural"``, or the path of a ``.safetensors`` file.

    Returns
    -------
    Model
        Ready for inference on the CPU.

    Raises
    ------
    ModelNotFoundError
        If there is neither a model of that name nor such a file.
    CheckpointError
        If the file is damaged, foreign, pickled, of a newer format or an unknown architecture, or if its weights do
        not fit its configuration.
    """
    path = find_model(name_or_path)
    header = read_header(path)
    if header.architecture != _ARCHITECTURE:
        raise CheckpointError(
            f"{path} holds a network of the architecture {header.architecture!r}; this version of napari-superpixels "
            f"knows {_ARCHITECTURE!r}. Update napari-superpixels."
        )
    try:
        config = CANConfig.model_validate(header.config)
    except ValidationError as error:
        raise CheckpointError(f"{path} has a configuration that cannot be used: {error}") from error
    try:
        data = path.read_bytes()
        tensors = safetensors.torch.load(data)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged or cannot be read: {error}.") from error
    network = CAN(config)
    _check_fit(path, network, tensors)
    network.load_state_dict(tensors)
    network.requires_grad_(False).eval()
    return Model(path.stem, hashlib.sha256(data).hexdigest(), config, network, fold(network), header.card)


def _check_fit(path: Path, network: CAN, tensors: dict[str, Tensor]) -> None:
    expected = network.state_dict()
    odd = sorted(expected.keys() ^ tensors.keys())
    if odd:
        state = "lacks" if odd[0] in expected else "has, beyond its configuration,"
        raise CheckpointError(f"The weights in {path} do not fit its configuration: it {state} {odd[0]!r}.")
    for name, value in expected.items():
        found = tensors[name]
        if found.shape != value.shape or found.dtype != value.dtype:
            raise CheckpointError(
                f"The weights in {path} do not fit its configuration: {name!r} is {tuple(found.shape)} of "
                f"{found.dtype}, expected {tuple(value.shape)} of {value.dtype}."
            )
        if not torch.isfinite(found).all():
            raise CheckpointError(f"{path} holds weights that are not finite ({name!r}); its training went wrong.")
