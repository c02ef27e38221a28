"""Does a crop cost more in a larger frame? Every way in which crops are cut, at 640x480, 1080p and 4K.

    python benchmarks/crops.py [--output FILE.json]

The target has 100 x 80 pixels in each frame and stands in the middle, or in a corner, where half of what is looked at lies outside. Settings
take turns on one thread; the ratio to the smallest frame is the median of those within a round.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tyro

from sightline import zoo
from sightline.box import Box
from sightline.measure.turns import ratio, take_turns
from sightline.placement import crop_for, region_around
from sightline.spec import Crop

SIZES = ((640, 480), (1920, 1080), (3840, 2160))
TARGET = (100.0, 80.0)


def kinds() -> dict[str, Crop]:
    """One search crop of every kind in the zoo: how it is padded, of which numbers, bent or not."""
    found: dict[str, Crop] = {}
    for spec in zoo.SPECS.values():
        crop = spec.search
        found.setdefault(f"{crop.padded}, {crop.pixels}{', bent' if crop.zoom else ''}", crop)
    return found


def cut(crop: Crop, image: np.ndarray[Any, np.dtype[np.uint8]], place: str) -> Callable[[], object]:
    """One crop, from finding its region to its pixels."""
    height, width = image.shape[:2]
    w, h = TARGET
    box = Box((width - w) / 2, (height - h) / 2, w, h) if place == "middle" else Box(0.0, 0.0, w, h)
    fixed = crop_for(box, crop, (width, height))
    return lambda: region_around(box, fixed, (width, height), (120.0, 110.0, 100.0)).take(image)


def main(*, rounds: int = 5, seconds: float = 0.05, output: Path = Path("benchmarks/results/crops.json")) -> None:
    """Measure and print a table.

    Args:
        rounds: of turns.
        seconds: of a turn.
        output: all figures.
    """
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    images = {f"{width}x{height}": rng.integers(0, 256, (height, width, 3), np.uint8) for width, height in SIZES}
    names = [(kind, place) for kind in kinds() for place in ("middle", "corner")]
    calls = {f"{kind}|{place}|{size}": partial(cut(kinds()[kind], image, place)) for kind, place in names for size, image in images.items()}
    taken = take_turns(calls, rounds=rounds, seconds=seconds)
    rows = []
    print(f"| crop | target | {' | '.join(f'{size}, ms' for size in images)} | 4K / 640x480 |")
    print(f"|---|---|{'---:|' * (len(images) + 1)}")
    for kind, place in names:
        times = {size: taken[f"{kind}|{place}|{size}"] for size in images}
        smallest, *_, largest = times.values()
        growth = ratio(largest, smallest)
        told = {size: statistics.median(values) * 1e3 for size, values in times.items()}
        print(f"| {kind} | {place} | {' | '.join(f'{value:.3f}' for value in told.values())} | {growth:.2f} |")
        rows.append({"crop": kind, "place": place, "milliseconds": told, "growth": growth})
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
