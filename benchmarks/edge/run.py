"""The trackers in the package on MNN, ncnn and LiteRT: converted, compared box by box with onnxruntime, and timed, as a whole and by layer.

    make edge          sets up an environment of its own, exports the plain graphs, and runs
    python benchmarks/edge/run.py [mnn ncnn litert] [--plain DIR] [--output FILE.json]

Recipes are to_mnn.py, to_ncnn.py and to_litert.py. Every frame of two rendered clips starts from the box that onnxruntime found in the
frame before, so that only the networks differ; told is the largest difference of a corner, in pixels. Times are the network's of one
search on one thread, taken in turns with onnxruntime running the graphs of the package; ratios within rounds.
"""

from __future__ import annotations

import importlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import tyro
from boxes import EdgeSession, Recipe  # type: ignore[import-not-found]  # the scripts beside this one
from forms import FORMS  # type: ignore[import-not-found]

import sightline
from sightline.engines import open_session
from sightline.engines.clocked import Clocked
from sightline.measure.race import Candidate, race
from sightline.methods.network import NetworkMethod
from sightline.placement import region_around
from sightline.scene import Scene, render
from sightline.tracker import Tracker
from sightline.weights import find

Name = Literal["mnn", "ncnn", "litert"]
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Row:
    """One of them: how far boxes are from onnxruntime's, what a search takes, and where the time goes (milliseconds by kind)."""

    tracker: str
    engine: str
    frames: int
    corner_px: float
    score: float
    milliseconds: float
    to_onnxruntime: float
    layers: dict[str, float]


def converted(tracker: str, name: Name, plain: Path, output: Path) -> tuple[Recipe, EdgeSession]:
    """The recipe, and its graphs as a session.

    Raises:
        ModuleNotFoundError: its packages are not installed.
    """
    recipe: Any = importlib.import_module(f"to_{name}")
    output.mkdir(parents=True, exist_ok=True)
    form = FORMS[tracker]
    recipe.convert(plain, output, form)
    return recipe, EdgeSession(sightline.load(tracker, threads=1).spec, form, recipe.open_graphs(output, form))


def difference(session: EdgeSession, *, frames: int = 40) -> tuple[int, float, float]:
    """How many frames were compared, the largest difference of a corner in pixels, and of a score."""
    ours, theirs = NetworkMethod(open_session(find(session.spec.name), threads=1)), NetworkMethod(session)
    corner = score = count = 0.0
    for seed in (3, 4):
        shots = list(render(Scene(seed=seed, num_frames=frames)))
        state, other = ours.begin(shots[0].frame, shots[0].box), theirs.begin(shots[0].frame, shots[0].box)
        for shot in shots[1:]:
            [(_, estimate)] = theirs.advance([shot.frame], [replace(other, box=state.box)])
            [(state, expected)] = ours.advance([shot.frame], [state])
            x, y, w, h = np.abs(np.subtract(estimate.box, expected.box))
            corner, score, count = max(corner, x + w, y + h), max(score, abs(estimate.score - expected.score)), count + 1
    return int(count), float(corner), float(score)


def row_of(tracker: str, name: Name, plain: Path, output: Path, *, rounds: int) -> Row:
    """Convert, compare, time."""
    recipe, session = converted(tracker, name, plain, output)
    shots = list(render(Scene(seed=3, num_frames=6)))
    clocks = [Clocked(open_session(find(tracker), threads=1)), Clocked(session)]
    candidates = [
        Candidate(label, Tracker(NetworkMethod(clock)), network=clock) for label, clock in zip(("onnxruntime", name), clocks, strict=True)
    ]
    ours, theirs = race(candidates, [shot.frame for shot in shots], shots[0].box, rounds=rounds, seconds=0.3)
    assert ours.network is not None
    assert theirs.network is not None
    method = NetworkMethod(session)
    state = method.begin(shots[0].frame, shots[0].box)
    region = region_around(state.box, state.search, shots[1].frame.size)
    memory = {key: state.arrays[key] for key in session.form.memory}
    spent = recipe.layers(output, session.form, region.take(shots[1].frame.image), memory)
    return Row(
        tracker,
        name,
        *difference(session),
        theirs.network,
        theirs.network / ours.network,
        dict(sorted(spent.items(), key=lambda item: -item[1])),
    )


def markdown(rows: Sequence[Row]) -> str:
    """Tables of all, and of the layers of each."""
    lines = [
        "| tracker | engine | frames | largest difference of a corner, px | of a score | ms a search | time / onnxruntime |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.tracker} | {row.engine} | {row.frames} | {row.corner_px:.4f} | {row.score:.6f} | {row.milliseconds:.2f} | {row.to_onnxruntime:.2f} |"
        for row in rows
    ]
    for row in rows:
        total = sum(row.layers.values())
        lines += ["", f"| {row.tracker} on {row.engine}: kind of layer | ms | share |", "|---|---:|---:|"]
        lines += [f"| {kind} | {spent:.3f} | {spent / total:.0%} |" for kind, spent in row.layers.items()]
    return "\n".join(lines)


def main(
    engines: tyro.conf.Positional[tuple[Name, ...]] = ("mnn", "ncnn", "litert"),
    /,
    *,
    trackers: tuple[str, ...] = tuple(FORMS),
    plain: Path = ROOT / "runs" / "edge",
    rounds: int = 5,
    output: Path = ROOT / "benchmarks" / "results" / "edge.json",
) -> None:
    """Run the recipes.

    Args:
        engines: which ones; those whose packages are missing are named and left out.
        trackers: which ones.
        plain: where plain.py has put its graphs; what is converted goes into folders below.
        rounds: of turns.
        output: all figures.
    """
    cv2.setNumThreads(1)
    rows = []
    for tracker, name in itertools.product(trackers, engines):
        try:
            rows.append(row_of(tracker, name, plain / tracker, plain / tracker / name, rounds=rounds))
        except ModuleNotFoundError as error:
            print(f"{name} is left out: {error.name} is not installed.")
    print(markdown(rows))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
