"""Success, precision and time of the built-in tracker beside OpenCV's trackers and published networks, in one run.

    make table          sets up an environment with opencv-contrib and runs
    python -m benchmarks.accuracy --data DIR --opencv csrt kcf mosse vit=FILE.onnx --readme README.md

DIR holds `<sequence>/{img/*.jpg, groundtruth.txt}`. One pass: every tracker gets the first box of the truth and all frames in
order. Accuracy is `sightline.evaluate.metrics`; OpenCV's trackers take whole pixels, so their boxes are rounded, and where they
report a failure the last box is kept. Time is the call of `update` alone on one thread: images are in memory, trackers take turns
on the first frames of a few sequences, three rounds, and the smallest of the three medians counts, as a ratio to KCF, and its inverse as one to
the tracker in the package: how many times its frames per second.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import onnxruntime
import tyro
from benchmarks.pages import replace_table
from numpy.typing import NDArray

import sightline
from sightline.adapters.opencv import find_opencv, parts_of
from sightline.errors import UnknownTracker
from sightline.evaluate.metrics import mean_iou, precision, success_auc
from sightline.weights import builtin_names

TITLES = {"vit": "TrackerVit (VitTrack)", "nano": "TrackerNano (NanoTrack v2)"}

Images = Sequence[NDArray[np.uint8]]  # (H, W, 3) BGR


class Follows(Protocol):
    """What every tracker here can do; boxes are x, y, w, h."""

    def init(self, image: NDArray[np.uint8], box: NDArray[np.float64]) -> None: ...
    def update(self, image: NDArray[np.uint8]) -> tuple[float, ...]: ...


@dataclass
class Ours:
    """A Sightline tracker."""

    tracker: sightline.Tracker[Any]

    def init(self, image: NDArray[np.uint8], box: NDArray[np.float64]) -> None:
        self.tracker.init(image, box)

    def update(self, image: NDArray[np.uint8]) -> tuple[float, ...]:
        return self.tracker.update(image).box


@dataclass
class OpenCV:
    """A tracker of OpenCV: whole pixels in, and the last box where it gives up."""

    make: Callable[[], Any]
    tracker: Any = None
    last: tuple[float, ...] = ()

    def init(self, image: NDArray[np.uint8], box: NDArray[np.float64]) -> None:
        self.tracker = self.make()
        whole = tuple(round(float(value)) for value in box)
        self.tracker.init(image, whole)
        self.last = whole

    def update(self, image: NDArray[np.uint8]) -> tuple[float, ...]:
        found, box = self.tracker.update(image)
        if found:
            self.last = tuple(float(value) for value in box)
        return self.last


@dataclass
class Static:
    """The first box, repeated: what any tracker has to beat."""

    box: tuple[float, ...] = ()

    def init(self, image: NDArray[np.uint8], box: NDArray[np.float64]) -> None:  # noqa: ARG002  # the interface
        self.box = tuple(box)

    def update(self, image: NDArray[np.uint8]) -> tuple[float, ...]:  # noqa: ARG002  # the interface
        return self.box


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    tracker: str
    success_auc: float
    precision20: float
    mean_iou: float
    milliseconds: float
    times_kcf: float
    speed_to_first: float
    per_sequence: dict[str, float]


def trackers(exported: Sequence[Path], opencv: Sequence[str]) -> dict[str, Follows]:
    """Every tracker of the table by its name."""
    rows: dict[str, Follows] = {f"**{name}** (in the package)": Ours(sightline.load(name, threads=1)) for name in builtin_names()}
    for path in exported:
        tracker = sightline.load(path, threads=1)
        rows[f"{tracker.spec.name}, onnxruntime"] = Ours(tracker)
    for words in opencv:
        name = parts_of(words).name
        rows[f"OpenCV {TITLES.get(name, name.upper())}"] = OpenCV(find_opencv(words))
    return rows | {"first box repeated": Static()}


def run(tracker: Follows, images: Images, first: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[float]]:
    """Boxes (T, 4), and the seconds of every update (T - 1)."""
    tracker.init(images[0], first)
    boxes, seconds = [tuple(first)], []
    for image in images[1:]:
        began = time.perf_counter()
        box = tracker.update(image)
        seconds.append(time.perf_counter() - began)
        boxes.append(tuple(box))
    return np.array(boxes, np.float64), seconds


def measure_time(rows: dict[str, Follows], clips: Sequence[tuple[Images, NDArray[np.float64]]], rounds: int = 3) -> dict[str, float]:
    """Milliseconds of one update: trackers in turns, the best of the medians, mean over clips."""
    best: dict[str, list[float]] = {name: [] for name in rows}
    for images, truth in clips:
        medians: dict[str, list[float]] = {name: [] for name in rows}
        for _ in range(rounds):
            for name, tracker in rows.items():
                medians[name].append(statistics.median(run(tracker, images[:50], truth[0])[1]))
        for name in rows:
            best[name].append(min(medians[name]) * 1e3)
    return {name: statistics.mean(values) for name, values in best.items()}


def read_clip(folder: Path) -> tuple[Images, NDArray[np.float64]]:
    """Images and truth (T, 4) of one sequence."""
    images = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in sorted((folder / "img").iterdir())]
    return images, np.loadtxt(folder / "groundtruth.txt", delimiter=",", ndmin=2)  # type: ignore[return-value]  # imread is typed as optional


def row_of(name: str, tracker: Follows, clips: Mapping[str, tuple[Images, NDArray[np.float64]]], milliseconds: Mapping[str, float]) -> Row:
    """One pass of a tracker over all sequences."""
    scored = {clip: (run(tracker, images, truth[0])[0], truth) for clip, (images, truth) in clips.items()}
    figures = {clip: success_auc(boxes, truth) for clip, (boxes, truth) in scored.items()}
    return Row(
        name,
        statistics.mean(figures.values()),
        statistics.mean(precision(boxes, truth) for boxes, truth in scored.values()),
        statistics.mean(mean_iou(boxes, truth) for boxes, truth in scored.values()),
        milliseconds[name],
        milliseconds[name] / milliseconds["OpenCV KCF"],
        next(iter(milliseconds.values())) / milliseconds[name],
        figures,
    )


def markdown(rows: Sequence[Row], setting: str) -> str:
    """The table as it stands in the README."""
    lines = [
        "| tracker | success AUC | precision at 20 px | ms per frame, 1 thread | time / KCF | fps / kestrel-nano |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        timed = f"{row.milliseconds:.2f} | {row.times_kcf:.2f} | {row.speed_to_first:.2f}" if row.milliseconds > 0.005 else "- | - | -"
        lines.append(f"| {row.tracker} | {row.success_auc:.3f} | {row.precision20:.3f} | {timed} |")
    return "\n".join([*lines, "", setting])


def main(
    data: Path,
    *,
    exported: tuple[Path, ...] = (),
    opencv: tuple[str, ...] = ("csrt", "kcf", "mosse"),
    readme: Path | None = None,
    output: Path = Path("benchmarks/results/accuracy.json"),
    timed: tuple[str, ...] = ("david", "boat1", "v_drone_013", "dragonbaby", "davis_parkour"),
) -> None:
    """Run all trackers and write the table.

    Args:
        data: folder of sequences.
        exported: published networks, converted and exported by Sightline.
        opencv: OpenCV's trackers, as `sightline bench --compare` takes them; kcf has to be among them.
        readme: rewrite the table between its markers in this file.
        output: all figures, per sequence too.
        timed: sequences on whose first 50 frames time is measured.
    """
    cv2.setNumThreads(1)
    try:
        rows = trackers(exported, opencv)
    except UnknownTracker as error:
        raise SystemExit(f"{error} `make table` sets up an environment with opencv-contrib.") from error
    folders = sorted(path for path in data.iterdir() if (path / "groundtruth.txt").is_file())
    clips = {folder.name: read_clip(folder) for folder in folders}
    milliseconds = measure_time(rows, [clips[name] for name in timed if name in clips])
    table = []
    for name, tracker in rows.items():
        table.append(row_of(name, tracker, clips, milliseconds))
        print(f"{name:36} AUC {table[-1].success_auc:.4f}  precision {table[-1].precision20:.4f}  {milliseconds[name]:.2f} ms", flush=True)
    setting = (
        f"{len(clips)} sequences, {sum(len(images) for images, _ in clips.values())} frames, one pass; success AUC over 21 thresholds of IoU. "
        f"Sightline {sightline.__version__}, onnxruntime {onnxruntime.__version__}, OpenCV {cv2.__version__}, {platform.machine()}, "
        f"one thread. Made by `make table`; ratios carry over to other machines, milliseconds do not."
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({"setting": setting, "rows": [asdict(row) for row in table]}, indent=1) + "\n")
    if readme:
        replace_table(readme, "accuracy", markdown(table, setting))


if __name__ == "__main__":
    tyro.cli(main)
