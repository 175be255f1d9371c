"""From what the user names to a list of work: files, folders and patterns become inputs, each with its outputs."""

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_superpixels.data.folders import is_hidden
from napari_superpixels.data.images import IMAGE_SUFFIXES
from napari_superpixels.data.label_files import read_metadata

#: Ends of the names that outputs are given.
LABELS_ENDING = "_superpixels"
OVERLAY_ENDING = "_overlay"
#: Suffixes that make the name of an output a file's, not a folder's.
OUTPUT_SUFFIXES = (".tif", ".tiff", ".png")

_PRODUCED_NAME = re.compile(rf"({LABELS_ENDING}|{OVERLAY_ENDING}(_\d{{4,}})*)$")


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One image file and what becomes of it."""

    source: Path
    """The image."""
    target: Path
    """The labels to write."""
    overlay: Path | None = None
    """Picture to write of the image with the boundaries, if wanted."""
    mask: Path | None = None
    """Mask to read, if there is one."""


@dataclass(frozen=True, slots=True)
class _Source:
    path: Path
    relative: Path


def plan_work(
    inputs: Sequence[str],
    output: Path,
    *,
    suffix: str = ".tif",
    overlay: Path | None = None,
    mask: Path | None = None,
) -> list[WorkItem]:
    """Find the images, and name the outputs of each.

    Parameters
    ----------
    inputs : sequence of str
        Files, folders (searched with their subfolders) and patterns such as ``"photos/*.tif"``. A named file that is
        missing is listed too: reading it tells.
    output : pathlib.Path
        A folder; for a single file also a file.
    suffix : str
        Suffix of the labels in a folder: ".tif" or ".png".
    overlay : pathlib.Path, optional
        Folder, or file for a single input, of pictures with the boundaries drawn.
    mask : pathlib.Path, optional
        A mask for all images, or a folder with masks of the images' names.

    Returns
    -------
    list of WorkItem
        In a stable order, each image once.

    Raises
    ------
    ValueError
        If nothing is found, or outputs would overwrite each other or an input.
    """
    produced = [folder.resolve() for folder in (output, overlay, mask) if folder is not None]
    sources = _find_sources(inputs, produced)
    is_single = len(sources) == 1 and not any(Path(name).is_dir() for name in inputs)
    for place in (output, overlay):
        if not is_single and place is not None and _is_file_name(place):
            raise ValueError(
                f"{place} is the name of a file, but several images or a folder are to be segmented; "
                "name a folder instead."
            )
    items = []
    for source in sources:
        picture = None
        if overlay is not None:
            picture = _output(overlay, source, OVERLAY_ENDING, ".png", is_single)
        items.append(
            WorkItem(
                source.path,
                _output(output, source, LABELS_ENDING, suffix, is_single),
                picture,
                None if mask is None else _find_mask(mask, source),
            )
        )
    _check_clashes(items)
    return items


def _find_sources(inputs: Sequence[str], produced: Sequence[Path]) -> list[_Source]:
    found: dict[Path, _Source] = {}
    for name in inputs:
        for match in _matches(name):
            if match.path.is_dir():
                base = Path() if match.path == Path(name) else match.relative
                for path in sorted(match.path.rglob("*")):
                    if is_hidden(path, match.path):
                        continue
                    if _is_image(path) and not _is_produced(path, match.path, produced):
                        found.setdefault(path.resolve(), _Source(path, base / path.relative_to(match.path)))
            else:
                found.setdefault(match.path.resolve(), match)
    if not found:
        raise ValueError(
            f"There is no image in {', '.join(inputs)}. Name TIFF, PNG or JPEG files, folders that hold some, or a "
            "pattern such as 'photos/*.tif'."
        )
    return list(found.values())


def _matches(name: str) -> list[_Source]:
    """Return the file or folder of that name, or the folders and images that fit the pattern."""
    if Path(name).exists() or not glob.has_magic(name):
        return [_Source(Path(name), Path(Path(name).name))]
    root = _root_of_pattern(name)
    paths = sorted(Path(match) for match in glob.iglob(name, recursive=True))  # noqa: PTH207 - takes absolute patterns
    return [_Source(path, path.relative_to(root)) for path in paths if path.is_dir() or _is_image(path)]


def _root_of_pattern(pattern: str) -> Path:
    parts = []
    for part in Path(pattern).parent.parts:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _is_produced(path: Path, folder: Path, places: Sequence[Path]) -> bool:
    """Say whether a file in a searched folder is an output (or a mask) rather than an image."""
    if _PRODUCED_NAME.search(path.stem) and read_metadata(path) is not None:
        return True
    resolved, root = path.resolve(), folder.resolve()
    return any(place == resolved or (root in place.parents and place in resolved.parents) for place in places)


def _is_file_name(path: Path) -> bool:
    return path.suffix.lower() in OUTPUT_SUFFIXES and not path.is_dir()


def _output(place: Path, source: _Source, ending: str, suffix: str, is_single: bool) -> Path:
    if is_single and _is_file_name(place):
        return place
    return place / source.relative.with_name(f"{source.relative.stem}{ending}{suffix}")


def _find_mask(mask: Path, source: _Source) -> Path:
    """Return the image's mask; where a folder holds none, the name that was looked for, so that reading it tells."""
    if not mask.is_dir():
        return mask
    wanted = mask / source.relative
    same_stem = [wanted.with_suffix(suffix) for suffix in (wanted.suffix, *IMAGE_SUFFIXES)]
    return next((path for path in same_stem if path.is_file()), wanted.with_suffix(".png"))


def _check_clashes(items: Sequence[WorkItem]) -> None:
    inputs = {path.resolve(): path for item in items for path in (item.source, item.mask) if path is not None}
    writers: dict[Path, Path] = {}
    for item in items:
        for output in (item.target, item.overlay):
            if output is None:
                continue
            resolved = output.resolve()
            if resolved in inputs:
                raise ValueError(f"{output} would overwrite the input {inputs[resolved]}; choose another output.")
            if resolved in writers:
                raise ValueError(
                    f"{writers[resolved]} and {item.source} would both be written to {output}. Segment them in two "
                    "runs with different output folders, or name the folder above them instead of the files."
                )
            writers[resolved] = item.source
