"""What one frame of the built-in tracker costs, in counts that are the same on any machine: multiply-accumulates, nodes, calls, bytes.

    python benchmarks/costs.py            what it costs now, beside benchmarks/results/costs.json
    python benchmarks/costs.py --keep     and store that, after a change that is worth it

tests/benchmarks/test_costs.py fails where a count grows. No times: those belong to grid.py, and to `sightline bench`.
"""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import tyro

import sightline
from sightline.box import Box
from sightline.engines import Array, Role, Session, open_session
from sightline.frame import Frame
from sightline.methods.network import NetworkMethod
from sightline.tracker import MultiTracker, Tracker
from sightline.weights import find, init_path

TRACKER = "kestrel-nano"
STORED = Path(__file__).with_name("results") / "costs.json"
PACKAGE = str(Path(sightline.__file__).parent)
WIDTH, HEIGHT = 1920, 1080
TARGETS = 16
WARM = 3
EXACT = ("macs", "nodes", "calls")  # the rest are bytes, of which Python's own objects are a few
SLACK = 1.02


@dataclass
class Standing:
    """A session that says at once that every target stands still; it remembers what it was given last."""

    session: Session
    given: Mapping[str, Array]

    @property
    def spec(self) -> sightline.Spec:
        """Of the session inside."""
        return self.session.spec

    @property
    def roles(self) -> frozenset[Role]:
        """Of the session inside."""
        return self.session.roles

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        """`init` is run, `step` is not."""
        if role == "init":
            return self.session.run(role, arrays)
        self.given, batch = arrays, len(arrays["search"])
        return {"box": np.tile(np.array([0.5, 0.5, 0.25, 0.25], np.float32), (batch, 1)), "score": np.ones(batch, np.float32)}


def costs() -> dict[str, int]:
    """All counts by name."""
    path = find(TRACKER)
    return {**_work(), **_nodes("step", path), **_nodes("init", init_path(path)), **_outside()}


def _work() -> dict[str, int]:
    from sightline import zoo
    from sightline.models.count import size_of

    size = size_of(zoo.find(TRACKER))
    return {"macs of a frame": size.macs, "macs of a template": size.template_macs}


def _nodes(role: str, path: Path) -> dict[str, int]:
    """Nodes of a graph in the package, all and by kind, and the bytes of its file."""
    import onnx

    kinds = Counter(node.op_type for node in onnx.load(path).graph.node)
    told = {f"nodes of {role}": kinds.total()} | {f"nodes of {role}: {kind}": number for kind, number in sorted(kinds.items())}
    return told | {f"bytes of {role}.onnx": path.stat().st_size}


def _outside() -> dict[str, int]:
    """Python's work beside the network in one update, at 1080p, for one target and for many."""
    told: dict[str, int] = {}
    session = Standing(open_session(find(TRACKER), threads=1), {})
    frame = Frame(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
    box = Box(900.0, 500.0, 100.0, 80.0)
    one: Tracker[Any] = Tracker(NetworkMethod(session))
    many: MultiTracker[int, Any] = MultiTracker(NetworkMethod(session))
    one.init(frame, box)
    for key in range(TARGETS):
        many.add(key, frame, box)
    for name, update in (("one target", lambda: one.update(frame)), (f"{TARGETS} targets", lambda: many.update(frame))):
        for _ in range(WARM):
            update()
        told |= {f"calls, {name}": calls_of(update), f"bytes at once, {name}": peak_of(update)}
    return told


def calls_of(work: Callable[[], object]) -> int:
    """Calls of functions of the package; comprehensions are calls in some versions of Python and are not counted."""
    calls = 0

    def note(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        code = frame.f_code
        calls += event == "call" and code.co_filename.startswith(PACKAGE) and not code.co_name.startswith("<")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def peak_of(work: Callable[[], object]) -> int:
    """The most bytes, above those before, that were allocated at one time: arrays of numpy and of OpenCV among them."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def grown(now: Mapping[str, int], stored: Mapping[str, int]) -> list[str]:
    """One line for each count that is larger than the stored one, beyond what Python's own objects explain; or new."""
    lines = []
    for name, value in now.items():
        allowed = stored.get(name, 0) * (1 if name.startswith(EXACT) else SLACK)
        if value > allowed:
            lines.append(f"{name}: {value:,}, stored {stored.get(name, 0):,}")
    return lines


def main(*, keep: bool = False) -> None:
    """Print all counts.

    Args:
        keep: store them.
    """
    now = costs()
    stored: dict[str, int] = json.loads(STORED.read_text()) if STORED.exists() else {}
    print("| count | now | stored |\n|---|---:|---:|")
    for name, value in now.items():
        print(f"| {name} | {value:,} | {stored[name]:,} |" if name in stored else f"| {name} | {value:,} | - |")
    for line in grown(now, stored):
        print(f"grown: {line}")
    if keep:
        STORED.write_text(json.dumps(now, indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
