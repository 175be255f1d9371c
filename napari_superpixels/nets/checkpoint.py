"""Saving and loading of models: weights as safetensors with a JSON header. Nothing is ever unpickled."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from torch import Tensor

from napari_superpixels import __version__
from napari_superpixels.errors import CheckpointError
from napari_superpixels.files import replacing
from napari_superpixels.nets.catalogue import HEADER_KEY, ModelCard, ModelHeader, find_model, read_header
from napari_superpixels.nets.folding import fold
from napari_superpixels.nets.registry import (
    ARCHITECTURES,
    Network,
    NetworkConfig,
    build_network,
    parse_network_config,
)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A trained network that was read from a file."""

    name: str
    """File name without suffix."""
    sha256: str
    """Hash of the file, in hexadecimal; two models with the same hash give the same results."""
    config: NetworkConfig
    """Shape of the network."""
    network: Network
    """The network as it was trained, in evaluation mode on the CPU; copy it to train it further."""
    folded: Network
    """The same network as plain convolutions, for inference."""
    card: ModelCard
    """Description of the model."""


def save_model(path: str | Path, network: Network, card: ModelCard | None = None) -> None:
    """Write a network to a file, replacing it as a whole or not at all.

    Parameters
    ----------
    path : str or pathlib.Path
        File to write; its folder is made if missing.
    network : CAN or UNet
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
        architecture=network.config.architecture,
        config=network.config.model_dump(mode="json"),
        library=__version__,
        card=card or ModelCard(),
    )
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    data = safetensors.torch.save(tensors, {HEADER_KEY: header.model_dump_json()})
    with replacing(path) as part:
        part.write_bytes(data)


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
    if header.architecture not in ARCHITECTURES:
        raise CheckpointError(
            f"{path} holds a network of the architecture {header.architecture!r}; this version of napari-superpixels "
            f"knows {', '.join(map(repr, ARCHITECTURES))}. Update napari-superpixels."
        )
    try:
        config = parse_network_config(header.architecture, header.config)
    except ValidationError as error:
        raise CheckpointError(f"{path} has a configuration that cannot be used: {error}") from error
    try:
        data = path.read_bytes()
        tensors = safetensors.torch.load(data)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged or cannot be read: {error}.") from error
    network = build_network(config)
    _check_fit(path, network, tensors)
    network.load_state_dict(tensors)
    network.requires_grad_(False).eval()
    return Model(path.stem, hashlib.sha256(data).hexdigest(), config, network, fold(network), header.card)


def _check_fit(path: Path, network: Network, tensors: dict[str, Tensor]) -> None:
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
