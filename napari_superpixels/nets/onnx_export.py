"""Export of a model to ONNX: its plain convolutions written down as a graph, node by node, without tracing."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from napari_superpixels import __version__
from napari_superpixels.errors import MissingPackageError
from napari_superpixels.files import replacing
from napari_superpixels.nets.can import CAN
from napari_superpixels.nets.checkpoint import Model
from napari_superpixels.nets.unet import ConvLayer, UNet

#: Version of the ONNX operators that are used.
OPSET = 18
_IR_VERSION = 10


def export_onnx(path: str | Path, model: Model) -> None:
    """Write a model as ONNX.

    The graph has the input ``image``, float32 of shape (N, C, H, W) in [0, 1] for any N, H and W, and the outputs
    ``flattened``, (N, C', H, W) in [0, 1], and ``boundary``, (N, 1, H, W), a probability, if the model predicts it.

    Parameters
    ----------
    path : str or pathlib.Path
        File to write.
    model : Model
        The model.

    Raises
    ------
    MissingPackageError
        If the package onnx is not installed.
    WriteError
        If the file cannot be written.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingPackageError("The export needs the package onnx; install it with: pip install onnx") from error

    graph = _Graph()
    output = _add_can(graph, model.folded) if isinstance(model.folded, CAN) else _add_unet(graph, model.folded)
    channels = model.config.out_channels
    outputs = {"flattened": channels}
    flattened = graph.channels(output, 0, channels) if model.config.boundary_head else output
    graph.add("Clip", flattened, graph.constant(np.float32(0)), graph.constant(np.float32(1)), to="flattened")
    if model.config.boundary_head:
        graph.add("Sigmoid", graph.channels(output, channels, channels + 1), to="boundary")
        outputs["boundary"] = 1

    def value(name: str, n_channels: int) -> Any:
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", n_channels, "height", "width"])

    proto = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node(*node, **attributes) for node, attributes in graph.nodes],
            model.name,
            [value("image", model.config.in_channels)],
            [value(name, n_channels) for name, n_channels in outputs.items()],
            [onnx.numpy_helper.from_array(array, name) for name, array in graph.constants.items()],
            doc_string=model.card.title,
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        producer_name="napari-superpixels",
        producer_version=__version__,
    )
    onnx.checker.check_model(proto, full_check=True)
    with replacing(path) as part:
        part.write_bytes(proto.SerializeToString())


class _Graph:
    """Nodes and constants of a graph in the making; each value has a name."""

    def __init__(self) -> None:
        self.nodes: list[tuple[tuple[str, list[str], list[str]], dict[str, Any]]] = []
        self.constants: dict[str, npt.NDArray[Any]] = {}

    def add(self, operator: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        name = to or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(((operator, list(inputs), [name]), attributes))
        return name

    def constant(self, values: Any) -> str:
        """Add a constant and return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants[name] = np.asarray(values)
        return name

    def conv(self, x: str, conv: nn.Conv2d, slope: float | None = None) -> str:
        """Add a convolution that keeps the size, rectified where a slope is given."""
        parameters = (self.constant(_array(conv.weight)), self.constant(_array(conv.bias)))
        padding, dilation = int(conv.padding[0]), int(conv.dilation[0])
        x = self.add("Conv", x, *parameters, pads=[padding] * 4, dilations=[dilation] * 2)
        return x if slope is None else self.add("LeakyRelu", x, alpha=slope)

    def channels(self, x: str, first: int, stop: int) -> str:
        """Add a slice of channels."""
        return self.add("Slice", x, *(self.constant(np.array([value])) for value in (first, stop, 1)))


def _array(values: Tensor | None) -> npt.NDArray[np.float32]:
    assert values is not None
    return np.ascontiguousarray(values.detach().cpu().numpy())


def _add_can(graph: _Graph, network: CAN) -> str:
    x = "image"
    for conv, _ in network.layers:
        x = graph.conv(x, conv, network.config.negative_slope)
    return graph.conv(x, network.head)


def _add_unet(graph: _Graph, network: UNet) -> str:
    slope = network.config.negative_slope
    size = graph.add("Shape", "image", start=2, end=4)  # height and width
    stride = graph.constant(np.array([network.config.stride]))
    missing = graph.add("Mod", graph.add("Neg", size), stride)
    pads = graph.add("Concat", graph.constant(np.zeros(6, np.int64)), missing, axis=0)
    x = graph.add("Pad", "image", pads, mode="edge")

    def block(x: str, layers: nn.Module) -> str:
        for layer in layers.children():
            assert isinstance(layer, ConvLayer)
            x = graph.conv(x, layer.conv, slope)
        return x

    skips = []
    for scale, layers in enumerate(network.down):
        pooled = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]) if scale else x
        x = block(pooled, layers)
        skips.append(x)
    skips.pop()
    twice = graph.constant(np.array([1, 1, 2, 2], np.float32))
    for lift, layers in zip(network.lift, network.up, strict=True):
        assert isinstance(lift, nn.Conv2d)
        x = graph.add(
            "Resize", graph.conv(x, lift), "", twice,
            mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip
        x = block(graph.add("Concat", x, skips.pop(), axis=1), layers)
    out = graph.conv(x, network.head)
    starts, axes = graph.constant(np.zeros(2, np.int64)), graph.constant(np.array([2, 3]))
    out = graph.add("Slice", out, starts, size, axes)
    channels, total = network.config.out_channels, network.config.total_channels
    image = "image" if channels == network.config.in_channels else graph.channels("image", 0, channels)
    if total == channels:
        return graph.add("Add", image, out)
    corrected = graph.add("Add", image, graph.channels(out, 0, channels))
    return graph.add("Concat", corrected, graph.channels(out, channels, total), axis=1)
