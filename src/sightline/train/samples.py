"""Samples: templates and search crops of one object, and all that a network of some spec is given with them.

Sample number i is the same for the same seed, whoever asks and in which order: workers and processes change nothing. Crops are cut by
the code that cuts them when tracking, around a box that is shaken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.box import Box
from sightline.errors import BadData, SightlineError
from sightline.placement import region_around, regions_around
from sightline.region import BentRegion, Region
from sightline.spec import Crop, Spec
from sightline.train import augment
from sightline.train.augment import Generator
from sightline.train.data import Image, OnBad, Picture, Problems, Shot, Split, Track, open_data
from sightline.train.draws import DRAWS, Wanted, gap_at
from sightline.train.pairs import Pairs, fill_of, jittered
from sightline.train.recipe import PLAIN, Augment, Data

__all__ = ["Batch", "Handed", "PairSamples", "Sample", "SampleList", "Samples", "collate", "num_templates", "open_samples"]

TRIES = 1000
ENOUGH = 2.0  # a picture is decoded smaller only where as many pixels of it are left for each one of a crop


class Sample(NamedTuple):
    """One sample of a network of some spec.

    arrays  `template` (K, [scales,] Ht, Ht, 3) and `search` (N, [scales,] Hs, Hs, 3); `box` (N, 4) float32 cx, cy, w, h in 0..1 of the
            search crop; `present` (N,) float32, 1 where the target is in it; and what the spec feeds: `target` (K, 4), `prior` (N, 4),
            `history` (N, L, 4), `template_padding`, `search_padding`, `template_extra`, `search_extra`
    name    which track, and which of its pictures
    notes   what could not be read, by name, and why: another one was drawn instead
    """

    arrays: dict[str, NDArray[Any]]
    name: str
    notes: tuple[tuple[str, str], ...] = ()


class SampleList(Protocol):
    """Samples by number."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, i: int) -> Sample:
        """Sample number i; the same one every time."""


class Batch(NamedTuple):
    """Samples, their arrays stacked in axis 0."""

    arrays: dict[str, Tensor]
    names: list[str]
    notes: list[tuple[str, str]]


def collate(samples: Sequence[Sample]) -> Batch:
    """A batch of samples of one kind."""
    arrays = {name: torch.from_numpy(np.stack([sample.arrays[name] for sample in samples])) for name in samples[0].arrays}
    return Batch(arrays, [sample.name for sample in samples], [note for sample in samples for note in sample.notes])


@dataclass(frozen=True, slots=True)
class Handed:
    """Samples for other processes: an error is handed over as what it is, since torch would put a traceback of many lines into its message."""

    samples: SampleList

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, i: int) -> Sample | SightlineError:
        try:
            return self.samples[i]
        except SightlineError as error:
            return error

    @staticmethod
    def collate(given: Sequence[Sample | SightlineError]) -> Batch | SightlineError:
        """A batch, or the first error."""
        error = next((one for one in given if isinstance(one, SightlineError)), None)
        return error or collate([one for one in given if isinstance(one, Sample)])


def num_templates(spec: Spec) -> int:
    """How many templates a network of a spec reads at once."""
    return spec.memory.samples or spec.memory.slots


def open_samples(
    folders: Sequence[Path],
    split: Split,
    problems: Problems,
    data: Data,
    chances: Augment | None,
    spec: Spec,
    *,
    seed: int,
    count: int,
    labelled: bool = True,
) -> Samples | PairSamples:
    """Samples of a network of some spec, drawn from folders as `data` says; arguments as of `open_data` and `Samples`."""
    opened = open_data(folders, data.shares, split, problems, labelled=labelled)
    data = replace(data, shares=opened.shares)
    if data.draw == "any":
        pairs = Pairs(opened.tracks, data, chances, template=spec.template, search=spec.search, seed=seed, count=count)
        return PairSamples(pairs, problems.on_bad)
    return Samples(opened.tracks, data, chances, spec, seed=seed, count=count, on_bad=problems.on_bad)


