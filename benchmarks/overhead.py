"""What a frame costs outside the network: crop, conversion, box, Python.

    python benchmarks/overhead.py [--tracker NAME ...] [--shares SHARE ...] [--output FILE.json]

The network runs in every frame, for what it leaves in the caches is a part of what the rest costs; its time is taken off, and its answer is
replaced by one that puts the box back where it was, so every frame asks for the same crop. Frames are noise, in memory, as a `Frame` (what
`sightline.read` gives) and as a BGR array (what OpenCV gives). The target is a square, as high as some share of the frame, and stands in the
middle or in a corner, where half of what is looked at lies outside. Settings take turns; the median of rounds of each is told. One thread.
"""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tyro

from sightline.box import Box
from sightline.engines import Array, Role, Session, open_session
from sightline.engines.clocked import Clocked
from sightline.frame import Frame, Image
from sightline.methods.network import NetworkMethod
from sightline.placement import region_around
from sightline.spec import Spec
from sightline.tracker import MultiTracker
from sightline.weights import find

WARM = 2


@dataclass(frozen=True)
class Answered:
    """A session that runs the network, and says all the same that every target is where it was."""

    network: Clocked
    answer: dict[str, Array]  # of as many targets as there are

    @property
    def spec(self) -> Spec:
        return self.network.spec

    @property
    def roles(self) -> frozenset[Role]:
        return self.network.roles

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        said = self.network.run(role, arrays)
        return said if role == "init" else {name: array[: len(arrays["search"])] for name, array in self.answer.items()}


@dataclass(frozen=True)
class Setting:
    """Targets that stay where they are, in one frame that is seen again and again."""

    tracker: str
    frame: str
    given: str
    place: str
    share: float
    targets: int

    def opened(self, session: Session, image: Image) -> Turns:
        """Them, marked."""
        height, width = image.shape[:2]
        side = self.share * height
        box = Box((width - side) / 2, (height - side) / 2, side, side) if self.place == "middle" else Box(0.0, 0.0, side, side)
        region = region_around(box, session.spec.search, (width, height))
        answer = {"box": np.tile(region.to_crop(box).astype(np.float32), (self.targets, 1)), "score": np.ones(self.targets, np.float32)}
        clock = Clocked(session)
        many: MultiTracker[int, Any] = MultiTracker(NetworkMethod(Answered(clock, answer)))
        picture = Frame(image) if self.given == "Frame" else image
        for key in range(self.targets):
            many.add(key, picture, box)
        return Turns(many, clock, picture)


@dataclass(frozen=True)
class Turns:
    """What came of a setting: in each round the median seconds of a frame, outside the network and in it."""

    many: MultiTracker[int, Any]
    clock: Clocked
    picture: Frame | Image
    outside: list[float] = field(default_factory=list)
    network: list[float] = field(default_factory=list)

    def turn(self, seconds: float) -> None:
        """One more, of at least three frames."""
        outside, network = list[float](), list[float]()
        ends = time.perf_counter() + seconds
        while len(outside) < WARM + 3 or time.perf_counter() < ends:
            self.clock.calls.clear()
            began = time.perf_counter()
            self.many.update(self.picture)
            whole = time.perf_counter() - began
            network.append(sum(self.clock.seconds("step")))
            outside.append(whole - network[-1])
        self.outside.append(statistics.median(outside[WARM:]))
        self.network.append(statistics.median(network[WARM:]))


def main(
    *,
    tracker: tuple[str, ...] = ("kestrel-nano", "merlin"),
    frames: tuple[str, ...] = ("640x480", "1920x1080", "3840x2160"),
    shares: tuple[float, ...] = (0.1, 0.2, 0.35),
    targets: tuple[int, ...] = (1, 16),
    rounds: int = 5,
    seconds: float = 0.1,
    output: Path = Path("benchmarks/results/overhead.json"),
) -> None:
    """Measure and print a table.

    Args:
        tracker: names, or exported files of one template.
        frames: their sizes, as WxH.
        shares: heights of targets, as shares of the frame's.
        targets: in a frame; several of them are of the first share alone.
        rounds: of turns.
        seconds: of a turn.
        output: all figures.
    """
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    sizes = {name: tuple(int(side) for side in name.split("x")) for name in frames}
    images = {name: rng.integers(0, 256, (height, width, 3), np.uint8) for name, (width, height) in sizes.items()}
    sessions = {name: open_session(find(name), threads=1) for name in tracker}
    found = {
        setting: setting.opened(sessions[setting.tracker], images[setting.frame])
        for setting in itertools.starmap(
            Setting, itertools.product(tracker, frames, ("Frame", "BGR array"), ("middle", "corner"), shares, targets)
        )
        if setting.targets == 1 or setting.share == shares[0]
    }
    for _ in range(rounds):
        for turns in found.values():
            turns.turn(seconds)
    print(
        "| tracker | frame | given as | target | share of the height | targets | outside the network, ms | per target | network, ms per target |"
    )
    print("|---|---|---|---|---:|---:|---:|---:|---:|")
    rows = []
    for setting, turns in found.items():
        outside, network = statistics.median(turns.outside) * 1e3, statistics.median(turns.network) * 1e3 / setting.targets
        rows.append(asdict(setting) | {"outside": outside, "network": network})
        print(
            f"| {setting.tracker} | {setting.frame} | {setting.given} | {setting.place} | {setting.share:g} |"
            f" {setting.targets} | {outside:.3f} | {outside / setting.targets:.3f} | {network:.2f} |"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
