"""Training pairs: a template and a search region of one object, cut as the tracker cuts them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.box import Box
from sightline.errors import BadData
from sightline.placement import region_around
from sightline.spec import Crop
from sightline.train import augment
from sightline.train.augment import Generator, Image
from sightline.train.data.index import read_tracks
from sightline.train.data.track import Picture, Track
from sightline.train.recipe import Augment, Data

__all__ = ["Pair", "Pairs", "Picture", "Track", "fill_of", "jittered", "published_box", "read_tracks"]


class Pair(TypedDict):
    """One sample.

    template (Ht, Ht, 3) and search (Hs, Hs, 3) uint8 RGB; target (4,) the object in the template, box (4,) it in the search crop and
    prior (4,) what that was cut around, float32 cx, cy, w, h in 0..1 of the crop; present: float32, 1 where the target is in the search
    crop, else 0 (and the box means nothing).
    """

    template: Image
    search: Image
    target: NDArray[np.float32]
    box: NDArray[np.float32]
    prior: NDArray[np.float32]
    present: np.float32


def jittered(box: Box, center: float, scale: float, normal: Sequence[float], uniform: Sequence[float]) -> Box:
    """The box that a search region is cut around, given its draws: two normal ones for w and h, two in 0..1 for x and y.

    Source: STARK's training code (Yan et al., ICCV 2021); golden/components/train_pair.
    """
    w, h = box.w * math.exp(normal[0] * scale), box.h * math.exp(normal[1] * scale)
    shift = math.sqrt(w * h) * center
    cx, cy = box.centre
    cx, cy = cx + shift * (uniform[0] - 0.5), cy + shift * (uniform[1] - 0.5)
    return Box(cx - w / 2, cy - h / 2, w, h)


def published_box(box: Box, around: Box, *, size: int, scale: float) -> NDArray[np.float64]:
    """A box in the crop around another, as the PyTracking family trains: half a pixel off the run-time's mapping.

    Args:
        box: in frame pixels, as `around`.
        around: what the crop was cut around.
        size: pixels along each side of the crop.
        scale: pixels of the crop per pixel of the frame.

    Returns:
        (4,) x, y, w, h in 0..1 of the crop.

    Source: golden/components/box_to_crop.
    """
    middle = (size - 1) / 2
    cx, cy = (middle + (own - other) * scale for own, other in zip(box.centre, around.centre, strict=True))
    w, h = box.w * scale, box.h * scale
    return np.array([cx - w / 2, cy - h / 2, w, h]) / size


def fill_of(image: Image, crop: Crop) -> tuple[float, float, float]:
    """What stands outside the frame: black, or the picture's own mean (a tracker takes that of its first frame)."""
    if crop.border == "zero":
        return 0.0, 0.0, 0.0
    red, green, blue, _ = cv2.mean(image)
    return red, green, blue


def _seen_in(track: Track) -> Sequence[int]:
    """Numbers of the pictures in which the target can be seen."""
    return range(len(track.pictures)) if track.visible is None else np.flatnonzero(track.visible).tolist()


