"""What each setting of the H.264 encoder costs and gives, beside the one that `VideoWriter` uses.

    python benchmarks/encoding.py [--settings superfast:22 veryfast:20] [--noise 3] [--output FILE.json]

About half a minute. A rendered 1080p clip with noise on it is written by `VideoWriter` with each setting (preset and constant rate factor of
libx264), in turns. Told are the processor's time of all cores for a frame, the size of the file, both as ratios to the first setting, and the peak
signal-to-noise ratio of what is read again, over all pixels and channels. Times are medians over rounds; ratios are taken within rounds.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import tyro

import sightline
from sightline import draw
from sightline.frame import Image
from sightline.scene import Scene, render

FPS = 25.0
SHIPPED = draw.ENCODERS["h264"][1]


@dataclass(frozen=True)
class Row:
    """One setting."""

    setting: str
    cores_ms: float
    time_ratio: float
    megabytes: float
    size_ratio: float
    psnr: float


def film(size: tuple[int, int], num_frames: int, noise: float) -> list[Image]:
    """A rendered clip whose pixels have noise of this deviation, in steps of 255."""
    rng = np.random.default_rng(0)
    images = (shot.frame.image for shot in render(Scene(seed=3, num_frames=num_frames, size=size, occlusion=0.0)))
    return [np.clip(np.rint(image + rng.normal(0, noise, image.shape)), 0, 255).astype(np.uint8) for image in images]


def written(images: Sequence[Image], setting: str, path: Path) -> float:
    """Seconds of all cores."""
    preset, _, factor = setting.partition(":")
    changed: Mapping[str, tuple[str, Mapping[str, str]]] = {**draw.ENCODERS, "h264": ("libx264", {"preset": preset, "crf": factor})}
    with mock.patch.object(draw, "ENCODERS", changed):
        began = time.process_time()
        with draw.VideoWriter(path, FPS) as video:
            for image in images:
                video.write(image)
        return time.process_time() - began


def psnr(images: Sequence[Image], path: Path) -> float:
    """Decibel over the whole clip."""
    errors = [np.mean((image.astype(np.float32) - frame.image) ** 2) for image, frame in zip(images, sightline.read(path), strict=True)]
    return float(10 * np.log10(255**2 / np.mean(errors)))


def main(
    *,
    settings: tuple[str, ...] = (f"{SHIPPED['preset']}:{SHIPPED['crf']}", "veryfast:20"),
    size: tuple[int, int] = (1920, 1080),
    frames: int = 50,
    noise: float = 3.0,
    rounds: int = 3,
    output: Path = Path("benchmarks/results/encoding.json"),
) -> None:
    """Measure and print a table.

    Args:
        settings: PRESET:FACTOR; ratios are to the first.
        size: width and height.
        frames: of the clip.
        noise: deviation on every channel of every pixel, of 255.
        rounds: of turns.
        output: all figures.
    """
    cv2.setNumThreads(1)
    images = film(size, frames, noise)
    with tempfile.TemporaryDirectory() as folder:
        paths = {setting: Path(folder, f"{i}.mp4") for i, setting in enumerate(settings)}
        taken = [{setting: written(images, setting, path) for setting, path in paths.items()} for _ in range(rounds)]
        sizes = {setting: path.stat().st_size for setting, path in paths.items()}
        rows = [
            Row(
                setting,
                cores_ms=statistics.median(one[setting] for one in taken) / frames * 1e3,
                time_ratio=statistics.median(one[setting] / one[settings[0]] for one in taken),
                megabytes=sizes[setting] / 1e6,
                size_ratio=sizes[setting] / sizes[settings[0]],
                psnr=psnr(images, path),
            )
            for setting, path in paths.items()
        ]
    title = f"{size[0]}x{size[1]}, {frames} frames, noise {noise:g}"
    print(f"| {title} | ms of all cores per frame | to the first | MB | to the first | PSNR, dB |")
    print("|---|---:|---:|---:|---:|---:|")
    for row in rows:
        print(
            f"| {row.setting} | {row.cores_ms:.2f} | {row.time_ratio:.2f} | {row.megabytes:.2f} | {row.size_ratio:.2f} | {row.psnr:.2f} |"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({"film": title, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
