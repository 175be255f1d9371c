"""How each correction changes labels: by sources from which the superpixels that it touches grow again."""

from collections.abc import Iterable, Sequence

import numpy as np

from napari_superpixels.core.regrow import Box, LabelPatch, Labels, Pixels, own_seeds, region, regrow
from napari_superpixels.core.slowness import SlownessField
from napari_superpixels.engine.constraints import (
    AddSeed,
    Assign,
    Correction,
    Cut,
    Merge,
    Point,
    RemoveSeed,
    Split,
    connected_in_mask,
    is_met,
    linked_sets,
    reader,
)
from napari_superpixels.engine.kept import Kept

_ROUNDS = 3
_SLIVER_WIDTH = 3
_STEPS = ((-1, 0), (0, -1), (0, 1), (1, 0))


class Repair:
    """Changes labels as corrections demand.

    Parameters
    ----------
    labels : ndarray of shape (M, N), int32
        Labels, each 4-connected; 0 outside a mask. Not changed.
    slowness : SlownessField or None
        Where borders are likely.
    next_label : int
        Larger than any number in use.
    keep : iterable of Correction
        Those that hold go on holding, except where a correction demands the contrary.
    yields : bool
        Whether merges take less than whole superpixels where these would break what is to be kept.
    """

    def __init__(
        self,
        labels: Labels,
        slowness: SlownessField | None,
        next_label: int,
        keep: Iterable[Correction],
        *,
        yields: bool = False,
    ) -> None:
        self._labels = labels
        self._read = reader(labels)
        self._slowness = slowness
        self._first_new = self._next_label = next_label
        self._kept = Kept(keep, labels)
        self._yields = yields

    def patch(self, correction: Correction) -> LabelPatch | None:
        """Return what changes, or None."""
        if is_met(correction, self._read):
            return None
        match correction:
            case Merge():
                return self._merge(correction)
            case Split():
                return self._split(correction)
            case Cut():
                made = self._cut(correction)
            case Assign():
                made = self._assign(correction, correction.anchor)
            case AddSeed():
                made = self._add_seed(correction)
            case RemoveSeed():
                made = self._remove_seed(correction)
        return made

    def _merge(self, correction: Merge) -> LabelPatch:
        into: dict[int, int] = {}
        where: dict[int, Pixels] = {}
        sets = linked_sets(correction, self._read)
        for pixels in sets:
            found = self._read(pixels)
            numbers, first = np.unique(found, return_index=True)
            where.update(zip(numbers.tolist(), pixels[first], strict=True))
            target = into.get(int(found[0]), int(found[0]))
            gone = {into.get(number, number) for number in numbers.tolist()}
            into.update(dict.fromkeys(numbers.tolist(), target))
            into.update({number: target for number, taken in into.items() if taken in gone})
        changed = [(region(self._labels, where[number]), target) for number, target in into.items() if number != target]
        box = _bounding([part for (part, _), _ in changed])
        labels = self._labels[box].copy()
        for (part, mask), target in changed:
            inner = tuple(slice(s.start - b.start, s.stop - b.start) for s, b in zip(part, box, strict=True))
            labels[inner][mask] = target
        patch = LabelPatch(box, labels)
        if self._yields and self._kept.broken(patch, correction):
            return self._assign(correction, None)
        return patch

    def _split(self, correction: Split) -> LabelPatch | None:
        groups = [(i, pixels) for i, pixels in enumerate(correction.together) if np.any(self._read(pixels))]
        distinct = [np.unique(pixels[self._read(pixels) != 0], axis=0) for _, pixels in groups]
        every = np.concatenate(distinct)
        if len(np.unique(every, axis=0)) < len(every):
            return None
        # What the mask divides can't be one superpixel.
        parts = [(i, part) for i, pixels in groups for part in connected_in_mask(pixels, self._read)]
        here = [self._read(part) for _, part in parts]
        numbers = self._claims([i for i, _ in parts], here)
        sources, source_labels = [], []
        for label in np.unique(np.concatenate(here)):
            held = {number for number, found in zip(numbers, here, strict=True) if label in found}
            if held == {label}:
                continue
            for number, (_, part), found in zip(numbers, parts, here, strict=True):
                sources.append(part[found == label])
                source_labels.append(np.full(len(sources[-1]), number))
            if label not in numbers:
                self._add_own_seeds(sources, source_labels, every[self._read(every) == label])
        return self._regrown(correction, np.concatenate(sources), np.concatenate(source_labels))

    def _claims(self, groups: list[int], here: list[Labels]) -> list[int]:
        """Return a number for each part of a group: that of the superpixel that holds most of it, or a new one.

        Of several groups the first claims a superpixel.
        """
        claimed: dict[int, int] = {}
        numbers: list[int] = []
        for group, found in zip(groups, here, strict=True):
            values, counts = np.unique(found, return_counts=True)
            best = int(values[np.argmax(counts)])
            if claimed.setdefault(best, group) != group:
                best = self._new_label()
            numbers.append(best)
        return numbers

    def _cut(self, correction: Cut) -> LabelPatch:
        left, right = correction.strips
        one, other = self._read(correction.apart[:, 0]), self._read(correction.apart[:, 1])
        sources, source_labels = [], []
        for label in np.unique(one[(one == other) & (one != 0)]):
            for strip, number in ((left, label), (right, self._new_label())):
                sources.append(strip[self._read(strip) == label])
                source_labels.append(np.full(len(sources[-1]), number))
        pixels, numbers = np.concatenate(sources), np.concatenate(source_labels)
        patch = self._regrown(correction, pixels, numbers)
        slivers = self._slivers(correction, patch, pixels)
        if slivers:
            held = reader(self._labels, patch)(pixels).tolist()
            without = self._regrown(correction, pixels, np.array([slivers.get(number, number) for number in held]))
            # Where two cuts cross, the part that takes a sliver can be the one that the other cut keeps it apart from.
            if self._is_no_worse(without, patch, correction):
                return without
        return patch

    def _slivers(self, correction: Cut, patch: LabelPatch, sources: Pixels) -> dict[int, int]:
        """Return which parts of a cut are hardly more than its own pixels, and which part beside them may take each.

        A hand that follows a border wobbles across it.
        """
        after = reader(self._labels, patch)
        pairs = after(correction.apart.reshape(-1, 2)).reshape(-1, 2)
        numbers, lengths = np.unique(after(sources), return_counts=True)
        areas = np.bincount(patch.labels.ravel())[numbers]
        thin = set(numbers[areas <= _SLIVER_WIDTH * lengths].tolist())
        slivers = {}
        for strip in correction.strips:
            on_strip = after(strip)
            for number in thin & set(on_strip.tolist()):
                mine = strip[on_strip == number]
                beside = np.concatenate([after(mine + step) for step in _STEPS])
                across = pairs[np.any(pairs == number, axis=1)]
                allowed = beside[np.isin(beside, on_strip) & ~np.isin(beside, [0, *thin, *across.ravel()])]
                if allowed.size:
                    slivers[number] = int(np.bincount(allowed).argmax())
        return slivers

    def _assign(self, correction: Correction, anchor: Point | None) -> LabelPatch:
        """Give each set to one superpixel: the anchor's if it holds that, else the one at its first pixel."""
        patch = self._given(correction, anchor)
        if self._kept.broken(patch, correction):
            # A superpixel that loses pixels of a kept set can go on growing on the rest of it, which divides the set.
            whole = self._given(correction, anchor, with_kept_sets=True)
            if self._is_no_worse(whole, patch, correction):
                return whole
        return patch

    def _given(self, correction: Correction, anchor: Point | None, *, with_kept_sets: bool = False) -> LabelPatch:
        """Let each set, with the kept ones that share pixels with it or not, grow from one superpixel."""
        sources, source_labels = [], []
        taken = []
        for pixels in linked_sets(correction, self._read):
            holds_anchor = anchor is not None and np.all(pixels == anchor, axis=1)
            target = self._read(pixels)[np.argmax(holds_anchor)]
            given = self._kept.sharing(pixels, correction) if with_kept_sets else pixels
            found = self._read(given)
            taken.append((given, found, target))
            for label in np.unique(found[found != target]):
                sources.append(given[found == label])
                source_labels.append(np.full(len(sources[-1]), target))
                self._add_own_seeds(sources, source_labels, sources[-1])
        opened = np.unique(self._read(np.concatenate(sources)))
        for given, found, target in taken:
            # A superpixel that one set takes pixels from can be the one that another set goes to.
            if target in opened:
                sources.insert(0, given[found == target])
                source_labels.insert(0, np.full(len(sources[0]), target))
        return self._regrown(correction, np.concatenate(sources), np.concatenate(source_labels))

    def _add_seed(self, correction: AddSeed) -> LabelPatch:
        label = self._read(correction.apart[0, :1])[0]
        return self._regrown(correction, correction.apart[0], np.array([self._new_label(), label]))

    def _remove_seed(self, correction: RemoveSeed) -> LabelPatch:
        sources, source_labels = [], []
        for pixels in linked_sets(correction, self._read):
            found = self._read(pixels)
            target = found[-1]
            sources.append(pixels[found != target])
            source_labels.append(np.full(len(sources[-1]), target))
            gone = np.unique(found[found != target])
            for label in gone:
                border, beyond = self._neighbours(pixels[found == label][0], gone)
                sources.append(border)
                source_labels.append(beyond)
        return self._regrown(correction, np.concatenate(sources), np.concatenate(source_labels))

    def dissolved(self, pixel: Pixels) -> LabelPatch | None:
        """Return what changes when the neighbours of the superpixel at a pixel, (2,), grow over it, or None."""
        border, beyond = self._neighbours(pixel, self._read(pixel[None]))
        return self._regrown(None, border, beyond) if len(border) else None

    def _neighbours(self, pixel: Pixels, gone: Labels) -> tuple[Pixels, Labels]:
        """Return pixels at a superpixel's border, and the label beyond each that may take it; none is in `gone`."""
        box, mask = region(self._labels, pixel)
        inside = np.argwhere(mask) + [part.start for part in box]
        border, beyond = [], []
        for step in _STEPS:
            found = self._read(inside + step)
            is_other = (found != 0) & ~np.isin(found, gone)
            border.append(inside[is_other])
            beyond.append(found[is_other])
        label = int(self._labels[tuple(pixel)])
        return self._kept.fair_neighbours(box, label, np.concatenate(border), np.concatenate(beyond))

    def _add_own_seeds(self, sources: list[Pixels], source_labels: list[Labels], taken: Pixels) -> None:
        """Let a superpixel that loses pixels go on growing where it is deepest."""
        seeds = own_seeds(self._labels, taken[0], taken)
        sources.append(seeds)
        source_labels.append(np.full(len(seeds), self._read(taken[:1])[0]))

    def _is_no_worse(self, patch: LabelPatch, than: LabelPatch, correction: Correction) -> bool:
        """Return whether a patch does what a correction demands, and breaks no more of what is kept than another."""
        n_broken, n_allowed = (len(self._kept.broken(one, correction)) for one in (patch, than))
        return n_broken <= n_allowed and is_met(correction, reader(self._labels, patch))

    def _new_label(self) -> int:
        self._next_label += 1
        return self._next_label - 1

    def _regrown(self, correction: Correction | None, sources: Pixels, source_labels: Labels) -> LabelPatch:
        """Grow again from sources; a second time, with what else must hold, if the first broke some of it."""

        def grow(together: Sequence[Pixels]) -> LabelPatch:
            return regrow(
                self._slowness,
                self._labels,
                sources,
                source_labels.astype(np.int32),
                first_new=self._first_new,
                together=together,
            )

        patch = grow(())
        for n_round in range(_ROUNDS):
            broken = self._kept.broken(patch, correction)
            if not broken:
                break
            pixels, labels = self._kept.taken(broken, patch)
            has_sources = np.isin(labels, source_labels)
            if n_round and not np.any(has_sources):
                break
            sources = np.concatenate([sources, pixels[has_sources]])
            source_labels = np.concatenate([source_labels, labels[has_sources]])
            patch = grow(self._kept.together(patch.box, correction))
        return patch


def _bounding(boxes: list[Box]) -> Box:
    rows, columns = (
        slice(min(box[axis].start for box in boxes), max(box[axis].stop for box in boxes)) for axis in range(2)
    )
    return rows, columns
