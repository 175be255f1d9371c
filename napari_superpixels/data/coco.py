"""Data sets in the COCO format: instances (polygons and run lengths) and panoptic (PNG with the segments' numbers).

What becomes of an image's annotations, where every border must stay:

- An instance is a segment. Where instances overlap, the overlap is a segment of its own, so that no border of any
  instance is lost, whichever lies on top.
- A crowd (``iscrowd``) is a segment like an instance: its outer border counts, the single objects in it have none.
- Pixels without annotation, and the panoptic "void", are the segment 0.
- An instance whose segmentation is empty, or covers no pixel, is skipped with a note on the image.
- Images without any annotation, and images whose file is missing, are left out with a note on the source.

Source: T.-Y. Lin et al., "Microsoft COCO: common objects in context", ECCV 2014, arXiv:1405.0312; A. Kirillov, K. He,
R. Girshick, C. Rother, P. Dollar, "Panoptic segmentation", CVPR 2019, arXiv:1801.00868.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from napari_superpixels.data.class_map import read_json
from napari_superpixels.data.coco_masks import Record, draw_instances, read_panoptic
from napari_superpixels.data.images import read_image
from napari_superpixels.data.sources import AnnotatedImage, DataSource, file_state, listed
from napari_superpixels.errors import ReadError


def coco_source(annotations: str | Path, images: str | Path, *, masks: str | Path | None = None) -> DataSource:
    """Open a data set in the COCO format; whether it is instances or panoptic is told by the file.

    Parameters
    ----------
    annotations : str or pathlib.Path
        JSON file, such as ``instances_val2017.json`` or ``panoptic_val2017.json``.
    images : str or pathlib.Path
        Folder of the images.
    masks : str or pathlib.Path, optional
        Folder of the panoptic PNG files; that beside the JSON file, of the same name, by default.

    Returns
    -------
    DataSource
        One item for each image that is there and annotated, by name. The module's documentation says what becomes of
        crowds, overlaps and empty annotations.

    Raises
    ------
    ReadError
        If the JSON file is missing, damaged or of another format, its numbers do not fit each other, or no image is
        left.
    """
    annotations, images = Path(annotations), Path(images)
    pictures, records = _read_json(annotations)
    per_image: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        number = record.get("image_id")
        if not isinstance(number, int | float) or number not in pictures:
            raise ReadError(
                f"{annotations}: an annotation has the image_id {number!r}, but no image of this file has that id "
                f"({_shortened(record)})."
            )
        per_image[int(number)].append(record)
    is_panoptic = any("segments_info" in record for record in records)
    kept, notes = _kept_images(pictures, per_image, images, annotations)
    masks = None if not is_panoptic else annotations.with_suffix("") if masks is None else Path(masks)
    if masks is not None and not masks.is_dir():
        raise ReadError(f"The folder {masks} of the panoptic PNG files does not exist; name it (masks).")
    items = []
    for key, picture in kept.items():
        name = Path(picture["file_name"]).with_suffix("").as_posix()
        size = (picture.get("height"), picture.get("width"))
        items.append(_CocoItem(name, images / picture["file_name"], size, tuple(per_image[key]), masks))
    settings: dict[str, JsonValue] = {
        "annotations": str(annotations),
        "images": str(images),
        "masks": None if masks is None else str(masks),
    }
    kind = "coco-panoptic" if is_panoptic else "coco-instances"
    return DataSource(kind, tuple(sorted(items, key=lambda item: item.name)), settings, notes)


def _read_json(path: Path) -> tuple[dict[int, Record], list[Record]]:
    """Return the images by their number, and the annotations."""
    content = read_json(path)
    parts = [content.get(key) if isinstance(content, dict) else None for key in ("images", "annotations")]
    if not all(isinstance(part, list) and all(isinstance(record, dict) for record in part) for part in parts):
        raise ReadError(f"{path} is no annotation file in the COCO format: it lacks a list 'images' or 'annotations'.")
    pictures: dict[int, Record] = {}
    for record in parts[0] or []:
        if not isinstance(record.get("id"), int) or not isinstance(record.get("file_name"), str):
            raise ReadError(f"{path}: an image lacks a whole number 'id' or a 'file_name' ({_shortened(record)}).")
        if record["id"] in pictures:
            raise ReadError(f"{path}: two images have the id {record['id']}.")
        pictures[record["id"]] = record
    return pictures, parts[1] or []


def _kept_images(
    pictures: Mapping[int, Record], per_image: Mapping[int, list[Record]], folder: Path, annotations: Path
) -> tuple[dict[int, Record], tuple[str, ...]]:
    """Return the images that are there and annotated, and notes on the others."""
    if not folder.is_dir():
        raise ReadError(f"The folder of images {folder} does not exist.")
    annotated = {key: picture for key, picture in pictures.items() if key in per_image}
    kept = {key: picture for key, picture in annotated.items() if (folder / picture["file_name"]).is_file()}
    if not kept:
        why = f"none of its {len(annotated)} annotated images is in {folder}" if annotated else "it has no annotation"
        raise ReadError(f"{annotations} gives no image to use: {why}.")
    missing = [picture["file_name"] for key, picture in annotated.items() if key not in kept]
    bare = [picture["file_name"] for key, picture in pictures.items() if key not in annotated]
    notes = []
    if missing:
        notes.append(f"{len(missing)} of {len(annotated)} annotated images are not in {folder}: {listed(missing)}.")
    if bare:
        notes.append(f"{len(bare)} of {len(pictures)} images have no annotation: {listed(bare)}.")
    return kept, tuple(f"{note} They are left out." for note in notes)


def _shortened(record: Record) -> str:
    text = json.dumps(record)
    return text if len(text) <= 120 else f"{text[:117]}..."


@dataclass(frozen=True, slots=True)
class _CocoItem:
    name: str
    image: Path
    size: tuple[int | None, int | None]
    records: tuple[Record, ...]
    masks: Path | None

    def read(self) -> AnnotatedImage:
        try:
            image = read_image(self.image)
        except ReadError as error:
            raise ReadError(f"{self.image}: {error}") from error
        shape, (plane, *_) = image.planes()
        found = tuple(n for i, n in enumerate(plane.array.shape) if i != plane.channel_axis)
        if shape or (None not in self.size and found != self.size):
            raise ReadError(
                f"{self.image} has shape {image.array.shape}; by its annotations it is one plane of height "
                f"{self.size[0]} and width {self.size[1]}. It was resized, or is another image."
            )
        if self.masks is None:
            segments, n_objects, notes = draw_instances(self.records, (found[0], found[1]), self.name)
        else:
            segments, n_objects, notes = read_panoptic(self.records, (found[0], found[1]), self.masks)
        return AnnotatedImage(
            self.name, plane.array, (segments,), (n_objects,), plane.channel_axis, plane.rgb, image.notes + notes
        )

    def fingerprint(self) -> list[JsonValue]:
        text = json.dumps(self.records, sort_keys=True)
        state: list[JsonValue] = [file_state(self.image), hashlib.blake2b(text.encode(), digest_size=16).hexdigest()]
        if self.masks is not None:
            state += [file_state(self.masks / str(record.get("file_name"))) for record in self.records]
        return state