def _tried(i: int, on_bad: OnBad, draw: Callable[[], Sample | None]) -> Sample:
    """The first sample that can be used of those that `draw` draws; what could not be read stands in its notes."""
    notes: list[tuple[str, str]] = []
    for _ in range(TRIES):
        try:
            sample = draw()
        except BadData as error:
            if on_bad == "stop":
                raise
            notes.append((str(error).split(" cannot ")[0], str(error)))
            continue
        if sample is not None:
            return sample._replace(notes=tuple(dict.fromkeys(notes)))
    raise BadData(
        f"{TRIES} tracks were drawn for sample {i}, and none of them could be used; look at {', '.join(sorted({n for n, _ in notes})[:3])}."
    )


class PairSamples:
    """`Pairs` as samples of one template and one search crop; `on_bad` as of `Samples`."""

    def __init__(self, pairs: Pairs, on_bad: OnBad = "stop") -> None:
        self.pairs, self.on_bad = pairs, on_bad

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, i: int) -> Sample:
        rng = np.random.default_rng((self.pairs.seed, i))

        def draw() -> Sample:
            return Sample({name: np.asarray(value)[np.newaxis] for name, value in self.pairs.drawn(rng).items()}, f"pair {i}")

        return _tried(i, self.on_bad, draw)


class _Seen(NamedTuple):
    """A picture, a second one of the same moment where it is asked for, the object's box, and the track that it is of."""

    image: Image
    second: Image | None
    box: Box


