"""One picture of a video, and the door through which plain arrays become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadImage

__all__ = ["Channels", "Frame", "Image"]

Image: TypeAlias = NDArray[np.uint8]
Channels: TypeAlias = Literal["bgr", "rgb"]

EXPECTED = "expected uint8 (height, width, 3), a fourth channel for alpha, grey (height, width) in 8 or 16 bits, or six channels: visible, infrared"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a video. Nobody writes to its arrays.

    Attributes:
        image: (H, W, 3) uint8 RGB, contiguous; or, where `of` was given a BGR array, that array with its channels seen in reverse, so that no
            more is converted than somebody looks at (`np.ascontiguousarray` converts all of it).
        index: number of the frame in its source, from 0.
        time: seconds, as the source says; None where it says nothing.
        extra: (H, W, 3) uint8, a second picture aligned with the first (infrared, depth); None where there is none.
    """

    image: Image
    index: int = 0
    time: float | None = None
    extra: Image | None = None

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return int(self.image.shape[0])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.image.shape[:2]
        return width, height

    @classmethod
    def of(cls, image: Any, *, channels: Channels = "bgr", index: int = 0, time: float | None = None) -> Frame:
        """A frame from whatever holds a picture.

        Args:
            image: one of
                a `Frame`, given back as it is;
                (H, W, 3) or (H, W, 4) uint8 in the order of `channels`, alpha dropped;
                (H, W) or (H, W, 1) uint8, repeated three times;
                (H, W) or (H, W, 1) uint16, as thermal cameras give: the smallest value of the frame becomes 0, the largest 255,
                linear between them, then repeated;
                (H, W, 6) uint8: a visible picture and an aligned infrared one, which becomes `extra`;
                a PIL image of any mode, whatever `channels` says.
            channels: order of a plain array's colours: "bgr" as OpenCV reads them, or "rgb". Arrays of three channels are not copied.
            index: number of the frame in its source.
            time: seconds.

        Raises:
            BadImage: none of these.
        """
        if isinstance(image, Frame):
            return image
        if channels not in ("bgr", "rgb"):
            raise BadImage(f"channels is {channels!r}; expected 'bgr' (as OpenCV reads pictures) or 'rgb'.")
        if hasattr(image, "convert") and hasattr(image, "tobytes"):  # PIL, without importing it
            image, channels = _array_from_pil(image), "rgb"
        _check(image)
        if image.ndim == 3 and image.shape[2] == 6:
            return cls(_rgb(image[..., :3], channels), index, time, _rgb(image[..., 3:], channels))
        return cls(_rgb(image, channels), index, time)


def _array_from_pil(image: Any) -> NDArray[Any]:
    """Deep grey pictures (modes I, I;16) as uint16, all others as RGB."""
    if not image.mode.startswith("I"):
        return np.asarray(image.convert("RGB"))
    deep = np.asarray(image)
    if deep.size and deep.min() >= 0 and deep.max() < 65536:
        return deep.astype(np.uint16)
    return deep


def _check(image: Any) -> None:
    """Make sure that `_rgb` knows what to do."""
    if image is None:
        raise BadImage(f"None is no picture: OpenCV gives it at the end of a video, and for a file that it cannot read; {EXPECTED}.")
    if not isinstance(image, np.ndarray):
        raise BadImage(f"a {type(image).__name__} is not a picture; {EXPECTED}, a PIL image, or a Frame.")
    channels = {2: 1, 3: image.shape[-1] if image.ndim else 0}.get(image.ndim)
    known = (image.dtype == np.uint8 and channels in (1, 3, 4, 6)) or (image.dtype == np.uint16 and channels == 1)
    if not known or image.size == 0:
        raise BadImage(f"the picture is {image.dtype} {image.shape}; {EXPECTED}.")


def _rgb(image: NDArray[Any], channels: Channels) -> Image:
    """A checked array of one, three or four channels as RGB."""
    if image.ndim == 2 or image.shape[2] == 1:
        grey = image.reshape(image.shape[:2])
        return cv2.cvtColor(_eight_bits(grey), cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)
    if image.shape[2] == 3:
        whole = image if image.flags.c_contiguous or image[..., ::-1].flags.c_contiguous else np.ascontiguousarray(image)
        return whole if channels == "rgb" else whole[..., ::-1]
    code = cv2.COLOR_BGRA2RGB if channels == "bgr" else cv2.COLOR_RGBA2RGB
    return cv2.cvtColor(np.ascontiguousarray(image), code).astype(np.uint8, copy=False)


def _eight_bits(grey: NDArray[Any]) -> Image:
    """(H, W) uint8 as it is; uint16 stretched from its own minimum and maximum to 0..255, a flat picture to 0."""
    if grey.dtype == np.uint8:
        return np.ascontiguousarray(grey)
    low, high = int(grey.min()), int(grey.max())
    scaled: NDArray[np.float32] = (grey.astype(np.float32) - low) * np.float32(255 / max(high - low, 1))
    return np.rint(scaled).astype(np.uint8)
