"""Training data out of what a viewer holds: annotations, and image with Labels layers."""

from collections.abc import Collection
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from napari.layers import Labels
from skimage.measure import label as connected_parts

from napari_superpixels.data.training_folder import TrainingItem
from napari_superpixels.engine.corrections import Correction, Merge
from napari_superpixels.engine.fine_tune_rows import DataRow, unique_name
from napari_superpixels.errors import ImageError
from napari_superpixels.plugin.annotation_layers import AnnotationLayers
from napari_superpixels.plugin.ground_truth import cut_truth
from napari_superpixels.plugin.regions import Region, layer_token

Zero = Literal["segment", "unannotated"]

_REGION = "region"
_MULTISCALE = "{name!r} has several resolution levels; training needs whole planes. Crop what matters into an image."
_VOLUME = "Training takes planes: switch the viewer back to two dimensions."


def annotation_row(layers: AnnotationLayers, taken: Collection[str]) -> DataRow:
    """Return a row of the plane at hand of an annotation, not yet examined.

    It is read anew when training starts, with what was painted in the meantime.

    Parameters
    ----------
    layers : AnnotationLayers
        The annotation.
    taken : collection of str
        Names that other rows have.
    """
    region, annotation = layers.region, layers.annotation
    plane, known = annotation.plane, annotation.corrections
    name = unique_name(plane_name(region), taken)

    def read() -> TrainingItem:
        corrections = annotation.corrections if annotation.plane == plane else known
        superpixels, classes = (region.plane_of(layer.data) for layer in layers.layers)
        labels, annotated = annotated_segments(superpixels, classes, _merged(corrections, superpixels))
        return _item(region, name, labels, annotated)

    return DataRow(row_key("annotation", region), name, "annotation", read, "Correct", extra={_REGION: region})


def layers_row(region: Region, labels: Labels, zero: Zero, taken: Collection[str]) -> DataRow:
    """Return a row of a plane of an image, with a Labels layer as its objects, not yet examined.

    Parameters
    ----------
    region : Region
        The plane that the viewer shows.
    labels : Labels
        A layer of the image's shape, or of the plane's.
    zero : {"segment", "unannotated"}
        Whether 0 is background, which is a segment, or not annotated.
    taken : collection of str
        Names that other rows have.

    Raises
    ------
    ImageError
        If the plane cannot be trained on, or the layer does not fit it.
    """
    check_plane(region)
    truth = cut_truth(labels, region)
    name = unique_name(plane_name(region), taken)

    def read() -> TrainingItem:
        values = truth.read(region.shape)
        return _item(region, name, values, None if zero == "segment" else values != 0)

    origin = f"{region.layer.name} + {labels.name}"
    return DataRow(row_key("layers", region), name, "layers", read, origin, extra={_REGION: region})


def region_of(row: DataRow) -> Region | None:
    """Return the plane of the viewer that a row comes from; None where it comes from elsewhere."""
    region = row.extra.get(_REGION)
    return region if isinstance(region, Region) else None


def row_key(kind: Literal["annotation", "layers"], region: Region) -> str:
    """Return the key of the row of a plane: adding it again replaces it."""
    return f"{kind} {layer_token(region.layer)} {region.position} {region.channel_axis}"


def annotated_segments(
    superpixels: npt.NDArray[np.integer[Any]],
    classes: npt.NDArray[np.integer[Any]],
    merged: Collection[int] = (),
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Return what an annotation says of a plane.

    Parameters
    ----------
    superpixels : ndarray of shape (M, N), integer
        Superpixels.
    classes : ndarray of shape (M, N), integer
        Class of every pixel; 0 where there is none.
    merged : collection of int
        Superpixels that the user merged into an object: each is a segment of its own, whatever lies beside it.

    Returns
    -------
    segments : ndarray of shape (M, N), int32
        The 4-connected parts of each class from 1 on; 0 where there is no class.
    annotated : ndarray of shape (M, N), bool
        Where there is one.
    """
    kinds = classes.astype(np.int64)
    if merged:
        whole = np.isin(superpixels, list(merged)) & (classes > 0)
        kinds[whole] = int(kinds.max()) + superpixels[whole].astype(np.int64)
    segments: npt.NDArray[np.int32] = connected_parts(kinds, connectivity=1, background=0).astype(np.int32)
    return segments, classes > 0


def check_plane(region: Region) -> None:
    """Refuse what is no plane at full resolution.

    Raises
    ------
    ImageError
        If the viewer shows a volume, or the image has several resolution levels.
    """
    if region.layer.multiscale:
        raise ImageError(_MULTISCALE.format(name=region.layer.name))
    if len(region.axes) != 2:
        raise ImageError(_VOLUME)


def plane_name(region: Region) -> str:
    """Return the name of an image, with the position of the plane in a stack."""
    return " ".join([region.layer.name, *(str(i) for i in region.position if i is not None)])


def _item(
    region: Region, name: str, labels: npt.NDArray[np.integer[Any]], annotated: npt.NDArray[np.bool_] | None
) -> TrainingItem:
    if not region.is_current:
        raise ImageError(f"The image {region.layer.name!r} has changed its size since; add it anew.")
    channel_axis = region.as_input().channel_axis
    return TrainingItem(name, region.read(), labels, annotated, channel_axis=channel_axis, rgb=region.layer.rgb)


def _merged(corrections: tuple[Correction, ...], superpixels: npt.NDArray[np.integer[Any]]) -> set[int]:
    """Return the superpixels that come of merges."""
    return {int(superpixels[done.path[0]]) for done in corrections if isinstance(done, Merge)}