class Samples:
    """See the module's docstring.

    Args:
        tracks: what to draw from; sources that no share names are left out.
        data: shares, rule and jitter.
        chances: disturbances; None for none.
        spec: what the network is given.
        seed: of all draws.
        count: how many samples there are.
        on_bad: "skip": what cannot be read is noted in the sample, and another one drawn; "stop": it is an error.

    Raises:
        BadData: a share without any track that is long enough.
    """

    def __init__(
        self, tracks: Sequence[Track], data: Data, chances: Augment | None, spec: Spec, *, seed: int, count: int, on_bad: OnBad = "skip"
    ) -> None:
        self.data, self.chances, self.spec, self.seed, self.count, self.on_bad = data, chances or PLAIN, spec, seed, count, on_bad
        long_enough = [track for track in tracks if track.is_still or track.seen().sum() >= max(2, data.shortest)]
        self.groups = [[track for track in long_enough if track.source in share.sources] for share in data.shares]
        for share, group in zip(data.shares, self.groups, strict=True):
            if not group:
                raise BadData(
                    f"the data has no track of {data.shortest} pictures or more of the sources {', '.join(share.sources)}; "
                    "give more of it, or change the recipe."
                )
        weights = np.array([share.weight for share in data.shares])
        self.weights = weights / weights.sum()
        self.draw = DRAWS[data.draw]
        self.is_alone = len({track.scene for group in self.groups for track in group}) < 2  # then no other object can be looked for

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> Sample:
        rng = np.random.default_rng((self.seed, i))
        return _tried(i, self.on_bad, lambda: self._sample(i, rng))

    def _track(self, rng: Generator) -> Track:
        group = self.groups[rng.choice(len(self.groups), p=self.weights)]
        return group[rng.integers(len(group))]

    def _sample(self, i: int, rng: Generator) -> Sample | None:
        """A sample, or None where the track that was drawn has none."""
        track, data = self._track(rng), self.data
        wanted = Wanted(num_templates(self.spec), data.searches, gap_at(data.gap, data.growth, i // data.epoch))
        if track.is_still:
            templates, searches = [0] * wanted.templates, [0] * wanted.searches
        else:
            drawn = self.draw(track.seen(), track.has_box(), wanted, rng)
            if drawn is None:
                return None
            templates, searches = drawn
        flip, grey = rng.random() < self.chances.flip, rng.random() < self.chances.grey
        cuts = [self._template(track, place, rng) for place in templates]
        is_absent = rng.random() < data.absent and not (self.is_alone and (track.is_still or track.has_box().all()))
        search_track, is_boxed = self._searched(track, rng) if is_absent else (track, True)
        if search_track is not track:
            searches = [int(place) for place in rng.choice(np.flatnonzero(search_track.has_box() & search_track.seen()), len(searches))]
        elif not is_boxed:
            searches = [int(place) for place in rng.choice(np.flatnonzero(~track.has_box()), len(searches))]
        looks = [self._search(search_track, place, rng, is_boxed) for place in searches]
        if any(look is None for look in (*cuts, *looks)):
            return None
        arrays = {name: np.stack([cut[name] for cut in cuts if cut]) for name in cuts[0] or ()}
        arrays |= {name: np.stack([look[name] for look in looks if look]) for name in looks[0] or ()}
        arrays["present"] = np.full(len(searches), float(not is_absent), np.float32)
        arrays = self._disturbed(arrays, flip=flip, grey=grey, rng=rng)
        return Sample(
            arrays, f"{track.source}/{track.name} {templates} -> {searches}" + ("" if track is search_track else f" of {search_track.name}")
        )

    def _searched(self, track: Track, rng: Generator) -> tuple[Track, bool]:
        """Where an absent target is looked for: in a picture of its own track without it (no box), or around another object."""
        if (self.data.hidden or self.is_alone) and not track.is_still and not track.has_box().all():
            return track, False
        for _ in range(TRIES):
            other = self._track(rng)
            if other.scene != track.scene:
                return other, True
        raise BadData(f"all tracks cannot be told apart: {track.scene} is the only scene; a share of absent targets needs two.")

    def _template(self, track: Track, place: int, rng: Generator) -> dict[str, NDArray[Any]] | None:
        seen = self._look(track.pictures[place], self.spec.template, track.is_still, rng)
        crop, size = self.spec.template, (seen.image.shape[1], seen.image.shape[0])
        around = self._shaken(seen.box, self.data.template_jitter, self.data.template_scale, rng)
        regions = regions_around(around, crop, size, fill_of(seen.image, self.spec.search))
        arrays = self._pictures("template", seen, regions)
        if "target" in self.spec.feed:
            arrays["target"] = regions[0].to_crop(seen.box).astype(np.float32)
        return arrays

    def _search(self, track: Track, place: int, rng: Generator, is_boxed: bool) -> dict[str, NDArray[Any]] | None:
        """The search crop around a box, with what else the network is given; None where nothing of the frame is in it."""
        crop = replace(self.spec.search, scales=(1.0,), small=None, fitted=None)
        seen = self._look(track.pictures[place], crop, track.is_still, rng)
        height, width = seen.image.shape[:2]
        if not is_boxed:  # as published: an eighth of the frame, in its middle
            seen = seen._replace(box=Box(width * 7 / 16, height * 7 / 16, width / 8, height / 8))
        around = self._shaken(seen.box, self.data.center_jitter, self.data.scale_jitter, rng)
        region = region_around(around, crop, (width, height), fill_of(seen.image, self.spec.search))
        if region.padding().all():
            return None
        arrays = self._pictures("search", seen, [region])
        if len(self.spec.search.scales) > 1:
            arrays["search"] = arrays["search"][np.newaxis]
        if self.chances.occluder and rng.random() < self.chances.occluder:
            arrays["search"] = self._covered(arrays["search"], region.to_crop(seen.box), rng)
        arrays["box"] = region.to_crop(seen.box).astype(np.float32)
        before = region.to_crop(around).astype(np.float32)
        if "prior" in self.spec.feed:
            arrays["prior"] = before
        if self.spec.history is not None:
            arrays["history"] = np.repeat(before[np.newaxis], self.spec.history.length, axis=0)
        return arrays

    def _look(self, picture: Picture, crop: Crop, is_still: bool, rng: Generator) -> _Seen:
        """A picture, decoded no larger than it is worth; a still one is stretched and turned."""
        shrink = _shrink(picture, crop) if self.data.scaled else 1
        image, box = picture.read(shrink)
        second = None
        if "extra" in self.spec.feed:
            if not isinstance(picture, Shot):
                raise BadData(f"{picture.name} cannot be used: {self.spec.name} learns from pictures of two cameras.")
            second = picture.read_second(shrink)
            if second.shape != image.shape:
                second = cv2.resize(second, (image.shape[1], image.shape[0])).astype(np.uint8, copy=False)
        if not (np.isfinite(box).all() and box.w * box.h >= 1):
            box = Box(image.shape[1] * 7 / 16, image.shape[0] * 7 / 16, image.shape[1] / 8, image.shape[0] / 8)
        if is_still and second is None and (self.data.stretch or self.data.turn):
            image, box = augment.moved(image, box, self.data.stretch, self.data.turn, rng)
        return _Seen(image, second, box)

    def _shaken(self, box: Box, center: float, scale: float, rng: Generator) -> Box:
        return jittered(box, center, scale, rng.standard_normal(2).tolist(), rng.random(2).tolist())

    def _covered(self, search: NDArray[Any], box: NDArray[np.float64], rng: Generator) -> NDArray[Any]:
        """The search crop with a piece of another track's picture over a part of the target."""
        image, theirs = self._other_object(rng)
        x, y = max(0, int(theirs.x)), max(0, int(theirs.y))
        patch = image[y : int(theirs.y + theirs.h) + 1, x : int(theirs.x + theirs.w) + 1]
        flat = search.reshape(search.shape[-3:])
        return augment.on_pixels(flat, lambda crop: augment.cover(crop, box, patch, rng, wholly=False)).reshape(search.shape)

    def _other_object(self, rng: Generator) -> tuple[Image, Box]:
        track = self._track(rng)
        return track.pictures[int(rng.choice(np.flatnonzero(track.seen())))].read()

    def _pictures(self, role: str, seen: _Seen, regions: Sequence[Region | BentRegion]) -> dict[str, NDArray[Any]]:
        """The crops of regions, what lies outside, a second picture: as `methods.network` cuts them."""
        arrays: dict[str, NDArray[Any]] = {role: _stacked([region.take(seen.image) for region in regions])}
        if "padding" in self.spec.feed:
            arrays[f"{role}_padding"] = _stacked([region.padding() for region in regions])
        if seen.second is not None:
            arrays[f"{role}_extra"] = _stacked([region.take(seen.second) for region in regions])
        return arrays

    def _disturbed(self, arrays: dict[str, NDArray[Any]], *, flip: bool, grey: bool, rng: Generator) -> dict[str, NDArray[Any]]:
        """All crops mirrored and without colour together, then each disturbed and perhaps mirrored alone."""
        roles = {"template": ("target",), "search": ("box", "prior", "history")}
        for role, boxes in roles.items():
            names = [name for name in (role, f"{role}_padding", f"{role}_extra") if name in arrays]
            for place in range(len(arrays[role])):
                is_mirrored = flip != (rng.random() < self.chances.flip_each)
                draws = rng.integers(2**32)
                for name in names:
                    crop = arrays[name][place]
                    if not name.endswith("padding"):
                        crop = self._disturbed_crop(crop, grey=grey, rng=np.random.default_rng(draws))
                    if is_mirrored:
                        crop = np.flip(crop, -1) if name.endswith("padding") else augment.mirrored(crop)
                    arrays[name][place] = crop
                for name in boxes:
                    if is_mirrored and name in arrays:
                        arrays[name][place, ..., 0] = 1 - arrays[name][place, ..., 0]
        return arrays

    def _disturbed_crop(self, crop: NDArray[Any], *, grey: bool, rng: Generator) -> NDArray[Any]:
        """A crop ([scales,] S, S, 3) in other light, grey, blurred, ...; those of several scales alike."""
        chances = self.chances

        def change(image: Image) -> Image:
            if grey:
                image = augment.grey(image)
            if chances.brightness:
                image = augment.brighter(image, rng.uniform(1 - chances.brightness, 1 + chances.brightness))
            return augment.disturb(image, chances, rng)

        if crop.ndim == 3:
            return augment.on_pixels(crop, change)
        return np.stack([augment.on_pixels(scale, change) for scale in crop])


def _stacked(pictures: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return pictures[0] if len(pictures) == 1 else np.stack(pictures)


def _shrink(picture: Picture, crop: Crop) -> int:
    """How many times smaller a picture may be decoded."""
    box = picture.box if isinstance(picture, Shot) else None
    if box is None or not np.isfinite(box).all():
        return 1
    region = region_around(box, replace(crop, zoom=None, scales=(1.0,)), (10**6, 10**6))
    pixels = region.frame.w / crop.size if isinstance(region, Region) else 1.0
    return next((shrink for shrink in (8, 4, 2) if pixels >= ENOUGH * shrink), 1)
