"""What it takes to begin: a fresh process imports, loads a tracker and says its first box."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.measure.process import last_line
from sightline.measure.sensors import resident_mb
from sightline.measure.subject import Subject
from sightline.unreported import keep_engines_from_reporting

if TYPE_CHECKING:
    from sightline.box import Box

__all__ = ["Start", "start"]

CLIP = 10  # frames


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds of a fresh process, and its memory.

    Attributes:
        bare: until numpy, OpenCV and the engine's own library are imported, as any program with them has to.
        imports: until the package is, too.
        load: of `load`.
        first: of `init` and the first `update`.
        track: of the whole command `sightline track` on a clip of CLIP frames, in another fresh process.
        peak_mb: the largest resident memory, in 2^20 bytes; None where the system does not tell.
    """

    bare: float
    imports: float
    load: float
    first: float
    track: float
    peak_mb: float | None


def start(subject: Subject) -> Start:
    """Begin with a tracker in a fresh process.

    Raises:
        EngineError: it cannot begin; the message is the last line that it said.
    """
    begun = json.loads(last_line(["-m", "sightline.measure.start", *subject.words], threads=subject.threads))
    with tempfile.TemporaryDirectory() as folder:
        clip, box = Path(folder) / "clip.mp4", ",".join(map(str, _clip(Path(folder) / "clip.mp4")))
        command = ["-m", "sightline", "track", str(clip), "--box", box, "--tracker", subject.tracker, "--engine", subject.engine]
        began = time.perf_counter()
        last_line([*command, "--precision", subject.precision, "--threads", str(subject.threads)], threads=subject.threads)
        return Start(**begun, track=time.perf_counter() - began)


def _clip(path: Path) -> Box:
    """A rendered clip of CLIP frames; the target's first box."""
    from sightline.draw import VideoWriter
    from sightline.scene import Scene, render

    shots = list(render(Scene(seed=3, num_frames=CLIP, size=(640, 360))))
    with VideoWriter(path, 25.0) as video:
        for shot in shots:
            video.write(shot.frame.image, shot.frame.time)
    return shots[0].box


def _begun(subject: Subject, began: float) -> dict[str, float | None]:
    """All of `Start` but `track`."""
    import cv2  # noqa: F401  # timed
    import numpy as np

    keep_engines_from_reporting()
    import_module(subject.engine.partition("-")[0])  # torch-compile is torch's
    bare = time.perf_counter()
    from sightline.engines import ENGINES
    from sightline.frame import Frame

    import_module(ENGINES[subject.engine])
    imported = time.perf_counter()
    tracker = subject.loaded()
    ready = time.perf_counter()
    frame = Frame(np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8))
    tracker.init(frame, (300, 200, 60, 60))
    tracker.update(frame)
    said = time.perf_counter()
    return {
        "bare": bare - began,
        "imports": imported - began,
        "load": ready - imported,
        "first": said - ready,
        "peak_mb": resident_mb("VmHWM"),
    }


if __name__ == "__main__":
    BEGAN = time.perf_counter()
    print(json.dumps(_begun(Subject.of_words(sys.argv[1:]), BEGAN)))  # noqa: T201  # read by `start`
