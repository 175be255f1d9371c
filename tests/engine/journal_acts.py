"""Acts on an annotation, always the same ones; as a program, does them with a journal until it is killed."""

import json
import sys
import time
from pathlib import Path

import numpy as np

from napari_superpixels.data.class_table import ClassTable
from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.annotation_core import PlaneState
from napari_superpixels.engine.journal import Journal, JournaledImage
from napari_superpixels.engine.journal_file import read_records

IMAGE = np.arange(64 * 80, dtype=np.uint16).reshape(64, 80)
JOURNALED = JournaledImage(IMAGE, "cells (1).tif", "/photos/cells (1).tif")


def new_annotation(**options) -> Annotation:
    numbers = 1 + np.arange(80, dtype=np.int32).reshape(8, 10)
    labels = np.kron(numbers, np.ones((8, 8), np.int32))
    table = ClassTable().added("nucleus").added("border")
    return Annotation(labels, np.zeros(labels.shape, np.uint8), table=table, **options)


def act(annotation: Annotation, number: int) -> None:
    """Do the act of a number, counted from 0; every one changes something and is one record of a journal."""
    kind = number % 8
    if kind == 3:
        annotation.undo()
    elif kind == 4:
        annotation.redo()
    elif kind == 5:
        annotation.rename_class(1, f"nucleus {number}")
    elif kind == 6:
        label = 1 + number % 80
        annotation.mark_checked(label, label not in annotation.checked_labels())
    else:
        labels = [1 + (number * step) % 80 for step in (3, 7, 11)]
        free = 3 - int(annotation.index.class_of(labels[0])) if annotation.index.class_of(labels[0]) else 1
        annotation.paint(labels, free)


def annotation_after(n_acts: int) -> Annotation:
    annotation = new_annotation()
    for number in range(n_acts):
        act(annotation, number)
    return annotation


def facts(state) -> list:
    """All that an annotation's state holds, to be compared."""
    entries = [
        (entry.name, json.dumps([entry.before, entry.after]), entry.plane, [delta.to_bytes() for delta in entry.deltas])
        for entry in state.entries
    ]
    planes = {position: plane for position, plane in state.planes.items() if plane != PlaneState()}
    return [state.labels.tolist(), state.classes.tolist(), state.table, planes, entries, state.position]


def record_ends(path: Path) -> list[int]:
    """Where each record of a journal ends, in bytes."""
    with path.open("rb") as file:
        return [record.end for record in read_records(file, path)]


def _main() -> None:
    folder, pause, min_log_bytes = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    annotation = new_annotation()
    journal = Journal(annotation, folder, JOURNALED, min_log_bytes=min_log_bytes)
    sys.stdout.write(f"{journal.path}\n")
    for number in range(1_000_000):
        act(annotation, number)
        if number == 0:
            journal.flush()
        sys.stdout.write(f"{number + 1}\n")
        sys.stdout.flush()
        time.sleep(pause)


if __name__ == "__main__":
    _main()
