"""FEAR-XS, run from its published graphs, as a teacher that labels clips.

Borsuk et al., ECCV 2022, arXiv:2112.07957; weights MIT (github.com/PinataFarms/FEARTracker). Two ONNX graphs, made from the
publishers' Core ML file: encoder `image` -> `features`, head `template_features`, `search_features` -> `bbox` (distances
left, top, right, bottom in search pixels), `cls` (logit). The processing is theirs with smoothing, as their demo runs it.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from sightline.box import Box
from sightline.frame import Frame
from sightline.models.layers.decode import MEAN, STD

__all__ = ["Fear"]

Floats = NDArray[np.floating]
SIZE, GRID = 256, 16
PENALTY, WINDOW, RATE = 0.062, 0.38, 0.765


class Fear:
    """Follows one target; `init`, then `update` for each further frame.

    Args:
        folder: holds `fear_xs_encoder.onnx` and `fear_xs_head.onnx`.
    """

    def __init__(self, folder: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._encoder, self._head = (onnxruntime.InferenceSession(folder / f"fear_xs_{part}.onnx", options) for part in ("encoder", "head"))
        hann = np.hanning(GRID)
        self._window = np.outer(hann, hann)

    def init(self, frame: Frame, box: Box) -> None:
        """Mark the target."""
        self._mean = cv2.mean(frame.image)[:3]
        self._box = _whole(box, frame)
        crop, _ = self._crop(frame, 0.2, 128)
        self._template = self._encoder.run(None, {"image": crop})[0]

    def update(self, frame: Frame) -> tuple[Box, float]:
        """Where the target is, in whole pixels, and how likely it is there (0..1)."""
        self._box = _whole(self._box, frame)
        crop, square = self._crop(frame, 2.0, SIZE)
        features = self._encoder.run(None, {"image": crop})[0]
        distances, logits = self._head.run(None, {"template_features": self._template, "search_features": features})
        unit, score = self._decide(distances[0], logits[0, 0], square)
        self._box = _whole(Box(unit.x * square.w + square.x, unit.y * square.h + square.y, unit.w * square.w, unit.h * square.h), frame)
        return self._box, score

    def _crop(self, frame: Frame, share: float, size: int) -> tuple[NDArray[np.float32], Box]:
        """The box with a share of its own sides around it, stretched to a square and normalised; and that rectangle."""
        x, y, w, h = (int(value) for value in self._box)
        wide, high = int(share * w), int(share * h)
        left, top, right, bottom = x - wide, y - high, x + w + wide, y + h + high
        inside = frame.image[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
        over = (max(0, -top), max(0, bottom - frame.height), max(0, -left), max(0, right - frame.width))
        whole = cv2.copyMakeBorder(inside, *over, cv2.BORDER_CONSTANT, value=self._mean)
        pixels = cv2.resize(whole, (size, size)).astype(np.float32) / 255
        normal = (pixels - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
        return np.ascontiguousarray(normal.transpose(2, 0, 1)[np.newaxis]), Box(left, top, right - left, bottom - top)

    def _decide(self, distances: Floats, logits: Floats, square: Box) -> tuple[Box, float]:
        """The best cell by score, change of shape and window; its box in fractions of the crop, the size smoothed."""
        likely = 1 / (1 + np.exp(-logits))
        at = (np.arange(GRID) - GRID // 2) * SIZE / GRID + SIZE / 2
        x1, y1, x2, y2 = at - distances[0], at[:, np.newaxis] - distances[1], at + distances[2], at[:, np.newaxis] + distances[3]
        w, h = x2 - x1, y2 - y1
        old_w, old_h = self._box.w * SIZE / square.w, self._box.h * SIZE / square.h
        change = _ratio(_extent(w, h) / _extent(old_w, old_h)) * _ratio((old_w / old_h) / (w / h))
        penalty = np.exp(-(change - 1) * PENALTY)
        best = np.unravel_index(np.argmax(penalty * likely * (1 - WINDOW) + self._window * WINDOW), likely.shape)
        rate = float((penalty * likely)[best]) * RATE
        # as published: the smoothed size is smoothed once more
        w, h = (old * (1 - rate) + rate * (rate * new + (1 - rate) * old) for new, old in ((w[best], old_w), (h[best], old_h)))
        cx, cy = (x1[best] + x2[best]) / 2, (y1[best] + y2[best]) / 2
        return Box(*(float(value) / SIZE for value in (cx - w / 2, cy - h / 2, w, h))), float(likely[best])


def _whole(box: Box, frame: Frame) -> Box:
    """A box in whole pixels, inside the frame, at least 3 pixels wide and high."""
    x, y, w, h = (round(value) for value in box)
    x1, y1 = min(max(x, 0), frame.width - 3), min(max(y, 0), frame.height - 3)
    return Box(x1, y1, min(max(x + w, x1 + 3), frame.width) - x1, min(max(y + h, y1 + 3), frame.height) - y1)


def _ratio(value: Floats) -> Floats:
    return np.maximum(value, 1 / value)


def _extent(w: Floats | float, h: Floats | float) -> Floats:
    """Side of SiamFC's square around a box."""
    context = (w + h) / 2
    return np.sqrt((w + context) * (h + context))
