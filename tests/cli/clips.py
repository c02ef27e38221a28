"""Small clips: a bright square that moves two pixels to the right in every frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

SIZE = (200, 120)
BOX = "20,40,24,24"
FPS = 25


def picture(i: int) -> np.ndarray:
    """Frame i, (120, 200, 3) uint8 RGB: grey with a white 24x24 square at 20 + 2i, 40."""
    image = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
    image[40:64, 20 + 2 * i : 44 + 2 * i] = 250
    return image


def make_video(path: Path, num_frames: int = 12, *, noise: bool = False) -> Path:
    """An H.264 file with a key frame every four frames; with noise it compresses badly. The index of an .mp4 stands first."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options={"movflags": "faststart"} if path.suffix == ".mp4" else {}) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"g": "4", "crf": "18"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for i in range(num_frames):
            image = picture(i)
            if noise:
                image[64:] = rng.integers(0, 120, (SIZE[1] - 64, SIZE[0], 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def make_folder(path: Path, num_frames: int = 12) -> Path:
    """The same as PNG files 0.png, 1.png, ..., 10.png."""
    path.mkdir()
    for i in range(num_frames):
        cv2.imwrite(str(path / f"{i}.png"), picture(i)[..., ::-1])
    return path
