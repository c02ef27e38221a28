"""What a frame costs outside the network: crop, conversion, box, Python; with a session that gives a stored answer at once.

    python benchmarks/overhead.py [--output FILE.json]

The answer puts the box back where it was, so every frame asks for the same crop. Frames are noise, in memory, as a `Frame` (what
`sightline.read` gives) and as a BGR array (what OpenCV gives); the target has a tenth of the frame's height and stands in the middle or
in a corner, where half of what is looked at lies outside. Settings take turns; the median of rounds of each is told, and what the
network itself takes for the same targets, which is never part of it. One thread.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tyro

from sightline.box import Box
from sightline.engines import Array, Role, Session, open_session
from sightline.frame import Frame, Image
from sightline.methods.network import NetworkMethod
from sightline.placement import region_around
from sightline.spec import Spec
from sightline.tracker import MultiTracker
from sightline.weights import find

SIZES = ((640, 480), (1920, 1080), (3840, 2160))


@dataclass(frozen=True)
class Answered:
    """A session whose `step` says at once that every target is where it was."""

    session: Session
    answer: dict[str, Array]  # of one target

    @property
    def spec(self) -> Spec:
        return self.session.spec

    @property
    def roles(self) -> frozenset[Role]:
        return self.session.roles

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        if role == "init":
            return self.session.run(role, arrays)
        return {name: np.repeat(array, len(arrays["search"]), axis=0) for name, array in self.answer.items()}


@dataclass(frozen=True)
class Row:
    """Milliseconds of one frame outside the network, for all its targets, and what the network takes for one of them."""

    frame: str
    given: str
    place: str
    targets: int
    outside: float
    network: float


def setting(session: Session, image: Image, *, given: str, place: str, targets: int) -> Callable[[], object]:
    """One frame further with `targets` targets that stay where they are."""
    height, width = image.shape[:2]
    side = 0.1 * height
    box = Box((width - side) / 2, (height - side) / 2, side, side) if place == "middle" else Box(0.0, 0.0, side, side)
    region = region_around(box, session.spec.search, (width, height))
    answer = {"box": region.to_crop(box).astype(np.float32)[np.newaxis], "score": np.ones(1, np.float32)}
    many: MultiTracker[int, Any] = MultiTracker(NetworkMethod(Answered(session, answer)))
    picture = Frame(image) if given == "Frame" else image
    for key in range(targets):
        many.add(key, picture, box)
    return lambda: many.update(picture)


def network_ms(session: Session) -> float:
    """The network alone, for one target."""
    spec, rng = session.spec, np.random.default_rng(0)
    template = rng.integers(0, 256, (1, spec.template.size, spec.template.size, 3), np.uint8)
    search = rng.integers(0, 256, (1, spec.search.size, spec.search.size, 3), np.uint8)
    arrays = (session.run("init", {"template": template}) if "init" in session.roles else {"template": template}) | {"search": search}
    return median_ms(lambda: session.run("step", arrays), seconds=0.3)


def median_ms(call: Callable[[], object], *, seconds: float) -> float:
    """The median of calls over some time, after a few that do not count."""
    for _ in range(5):
        call()
    taken, ends = list[float](), time.perf_counter() + seconds
    while time.perf_counter() < ends:
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e3


def main(
    tracker: str = "kestrel-nano", *, rounds: int = 5, seconds: float = 0.1, output: Path = Path("benchmarks/results/overhead.json")
) -> None:
    """Measure and print a table.

    Args:
        tracker: a name, or an exported file of one template.
        rounds: of turns.
        seconds: of a turn.
        output: all figures.
    """
    cv2.setNumThreads(1)
    session = open_session(find(tracker), threads=1)
    rng = np.random.default_rng(0)
    settings = {
        (f"{width}x{height}", given, place, targets): setting(session, image, given=given, place=place, targets=targets)
        for width, height in SIZES
        for image in [rng.integers(0, 256, (height, width, 3), np.uint8)]
        for given in ("Frame", "BGR array")
        for place in ("middle", "corner")
        for targets in (1, 16)
    }
    taken: dict[tuple[str, str, str, int], list[float]] = {key: [] for key in settings}
    for _ in range(rounds):
        for key, call in settings.items():
            taken[key].append(median_ms(call, seconds=seconds))
    network = network_ms(session)
    rows = [Row(*key, statistics.median(values), network) for key, values in taken.items()]
    print("| frame | given as | target | targets | outside the network, ms | per target | network alone, ms per target |")
    print("|---|---|---|---:|---:|---:|---:|")
    for row in rows:
        print(
            f"| {row.frame} | {row.given} | {row.place} | {row.targets} | {row.outside:.3f} | {row.outside / row.targets:.3f} | {network:.2f} |"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
