"""What a frame costs outside the network: crop, conversion, box, Python.

    python benchmarks/overhead.py [--tracker NAME ...] [--shares SHARE ...] [--output FILE.json]

The network runs in every frame, for what it leaves in the caches is a part of what the rest costs; its time is taken off, and its answer is
replaced by one that puts the box back where it was, so every frame asks for the same crop. Beside it stands what the rest costs alone, where the
network is left out and everything stays in the caches: the difference is waiting for memory. Frames are noise, in memory, as a `Frame` (what
`sightline.read` gives) and as a BGR array (what OpenCV gives). The target is a square, as high as some share of the frame, and stands in the
middle or in a corner, where half of what is looked at lies outside. Settings take turns; the median of rounds of each is told. One thread.
"""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections.abc import Mapping, Sequence
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


@dataclass
class Answered:
    """A session that says that every target is where it was, whether the network runs or not."""

    network: Clocked
    answer: dict[str, Array]  # of as many targets as there are
    runs: bool = True

    @property
    def spec(self) -> Spec:
        return self.network.spec

    @property
    def roles(self) -> frozenset[Role]:
        return self.network.roles

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        if role == "init":
            return self.network.run(role, arrays)
        if self.runs:
            self.network.run(role, arrays)
        return {name: array[: len(arrays["search"])] for name, array in self.answer.items()}


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
        answered = Answered(Clocked(session), answer)
        many: MultiTracker[int, Any] = MultiTracker(NetworkMethod(answered))
        picture = Frame(image) if self.given == "Frame" else image
        for key in range(self.targets):
            many.add(key, picture, box)
        return Turns(many, answered, picture)


@dataclass(frozen=True)
class Turns:
    """What came of a setting: in each round the median seconds of a frame, outside the network, in it, and where it is left out."""

    many: MultiTracker[int, Any]
    session: Answered
    picture: Frame | Image
    outside: list[float] = field(default_factory=list)
    network: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)

    def turn(self, seconds: float) -> None:
        """One more: frames with the network, then as many without."""
        frames = self._frames(seconds, runs=True)
        self.network.append(statistics.median(network for network, _ in frames))
        self.outside.append(statistics.median(outside for _, outside in frames))
        self.alone.append(statistics.median(outside for _, outside in self._frames(seconds, runs=False, most=len(frames))))

    def _frames(self, seconds: float, *, runs: bool, most: int | None = None) -> list[tuple[float, float]]:
        """Seconds in the network and outside it, of three frames at least."""
        self.session.runs = runs
        frames = list[tuple[float, float]]()
        ends = time.perf_counter() + seconds
        while len(frames) < WARM + 3 or (time.perf_counter() < ends and (most is None or len(frames) < WARM + most)):
            self.session.network.calls.clear()
            began = time.perf_counter()
            self.many.update(self.picture)
            whole, network = time.perf_counter() - began, sum(self.session.network.seconds("step"))
            frames.append((network, whole - network))
        return frames[WARM:]


def ranges(rows: Sequence[Mapping[str, Any]], frame: str) -> str:
    """The least and the most of all settings with one target in a frame of that size, as markdown."""
    lines = [f"| one target in {frame} | alone, ms | after the network, ms |", "|---|---:|---:|"]
    single = [row for row in rows if row["frame"] == frame and row["targets"] == 1]
    for tracker in dict.fromkeys(row["tracker"] for row in single):
        found = [row for row in single if row["tracker"] == tracker]
        cells = [f"{min(row[name] for row in found):.2f} to {max(row[name] for row in found):.2f}" for name in ("alone", "outside")]
        lines.append(f"| {tracker} | {' | '.join(cells)} |")
    return "\n".join(lines)


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
        "| tracker | frame | given as | target | share of the height | targets | outside the network, ms | per target | alone, ms per target |"
        " network, ms per target |"
    )
    print("|---|---|---|---|---:|---:|---:|---:|---:|---:|")
    rows = []
    for setting, turns in found.items():
        outside, alone, network = (statistics.median(found) * 1e3 for found in (turns.outside, turns.alone, turns.network))
        rows.append(asdict(setting) | {"outside": outside, "alone": alone, "network": network / setting.targets})
        print(
            f"| {setting.tracker} | {setting.frame} | {setting.given} | {setting.place} | {setting.share:g} |"
            f" {setting.targets} | {outside:.3f} | {outside / setting.targets:.3f} | {alone / setting.targets:.3f} | {network / setting.targets:.2f} |"
        )
    for frame in frames:
        print(f"\n{ranges(rows, frame)}")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
