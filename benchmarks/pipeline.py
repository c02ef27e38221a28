"""Does a 1080p file run at the pace of the slowest of decoding, tracking and encoding, or at their sum?

    python benchmarks/pipeline.py [--output FILE.json]

Needs less than two minutes, and a machine that does nothing else: stages that overlap want the cores which others would take. A rendered clip is
written as H.264. In every round each stage runs alone over all its frames (decoding: reading the file and doing nothing;
tracking: frames in memory; encoding: drawing and writing frames in memory), then `follow` over the file, which decodes ahead in a thread, and
`follow` with its frames drawn and written by the thread that `sightline track` uses. Told are milliseconds of a frame, those of all cores together
(what the whole needs of them, shared by the cores, is the least it can take), and the whole as a ratio to its slowest stage (1 is the aim) and
to the sum of its stages; medians over rounds, ratios within rounds. The network has one thread, or `--threads`; decoder and encoder have what
`sightline track` gives them.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import tyro

import sightline
from sightline.box import Box
from sightline.cli.outputs import Outputs
from sightline.draw import VideoWriter, draw
from sightline.engines.cores import num_cores
from sightline.frame import Frame
from sightline.loop import follow, follow_all
from sightline.scene import Scene, render

FPS = 25.0


def written(path: Path, size: tuple[int, int], num_frames: int) -> Box:
    """Render a clip into a file; the target's first box."""
    scene = Scene(seed=3, num_frames=num_frames, size=size, occlusion=0.0, distractors=0)
    with VideoWriter(path, FPS) as video:
        for shot in render(scene):
            if shot.frame.index == 0:
                first = shot.box
            video.write(shot.frame.image, shot.frame.time)
    return first


def milliseconds(work: Callable[[], object], num_frames: int) -> tuple[float, float]:
    """Of one frame: by the clock, and of all cores together."""
    began, busy = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - began) / num_frames * 1e3, (time.process_time() - busy) / num_frames * 1e3


def track_all(tracker: sightline.Tracker[Any], frames: Sequence[Frame], box: Box) -> None:
    """Every frame that is in memory."""
    tracker.init(frames[0], box)
    for frame in frames[1:]:
        tracker.update(frame)


def encode(frames: Sequence[Frame], box: Box, path: Path) -> None:
    """Draw and write every frame that is in memory."""
    with VideoWriter(path, FPS) as video:
        for frame in frames:
            video.write(draw(frame.image, box, label="tracked 0.90"), frame.time)


def to_video(source: Path, tracker: sightline.Tracker[Any], box: Box, path: Path) -> None:
    """What `sightline track --output` does."""
    outputs = Outputs(video=path, results=None, fps=FPS)
    for steps in follow_all(source, boxes={1: box}, tracker=tracker):
        outputs.write(steps)
    outputs.close()


def main(
    tracker: str = "kestrel-nano",
    *,
    frames: int = 100,
    size: tuple[int, int] = (1920, 1080),
    rounds: int = 3,
    threads: int = 1,
    output: Path = Path("benchmarks/results/pipeline.json"),
) -> None:
    """Measure and print a table.

    Args:
        tracker: a name, or a weights file.
        frames: of the clip.
        size: width and height.
        rounds: of turns.
        threads: of the network.
        output: all figures.
    """
    cv2.setNumThreads(1)
    loaded = sightline.load(tracker, threads=threads)
    with tempfile.TemporaryDirectory() as folder:
        clip, drawn = Path(folder) / "clip.mp4", Path(folder) / "drawn.mp4"
        box = written(clip, size, frames)
        in_memory = list(sightline.read(clip))
        stages: dict[str, Callable[[], object]] = {
            "decoding": lambda: [None for _ in sightline.read(clip)],
            "tracking": lambda: track_all(loaded, in_memory, box),
            "encoding": lambda: encode(in_memory, box, drawn),
            "file tracked": lambda: [None for _ in follow(clip, box=box, tracker=loaded)],
            "file tracked and written": lambda: to_video(clip, loaded, box, drawn),
        }
        taken: dict[str, list[float]] = {name: [] for name in stages}
        busy: dict[str, list[float]] = {name: [] for name in stages}
        for _ in range(rounds):
            for name, work in stages.items():
                clock, cores = milliseconds(work, frames)
                taken[name].append(clock)
                busy[name].append(cores)
    parts = {"file tracked": ("decoding", "tracking"), "file tracked and written": ("decoding", "tracking", "encoding")}
    rows = {name: {"ms": statistics.median(values), "cores_ms": statistics.median(busy[name])} for name, values in taken.items()}
    for whole, names in parts.items():
        each = [[taken[name][i] for name in names] for i in range(rounds)]
        rows[whole]["to_slowest"] = statistics.median(taken[whole][i] / max(each[i]) for i in range(rounds))
        rows[whole]["to_sum"] = statistics.median(taken[whole][i] / sum(each[i]) for i in range(rounds))
    title = f"{loaded.spec.name}, {size[0]}x{size[1]}, {frames} frames, network of {threads} threads, {num_cores()} cores"
    print(f"| {title} | ms per frame | of all cores | to its slowest stage | to the sum of its stages |")
    print("|---|---:|---:|---:|---:|")
    for name, row in rows.items():
        ratios = f"{row['to_slowest']:.2f} | {row['to_sum']:.2f}" if "to_sum" in row else "- | -"
        print(f"| {name} | {row['ms']:.2f} | {row['cores_ms']:.2f} | {ratios} |")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
