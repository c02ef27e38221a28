"""What each engine and precision gives and costs: speed, overlap with f32 in the same crops, success AUC.

    python -m benchmarks.precision --calibrate DIR --data DIR --trackers merlin kestrel-nano --docs docs/how-to/speed.md

int8 is made anew from --calibrate, as `sightline quantize` does it, and kept even where that would refuse it: "check" is the overlap on which it
decides. Ranges, form and check come from --calibrate alone; overlap and AUC are those on --data, a folder of sequences that shares nothing with it.
Speed is the network's call alone, one thread, all in turns: the fastest call of several rounds, which other work on the machine disturbs
least; --no-speed leaves it out, where that is too much.
"""

from __future__ import annotations

import itertools
import json
import platform
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tyro
from benchmarks.pages import replace_table

from sightline.cli.environment import version_of, versions
from sightline.engines import Precision, Session, open_session
from sightline.engines.cores import processor
from sightline.errors import EngineError
from sightline.evaluate.clips import Dataset, open_dataset
from sightline.evaluate.metrics import success_auc
from sightline.frame import Frame, read
from sightline.measure.turns import take_turns
from sightline.quantize.agreement import agreement
from sightline.quantize.crops import Looks, looks
from sightline.quantize.footage import Footage, open_footage
from sightline.quantize.graph import LEVELS
from sightline.quantize.make import BUDGET, prepare, write
from sightline.tracker import Tracker, method_of
from sightline.weights import find, sha256_of

PLAIN: tuple[tuple[str, Precision], ...] = (("onnxruntime", "f32"), ("openvino", "f32"), ("openvino", "bf16"))
ROUNDS, TURN = 6, 0.15  # seconds of a turn
EACH = 12  # crops of a sequence


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    tracker: str
    engine: str
    precision: str
    milliseconds: float | None
    times_faster: float | None
    overlap: float
    worst: float
    elsewhere: float
    auc: float
    auc_f32: float
    check: float | None
    exact: str | None


def sessions(path: Path, footage: Footage, folder: Path) -> tuple[dict[tuple[str, str], Session], dict[tuple[str, str], tuple[float, str]]]:
    """The network by engine and precision, and what `quantize` says of its int8 forms: their check, and what stays in f32."""
    opened: dict[tuple[str, str], Session] = {}
    checks: dict[tuple[str, str], tuple[float, str]] = {}
    for engine, precision in PLAIN:
        try:
            opened[engine, precision] = open_session(path, engine=engine, precision=precision, threads=1)
        except EngineError as error:
            print(f"left out: {engine} {precision}: {error}")
    for engine in ("onnxruntime", "openvino"):
        try:
            made = prepare(path, engine=engine, footage=footage, tell=print)
        except EngineError as error:
            print(f"left out: {engine} int8: {error}")
            continue
        file, *_ = write(made, folder / f"{path.stem}.{engine}.onnx", budget=BUDGET)
        for form, found in made.agreements.items():
            opened[engine, form] = open_session(file, engine=engine, precision="bf16" if "bf16" in form else "f32", threads=1)
            checks[engine, form] = (found.mean, LEVELS[made.level])
    return opened, checks


def speeds(opened: Mapping[tuple[str, str], Session], given: Looks) -> dict[tuple[str, str], list[float]]:
    """Milliseconds of the fastest `step` in each round."""
    samples = [arrays for several in given.values() for arrays in several[:2]]

    def step(session: Session) -> Callable[[], object]:
        following = itertools.cycle(samples)
        return lambda: session.run("step", next(following))

    taken = take_turns({way: step(session) for way, session in opened.items()}, rounds=ROUNDS, seconds=TURN, of=min)
    return {way: [seconds * 1e3 for seconds in rounds] for way, rounds in taken.items()}


def mean_auc(session: Session, data: Dataset, frames: Mapping[str, Sequence[Frame]]) -> float:
    """Mean success AUC of one pass over every sequence."""
    tracker: Tracker[Any] = Tracker(method_of(session))
    scores = []
    for clip in data:
        tracker.init(frames[clip.name][0], clip.truth[0])
        boxes = [clip.truth[0], *(tracker.update(frame).box for frame in frames[clip.name][1:])]
        scores.append(success_auc(np.array(boxes, np.float64), clip.truth))
    return statistics.mean(scores)


