"""A first frame seen in many ways, so that a filter can be learned from it: moved, mirrored, turned and blurred.

Danelljan et al., CVPR 2019 (arXiv:1811.07628), section 3.2; Bhat et al., ECCV 2018, arXiv:1804.06833. Which ways there are
is data, `Spec.learning.augment`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np

from sightline.engines import Array
from sightline.spec import Augment

__all__ = ["dropped", "views"]


def views(picture: Array, target: Array, augment: Augment) -> Iterator[tuple[Array, Array]]:
    """Crops of a picture, first its middle as it is.

    Args:
        picture: (2 S, 2 S, 3) float32, a crop of twice the side.
        target: (4,) cx, cy, w, h of the target in it, in 0..1 of the picture.
        augment: what is done to it.

    Yields:
        A crop (S, S, 3), and the target in 0..1 of it. Of a target that is turned the size stays.
    """
    side = picture.shape[0]
    draws = np.random.default_rng(augment.seed)
    yield _middle(picture, target, 0, 0)
    for down, across in augment.shifts:
        yield _middle(picture, target, int(down * side / 4), int(across * side / 4))
    for changed, place in _changed(picture, target, augment):
        down, across = ((draws.random(2) - 0.5) * augment.wander * side / 2).astype(int)
        yield _middle(changed, place, int(down), int(across))


def dropped(features: Array, augment: Augment) -> Array:
    """Copies of features (C, h, w), each without another random share of its channels, the others so much larger: (copies, C, h, w)."""
    draws = np.random.default_rng(augment.seed)
    copies = [
        features * ((draws.random((len(features), 1, 1)) >= share) / (1 - share)).astype(features.dtype) for share in augment.dropouts
    ]
    return np.stack(copies) if copies else np.zeros((0, *features.shape), features.dtype)


def _changed(picture: Array, target: Array, augment: Augment) -> Iterator[tuple[Array, Array]]:
    """The whole picture mirrored, blurred and turned, and the target in it."""
    side = picture.shape[0]
    cx, cy, w, h = target
    if augment.flip:
        yield picture[:, ::-1], np.array([1 - cx, cy, w, h])
    for down, across in augment.blurs:
        size = 2 * math.ceil(2 * across) + 1, 2 * math.ceil(2 * down) + 1
        yield cv2.GaussianBlur(picture, size, sigmaX=across, sigmaY=down, borderType=cv2.BORDER_REPLICATE), target
    for angle in augment.rotations:
        turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, 1.0)
        turned = cv2.warpAffine(picture, turn, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        yield turned, np.array([*(0.5 + turn[:, :2] @ (cx - 0.5, cy - 0.5)), w, h])


def _middle(picture: Array, target: Array, down: int, across: int) -> tuple[Array, Array]:
    """The middle of a picture that was moved by some pixels, and the target in 0..1 of it."""
    side = picture.shape[0] // 2
    top, left = side // 2 - down, side // 2 - across
    corner = np.array([left, top, 0, 0]) / (2 * side)
    return picture[top : top + side, left : left + side], 2 * (target - corner)