class Pairs:
    """Pair number i of an endless list; the same for the same seed, whoever asks and in which order.

    Args:
        tracks: what to draw from; sources that no share names are left out.
        data: shares and jitter.
        chances: disturbances; None for none.
        template: crop of the template.
        search: crop of the search region.
        seed: of all draws.
        count: how many pairs there are.

    Raises:
        BadData: a share without any track.
    """

    def __init__(
        self, tracks: Sequence[Track], data: Data, chances: Augment | None, *, template: Crop, search: Crop, seed: int, count: int
    ) -> None:
        self.data, self.chances, self.seed, self.count = data, chances, seed, count
        self.template, self.search = template, search
        shown = [track for track in tracks if track.visible is None or track.visible.any()]
        self.groups = [[track for track in shown if track.source in share.sources] for share in data.shares]
        for share, group in zip(data.shares, self.groups, strict=True):
            if not group:
                raise BadData(f"the data has no track of the sources {', '.join(share.sources)}; change the recipe's shares.")
        weights = np.array([share.weight for share in data.shares])
        self.weights = weights / weights.sum()
        self.is_alone = len({track.scene for group in self.groups for track in group}) < 2  # then nothing is absent, and nothing in front

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> Pair:
        return self.drawn(np.random.default_rng((self.seed, i)))

    def drawn(self, rng: Generator) -> Pair:
        """A pair, by the draws of a generator.

        Raises:
            BadData: a picture cannot be read.
        """
        track = self._draw(rng)
        first, second = self._two_pictures(track, rng)
        is_absent = rng.random() < self.data.absent and not self.is_alone
        is_covered = is_absent and rng.random() < self.data.covered
        other = self._other(track, rng)
        if is_absent and not is_covered:
            first, is_still = self._picture(other, rng), other.is_still
        else:
            is_still = track.is_still
        shown = first.read()
        seen = shown if second == first else second.read()  # of a still both are cut from one
        template, target, _ = self._cut(shown, self.template, self.data.template_jitter, 0.0, is_still, rng)
        search, box, prior = self._cut(seen, self.search, self.data.center_jitter, self.data.scale_jitter, track.is_still, rng)
        search = self._company(search, box, other, is_covered, rng)
        boxes = np.stack([target, box, prior])
        if self.chances is not None:
            template, search, boxes = self._changed(template, search, boxes, rng)
        target, box, prior = boxes.astype(np.float32)
        return Pair(template=template, search=search, target=target, box=box, prior=prior, present=np.float32(not is_absent))

    def _draw(self, rng: Generator) -> Track:
        group = self.groups[rng.choice(len(self.groups), p=self.weights)]
        return group[rng.integers(len(group))]

    def _two_pictures(self, track: Track, rng: Generator) -> tuple[Picture, Picture]:
        """Template and search picture: any two of a video in which the target is seen, in either order; the same one of a still."""
        places = _seen_in(track)
        first, second = (places[int(i)] for i in rng.integers(len(places), size=2))
        return track.pictures[first], track.pictures[second]

    def _picture(self, track: Track, rng: Generator) -> Picture:
        places = _seen_in(track)
        return track.pictures[places[int(rng.integers(len(places)))]]

    def _other(self, track: Track, rng: Generator) -> Track:
        """A track of which nothing stands in the pictures of `track`; that itself where there is none."""
        if self.is_alone:
            return track
        while True:
            other = self._draw(rng)
            if other.scene != track.scene:
                return other

    def _cut(
        self, picture: tuple[Image, Box], crop: Crop, center: float, scale: float, is_still: bool, rng: Generator
    ) -> tuple[Image, NDArray[np.float64], NDArray[np.float64]]:
        """A crop, and in it the object's box and the box that it was cut around."""
        image, box = picture
        if is_still and self.data.stretch:
            image, box = augment.moved(image, box, self.data.stretch, 0.0, rng)
        around = jittered(box, center, scale, rng.standard_normal(2), rng.random(2))  # type: ignore[arg-type]  # arrays of two
        region = region_around(around, crop, (image.shape[1], image.shape[0]), fill_of(image, crop))
        return region.take(image), region.to_crop(box), region.to_crop(around)

    def _company(self, search: Image, box: NDArray[np.float64], other: Track, is_covered: bool, rng: Generator) -> Image:
        """Something in front of the target, or another object beside it."""
        chances = self.chances
        occluder = is_covered or (chances is not None and rng.random() < chances.occluder)
        stranger = chances is not None and rng.random() < chances.stranger
        if self.is_alone or not (occluder or stranger):
            return search
        image, theirs = self._picture(other, rng).read()
        x, y = max(0, int(theirs.x)), max(0, int(theirs.y))
        patch = image[y : int(theirs.y + theirs.h) + 1, x : int(theirs.x + theirs.w) + 1]
        if occluder:
            around = region_around(theirs._replace(x=theirs.x + theirs.w), self.template, (image.shape[1], image.shape[0]))
            search = augment.cover(search, box, around.take(image) if rng.random() < 0.5 else patch, rng, wholly=is_covered)
        if stranger:
            side = math.sqrt(box[2] * box[3]) * len(search) * np.exp(rng.normal(0, 0.3))
            aspect = math.sqrt(theirs.w / theirs.h)
            at = rng.random(2) * len(search)
            if max(abs(at - box[:2] * len(search)) - box[2:] * len(search) / 2) > side * max(aspect, 1 / aspect) / 2:  # beside, not on it
                search = augment.paste(search, (at[0], at[1], side * aspect, side / aspect), patch)
        return search

    def _changed(
        self, template: Image, search: Image, boxes: NDArray[np.float64], rng: Generator
    ) -> tuple[Image, Image, NDArray[np.float64]]:
        """Both crops, with boxes (N, 4) in them, mirrored and without colour together, then disturbed apart."""
        assert self.chances is not None
        if rng.random() < self.chances.flip:
            template, search = augment.mirrored(template), augment.mirrored(search)
            boxes = np.concatenate([1 - boxes[:, :1], boxes[:, 1:]], axis=1)
        if rng.random() < self.chances.grey:
            template, search = augment.grey(template), augment.grey(search)
        return augment.disturb(template, self.chances, rng), augment.disturb(search, self.chances, rng), boxes