def rows_of(name: str, footage: Footage, data: Dataset, frames: Mapping[str, Sequence[Frame]], *, speed: bool) -> list[Row]:
    """All rows of one tracker."""
    path = find(name)
    takes = open_footage(Path(data[0].frames[0]).parents[2])
    with tempfile.TemporaryDirectory() as folder:
        opened, checks = sessions(path, footage, Path(folder))
        exact = opened["onnxruntime", "f32"]
        given = looks(exact, (*takes.calibrate, *takes.check), each=EACH, seed=2)
        rounds = speeds(opened, given) if speed else {}
        found: list[Row] = []
        for (engine, precision), session in opened.items():
            said, auc = agreement(exact, session, given), mean_auc(session, data, frames)
            best = min(rounds[engine, precision]) if speed else None
            ratio = min(rounds["onnxruntime", "f32"]) / best if best else None
            check, kept = checks.get((engine, precision), (None, None))
            found.append(
                Row(
                    exact.spec.name,
                    engine,
                    precision,
                    milliseconds=best,
                    times_faster=ratio,
                    overlap=said.mean,
                    worst=said.worst,
                    elsewhere=said.elsewhere,
                    auc=auc,
                    auc_f32=found[0].auc if found else auc,
                    check=check,
                    exact=kept,
                )
            )
            print(found[-1], flush=True)
    return found


def markdown(rows: Sequence[Row], setting: str) -> str:
    """The table as it stands in the docs."""
    lines = [
        "| tracker | engine | precision | ms | times as fast | overlap with f32, worst sequence | elsewhere | AUC | check of `quantize` | in f32 beside the decoder |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        check = "-" if row.check is None else f"{row.check:.3f}{'' if row.check >= BUDGET else ' (refused)'}"
        speed = "- | -" if row.milliseconds is None else f"{row.milliseconds:.2f} | {row.times_faster:.2f}"
        lines.append(
            f"| {row.tracker} | {row.engine} | {row.precision} | {speed} | {row.overlap:.3f}, {row.worst:.3f} | {row.elsewhere:.1%} | "
            f"{row.auc:.3f} | {check} | {row.exact or '-'} |"
        )
    return "\n".join([*lines, "", setting])


def _by(*, speed: bool) -> str:
    if speed:
        return "Made by `make precision`; ratios carry over to like processors, milliseconds do not."
    return "Made by `make precision SPEED=--no-speed`, which measures no speed."


def main(
    calibrate: Path,
    data: Path,
    *,
    trackers: tuple[str, ...] = ("merlin", "kestrel-nano"),
    speed: bool = True,
    docs: Path | None = None,
    output: Path = Path("benchmarks/results/precision.json"),
) -> None:
    """Measure, and write the table.

    Args:
        calibrate: what int8 is calibrated and checked on.
        data: folder of sequences.
        trackers: names or ONNX files.
        speed: time the calls, too; only where nothing else runs.
        docs: rewrite the table between its markers in this file.
        output: all figures.
    """
    cv2.setNumThreads(1)
    clips = open_dataset("folder", data)
    frames = {clip.name: list(read(clip.frames)) for clip in clips}
    footage = open_footage(calibrate)
    rows = [row for name in trackers for row in rows_of(name, footage, clips, frames, speed=speed)]
    packages = ", ".join(f"{name} {version_of(name)}" for name in ("onnxruntime", "openvino", "nncf"))
    setting = (
        f"One thread of {processor()} ({platform.machine()}); {packages}, Sightline {versions()['sightline']}. {len(clips)} sequences, "
        f"{sum(len(several) for several in frames.values())} frames, one pass; overlap over {EACH} crops of each. "
        f"Weights: {', '.join(f'{Path(name).stem} {sha256_of(find(name))[:12]}' for name in trackers)}. {_by(speed=speed)}"
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({"setting": setting, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")
    if docs is not None:
        replace_table(docs, "precision", markdown(rows, setting))


if __name__ == "__main__":
    tyro.cli(main)
