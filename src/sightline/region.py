"""Which part of a frame a network looks at: pixels out, boxes back. Where that lies is for `sightline.placement` to say.

A region holds two rectangles. `x, y, width, height` is what is cut, in whole pixels. `frame` is the rectangle, in exact
floats, between which and the crop boxes are mapped. Authors round the first and not the second; one rectangle for both
would cost up to half a pixel (Ye et al., ECCV 2022, released code; golden/components/map_back_and_clip).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.bend import Bend, lerp
from sightline.box import Box
from sightline.spec import COPIED, Padded, Pixels

__all__ = ["BentRegion", "Fill", "Region", "Size", "part_of"]

Fill = tuple[float, float, float]  # RGB 0..255
Size = tuple[int, int]  # width, height of a frame in pixels
SPARSE = 5  # times as many rows as in a crop, from which on those that it is not made of are better not copied
BLOCK = 64  # rows that are copied together: small enough for a processor's cache
# Made and given back at once: from then on glibc keeps memory of that size instead of giving it back to the system, which would make every large
# copy anew, page by page, and take several times as long as the copy.
np.empty(3 * COPIED, np.uint8)


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of a frame, and the square crop that is made of it.

    Attributes:
        x, y: left and top pixel that is cut; may lie outside the frame.
        width, height: of the cut in pixels.
        size: pixels along each side of the crop.
        frame: the rectangle that boxes are mapped by, in frame pixels.
        limit: width and height of the part of the frame that is read; what lies beyond is filled.
        fill: colour of what lies outside.
        pixels: kind of the crop's numbers.
        padded: whether what lies outside is put around the picture before or after it is resized, and how (`Crop.padded`).
        stride: of how many pixels along each side one is read.
        copied: pixels of the largest cut that is copied where it lies partly outside (`Crop.copied`).
    """

    x: int
    y: int
    width: int
    height: int
    size: int
    frame: Box
    limit: Size
    fill: Fill = (0.0, 0.0, 0.0)
    pixels: Pixels = "uint8"
    padded: Padded = "before"
    stride: int = 1
    copied: int = COPIED

    def take(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """The crop: (size, size, C) of `pixels` in 0..255, a new array, by bilinear interpolation (OpenCV's, unless `padded` is "aligned").

        Args:
            image: (H, W, C) uint8, of which only the needed part is touched. Where its channels are seen in reverse (`Frame.of`), the crop is
                turned and not the frame.
        """
        if image.strides[2] < 0:
            turned = replace(self, fill=self.fill[::-1]).take(image[..., ::-1])
            return cv2.cvtColor(turned, cv2.COLOR_BGR2RGB)
        if self.padded == "aligned":
            return self._aligned(image)
        if self.padded == "grid":
            return self._on_grid(image)
        if self.padded == "corners":
            return self._cornered(image)
        if self.padded == "edge":
            rows, columns = self._strided(self.y, self.height, image.shape[0]), self._strided(self.x, self.width, image.shape[1])
            picture = image[rows.reshape(-1, 1), columns].astype(self.pixels)
            return cv2.resize(picture, (self.size, self.size), interpolation=cv2.INTER_LINEAR)
        if self.padded == "after":
            return self._surrounded(image)
        is_too_large = self.width * self.height > self.copied
        if self.pixels == "uint8" and (is_too_large or self.height >= SPARSE * self.size) and any(self._overhang()):
            return self._sampled(image) if is_too_large else self._sparse(image)
        return cv2.resize(self.cut(image), (self.size, self.size), interpolation=cv2.INTER_LINEAR)

    def _sparse(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """The crop of a cut that is much larger and lies partly outside: the same to the last bit as the resized `cut`, which is not made.

        A row of the crop is made of two rows of the cut, and no others are copied. What lies outside is filled where it blends with what does
        not; the rest of it is filled in the crop.
        """
        left, top, right, bottom = self._overhang()
        (up, down), (near, far) = self._showing(top, bottom, self.height), self._showing(left, right, self.width)
        places = (np.arange(up, down) + 0.5) * self.height / self.size - 0.5
        rows = np.add.outer(np.floor(places).astype(int), (0, 1)).ravel()
        rows = rows[(rows >= top) & (rows < self.height - bottom)]
        picture, fill, end = np.empty((self.height, self.width, 3), np.uint8), np.rint(self.fill), self.width - right
        picture[max(0, top - 1) : top] = picture[self.height - bottom : self.height - bottom + 1] = fill
        picture[rows, max(0, left - 1) : left] = picture[rows, end : end + 1] = fill
        for some in np.split(rows, range(BLOCK, len(rows), BLOCK)):
            picture[some, left:end] = image[some + self.y, self.x + left : self.x + end]
        crop = cv2.resize(picture, (self.size, self.size), interpolation=cv2.INTER_LINEAR)[up:down, near:far]
        return cv2.copyMakeBorder(crop, up, self.size - down, near, self.size - far, cv2.BORDER_CONSTANT, value=self.fill)

    def _showing(self, before: int, after: int, length: int) -> tuple[int, int]:
        """One axis: the first and behind the last pixel of the crop that is made of anything in the frame.

        Args:
            before: pixels of the cut that lie outside at its beginning.
            after: likewise at its end.
            length: of the cut.
        """
        first, last = (math.ceil(place * self.size / length - 0.5) for place in (before - 0.5, length - after + 0.5))
        return max(0, first), max(0, first, min(last, self.size))

    def _sampled(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """The crop without a copy of what is cut: the same within 1 (OpenCV 5), or from the same places to a thirty-second of a pixel (before it)."""
        across, down = self.width / self.size, self.height / self.size
        matrix = np.array([[across, 0, self.x + 0.5 * across - 0.5], [0, down, self.y + 0.5 * down - 0.5]])
        picture, flags = image[: self.limit[1], : self.limit[0]], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(picture, matrix, (self.size, self.size), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=self.fill)

    def _cornered(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """The crop whose outermost pixels have their middles on the edges of `frame`, at any fraction of a pixel."""
        across, down = (self.size - 1) / self.frame.w, (self.size - 1) / self.frame.h
        x, y, picture = self._near(image)
        matrix = np.array([[across, 0, -across * (self.frame.x - x)], [0, down, -down * (self.frame.y - y)]])
        size = (self.size, self.size)
        return cv2.warpAffine(picture.astype(self.pixels), matrix, size, borderMode=cv2.BORDER_CONSTANT, borderValue=self.fill)

    def _near(self, image: NDArray[np.uint8]) -> tuple[int, int, NDArray[np.uint8]]:
        """The part of an image that `frame` covers and what interpolation reads beside it, and its left and top pixel; never empty."""
        height, width = image.shape[:2]
        left, top = (min(max(0, math.floor(start) - 1), limit - 1) for start, limit in ((self.frame.x, width), (self.frame.y, height)))
        right, bottom = math.ceil(self.frame.x + self.frame.w) + 2, math.ceil(self.frame.y + self.frame.h) + 2
        return left, top, image[top : max(bottom, top + 1), left : max(right, left + 1)]

    def cut(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """What the crop is made of, not yet resized: (height, width, C) of `pixels`, filled outside; not to be written to."""
        left, top, right, bottom = overhang = self._overhang()
        picture: NDArray[Any] = self._inside(image, overhang).astype(self.pixels, copy=False)
        if any(overhang):
            picture = cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=self.fill)
        return picture

    def _inside(self, image: NDArray[np.uint8], overhang: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        left, top, right, bottom = overhang
        return image[self.y + top : self.y + self.height - bottom, self.x + left : self.x + self.width - right]

    def _surrounded(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """The crop where only what lies inside the frame is resized, and the rest of it is filled; start and length are rounded apart."""
        left, top, _, _ = overhang = self._overhang()
        inside, across, down = self._inside(image, overhang), self.size / self.width, self.size / self.height
        x, y = round(left * across), round(top * down)
        # as published, but for ends beyond the crop: there is an error there
        end_x, end_y = min(x + round(inside.shape[1] * across), self.size), min(y + round(inside.shape[0] * down), self.size)
        crop = np.full((self.size, self.size, inside.shape[2]), self.fill, self.pixels)
        if end_x > x and end_y > y:
            crop[y:end_y, x:end_x] = cv2.resize(inside, (end_x - x, end_y - y), interpolation=cv2.INTER_LINEAR)
        return crop

    def _aligned(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """The crop where the part of the frame that it shows is resized so that its outermost pixels stay the outermost ones."""
        crop = np.full((self.size, self.size, image.shape[2]), self.fill, self.pixels)
        columns, across = self._span(self.frame.x, self.frame.w, self.limit[0])
        rows, down = self._span(self.frame.y, self.frame.h, self.limit[1])
        if across and down:
            crop[down.start : down.stop, across.start : across.stop] = _stretched(
                image[rows.start : rows.stop, columns.start : columns.stop], len(across), len(down)
            )
        return crop

    def _span(self, start: float, length: float, limit: int) -> tuple[range, range]:
        """One axis of `_aligned`: which pixels of the frame are shown, and in which of the crop; both empty where there are none."""
        scale, centre, middle = self.size / length, start + 0.5 * length, 0.5 * self.size
        first, last = (min(max((edge - centre) * scale + middle, 0.5), self.size - 0.5) for edge in (0, limit))
        if first >= last:
            return range(0), range(0)
        # as published: both ends are cut off to whole pixels, in the crop and in the frame
        shown = range(max(0, _whole((first - middle) / scale + centre)), min(_whole((last - middle) / scale + centre), limit - 1) + 1)
        return shown, range(_whole(first), _whole(last) + 1) if shown else shown

    def _on_grid(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """The crop where what is cut lies in the frame, and becomes whole pixels of the crop."""
        crop = np.full((self.size, self.size, image.shape[2]), self.fill, self.pixels)
        if self.width and self.height:
            rows, columns = self._shown()
            picture = image[self.y : self.y + self.height, self.x : self.x + self.width].astype(self.pixels)
            length = (columns.stop - columns.start, rows.stop - rows.start)
            crop[rows, columns] = cv2.resize(picture, length, interpolation=cv2.INTER_LINEAR).reshape(*reversed(length), -1)
        return crop

    def _shown(self) -> tuple[slice, slice]:
        """Which rows and columns of the crop what is cut becomes."""
        spans = ((self.y, self.height, self.frame.y, self.frame.h), (self.x, self.width, self.frame.x, self.frame.w))
        down, across = (
            slice(round((first - start) * self.size / length), round((first + num - start) * self.size / length))
            for first, num, start, length in spans
        )
        return down, across

    def _strided(self, start: int, length: int, limit: int) -> NDArray[np.int64]:
        """One axis of a crop whose outermost pixels go on outside the frame: which pixels are read."""
        first = start % self.stride
        last = limit - 1 - (limit - 1 - first) % self.stride
        return np.clip(np.arange(start, start + length, self.stride), first, last)

    def padding(self) -> NDArray[np.bool_]:
        """(size, size), true where the crop shows anything from outside the frame."""
        if self.padded == "grid":
            alone = np.ones((self.size, self.size), bool)
            if self.width and self.height:
                alone[self._shown()] = False
            return alone
        if not any(self._overhang()):
            return np.zeros((self.size, self.size), bool)
        mask = self.outside()
        resized: NDArray[np.float64] = cv2.resize(mask, (self.size, self.size), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]  # float64 in, float64 out
        padded: NDArray[np.bool_] = resized != 0
        return padded

    def outside(self) -> NDArray[np.float64]:
        """(height, width), 1 where what is cut lies outside the frame, else 0."""
        left, top, right, bottom = self._overhang()
        mask = np.ones((self.height, self.width))
        mask[top : self.height - bottom, left : self.width - right] = 0.0
        return mask

    def to_crop(self, box: Box) -> NDArray[np.float64]:
        """A box of the frame as cx, cy, w, h (4,) in fractions of the crop."""
        cx, cy = box.centre
        return np.array(
            [(cx - self.frame.x) / self.frame.w, (cy - self.frame.y) / self.frame.h, box.w / self.frame.w, box.h / self.frame.h]
        )

    def to_frame(self, unit_cxcywh: NDArray[np.floating]) -> Box:
        """The box of the frame for cx, cy, w, h (4,) in fractions of the crop; the inverse of `to_crop`."""
        cx, cy, w, h = unit_cxcywh.tolist()
        w, h = w * self.frame.w, h * self.frame.h
        return Box(self.frame.x + cx * self.frame.w - 0.5 * w, self.frame.y + cy * self.frame.h - 0.5 * h, w, h)

    def _overhang(self) -> tuple[int, int, int, int]:
        """Pixels of the cut that lie outside the readable part: left, top, right, bottom; together never more than the cut."""
        width, height = self.limit
        left, top = min(max(0, -self.x), self.width), min(max(0, -self.y), self.height)
        right = min(max(0, self.x + self.width - width), self.width - left)
        bottom = min(max(0, self.y + self.height - height), self.height - top)
        return left, top, right, bottom


def _whole(place: float) -> int:
    """A place without its fraction; what floats leave of a whole number counts as that number."""
    return int(round(place, 9))


def _stretched(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.float32]:
    """A picture (h, w, C) in another size (height, width, C), the middles of its outermost pixels staying where they are; bilinear."""
    return lerp(lerp(picture, np.linspace(0, 1, height), 0), np.linspace(0, 1, width), 1)


@dataclass(frozen=True, slots=True)
class BentRegion:
    """A rectangle of a frame that is sampled unevenly (`Crop.zoom`); beside that it is used as a `Region`.

    Attributes:
        even: the rectangle, as it would be without that.
        bend: where the crop's rows and columns come from.
    """

    even: Region
    bend: Bend

    @property
    def x(self) -> int:
        """Left pixel that is cut."""
        return self.even.x

    @property
    def y(self) -> int:
        """Top pixel that is cut."""
        return self.even.y

    @property
    def width(self) -> int:
        """Of the cut in pixels."""
        return self.even.width

    @property
    def height(self) -> int:
        """Of the cut in pixels."""
        return self.even.height

    @property
    def frame(self) -> Box:
        """The rectangle that is looked at, in frame pixels."""
        return self.even.frame

    @property
    def size(self) -> int:
        """Pixels along each side of the crop."""
        return self.bend.size

    def take(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """The crop: (size, size, C) of `Crop.pixels` in 0..255, a new array; floats are not rounded."""
        crop = self.bend.sample(self.even.cut(image))
        return crop if self.even.pixels == "float32" else np.rint(crop).astype(np.uint8)

    def padding(self) -> NDArray[np.bool_]:
        """(size, size), true where the crop shows anything from outside the frame."""
        padded: NDArray[np.bool_] = self.bend.sample(self.even.outside()[..., np.newaxis])[..., 0] != 0
        return padded

    def to_crop(self, box: Box) -> NDArray[np.float64]:
        """A box of the frame as cx, cy, w, h (4,) in fractions of the crop; sides that lie beyond it are moved to its edge."""
        return _bent(self.even.to_crop(box), self.bend.from_cut)

    def to_frame(self, unit_cxcywh: NDArray[np.floating]) -> Box:
        """The box of the frame for cx, cy, w, h (4,) in fractions of the crop: the inverse of `to_crop` for boxes inside it."""
        return self.even.to_frame(_bent(np.asarray(unit_cxcywh, np.float64), self.bend.to_cut))


def _bent(unit_cxcywh: NDArray[np.float64], move: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
    """A box whose corners were moved."""
    centre, half = unit_cxcywh[:2], unit_cxcywh[2:] / 2
    moved = move(np.concatenate([centre - half, centre + half]))
    return np.concatenate([(moved[:2] + moved[2:]) / 2, moved[2:] - moved[:2]])


def part_of(region: Region | BentRegion, unit_cxcywh: NDArray[np.floating]) -> Box:
    """A part of the crop, (4,) in 0..1 of it, in frame pixels, for pictures of the frame: by the whole pixels that were cut."""
    (cx, cy), (u, v, w, h) = region.frame.centre, (float(value) for value in unit_cxcywh)
    width, height = region.width, region.height
    return Box(cx + (u - w / 2 - 0.5) * width, cy + (v - h / 2 - 0.5) * height, w * width, h * height)
