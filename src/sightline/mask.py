"""Which pixels show the target, for trackers that say so."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.box import Box

__all__ = ["Mask"]

SMALLEST = 100.0  # square pixels that a part must have to count


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """How likely each pixel of a part of the frame shows the target; elsewhere none does.

    Attributes:
        values: (h, w) float32 in 0..1; not to be written to.
        box: the part of the frame that they are stretched over, in frame pixels; may lie partly outside.
        above: the value over which a pixel counts as the target's.
    """

    values: NDArray[np.float32]
    box: Box
    above: float = 0.5

    def paste(self, size: tuple[int, int]) -> NDArray[np.float32]:
        """The values in a frame of `size` (width, height), resampled bilinearly, zero outside of `box`: (height, width) float32."""
        rows, columns = self.values.shape
        across, down = self.box.w / columns, self.box.h / rows
        width, height = size
        moved = np.array([[across, 0.0, self.box.x], [0.0, down, self.box.y]])
        # as published: the last pixel of the frame stands for its far edge
        moved *= np.array([[(width - 1) / width], [(height - 1) / height]])
        pasted: NDArray[np.float32] = cv2.warpAffine(self.values, moved, size, flags=cv2.INTER_LINEAR)  # type: ignore[assignment]  # float32 in, float32 out
        return pasted

    def shows(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """The pixels of a frame of `size` (width, height) that show the target: (height, width)."""
        shown: NDArray[np.bool_] = self.paste(size) > self.above
        return shown

    def corners(self, size: tuple[int, int]) -> NDArray[np.float64] | None:
        """The smallest rectangle, at any angle, around the largest part that shows the target.

        Args:
            size: width and height of the frame.

        Returns:
            (4, 2) x, y of its corners in frame pixels, one after the other around it; None where no part is larger than 100 square pixels.

        Source: Wang et al., CVPR 2019, section 4.1.
        """
        outlines, _ = cv2.findContours(self.shows(size).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        largest = max(outlines, key=cv2.contourArea, default=None)
        if largest is None or cv2.contourArea(largest) <= SMALLEST:
            return None
        return np.asarray(cv2.boxPoints(cv2.minAreaRect(largest)), np.float64)
