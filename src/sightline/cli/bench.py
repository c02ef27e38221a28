"""`sightline bench`: how fast trackers are on this machine, in turns, as shares of what the machine can do."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from sightline.cli.arguments import check_suffix, numbers, optional, words
from sightline.cli.environment import machine, version_of, versions
from sightline.cli.extras import needing
from sightline.cli.loading import set_threads
from sightline.cli.progress import progress_bar
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.box import Box
    from sightline.frame import Frame
    from sightline.measure.ceiling import Ceiling
    from sightline.measure.race import Candidate, Times

__all__ = ["bench"]

NUM_FRAMES = 12
SUFFIXES = (".json", ".md")


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to run one tracker."""

    tracker: str
    engine: str
    precision: str
    threads: int
    targets: int

    def __str__(self) -> str:
        many = f", {self.targets} targets" if self.targets > 1 else ""
        return f"{self.tracker} ({self.engine} {self.precision}, {self.threads} thread{'s' * (self.threads > 1)}{many})"


def bench(
    trackers: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[NAME|PATH ...]")] = ("kestrel-nano",),
    /,
    *,
    engine: Annotated[str, tyro.conf.arg(metavar="NAME,...")] = "onnxruntime",
    precision: Annotated[str, tyro.conf.arg(metavar="f32,bf16")] = "f32",
    threads: Annotated[str, tyro.conf.arg(metavar="N,...")] = "1",
    targets: Annotated[str, tyro.conf.arg(metavar="N,...")] = "1",
    compare: Annotated[str, tyro.conf.arg(metavar="csrt,kcf,mil,mosse")] = "",
    frame: Annotated[str, tyro.conf.arg(metavar="WxH")] = "1280x720",
    rounds: int = 5,
    seconds: float = 0.4,
    start: bool = False,
    layers: bool = False,
    soak: Annotated[float, tyro.conf.arg(metavar="MINUTES")] = 0.0,
    output: Annotated[Path | None, optional("FILE", "-o")] = None,
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Time trackers in turns on this machine, and tell every speed as a share of what the machine can do.

    Every combination of tracker, engine, precision, threads and targets is a row; rows take turns in every round, and ratios are taken
    within rounds, to the first row. Frames are rendered and in memory: reading a video is not in it. On torch, a name runs with
    random weights: its speed is the same.

    Example: sightline bench kestrel-nano --engine onnxruntime,openvino --precision f32,bf16 --threads 1,2 --compare kcf

    Args:
        trackers: names from `sightline zoo`, or paths of weights files.
        engine: onnxruntime, openvino, torch, or several with commas.
        precision: f32, bf16 (openvino), or both; a combination that an engine lacks is left out.
        threads: of the network, one or several numbers.
        targets: in one frame, one or several numbers.
        compare: OpenCV's trackers beside ours, where this OpenCV has them.
        frame: size of the frames.
        rounds: how often each takes its turn.
        seconds: of one turn.
        start: measure also imports, loading, the first box and memory, each in a fresh process.
        layers: tell also where the network's time goes (ONNX files, by onnxruntime's profiler).
        soak: let the first row run for so many minutes and tell its speed, memory, clock and energy as they go.
        output: write the report here, as .md or .json.
        as_json: print one JSON object.
    """
    if output is not None:
        check_suffix(output, SUFFIXES, "--output")
    if rounds < 1 or seconds <= 0 or soak < 0:
        raise SightlineError(f"--rounds {rounds}, --seconds {seconds:g}, --soak {soak:g}: expected at least 1, more than 0, and 0 or more.")
    settings = [
        Setting(*row)
        for row in itertools.product(
            trackers,
            words("--engine", engine),
            words("--precision", precision),
            numbers("--threads", threads),
            numbers("--targets", targets),
        )
        if row[2] == "f32" or row[1] == "openvino"
    ]
    if not settings:
        raise SightlineError(f"no engine of {engine} computes in {precision}; openvino does in bf16.")
    frames, box = _frames(frame)
    candidates = [_candidate(setting) for setting in settings] + [_opencv(name) for name in words("--compare", compare)]
    ceilings = [_ceiling(number) for number in sorted({setting.threads for setting in settings})]
    times = _race(candidates, frames, box, rounds=rounds, seconds=seconds)
    report = {
        "machine": machine(),
        "versions": versions() | {name: version_of(name) for name in ("openvino", "torch")},
        "frame": frame,
        "ceilings": [asdict(found) for found in ceilings],
        "rows": [_row(*row, ceilings) for row in itertools.zip_longest(times, settings)],
        "start": [_started(setting) for setting in settings if setting.targets == 1] if start else [],
        "layers": [_layers(setting) for setting in settings if setting.engine == "onnxruntime" and setting.targets == 1] if layers else [],
        "soak": _soaked(candidates[0], frames, box, minutes=soak) if soak else [],
    }
    _tell(report, output, as_json=as_json)


def _frames(size: str) -> tuple[list[Frame], Box]:
    """Rendered frames, and the box of the target in the first."""
    from sightline.scene import Scene, render

    width, _, height = size.partition("x")
    if not (width.isdigit() and height.isdigit() and 64 <= int(width) <= 7680 and 64 <= int(height) <= 4320):
        raise SightlineError(f"--frame {size!r} is not a size; expected WxH in pixels, as in --frame 1280x720.")
    shots = list(render(Scene(seed=3, num_frames=NUM_FRAMES, size=(int(width), int(height)), occlusion=0.0, distractors=0)))
    return [shot.frame for shot in shots], shots[0].box


def _candidate(setting: Setting) -> Candidate:
    """Load a tracker and put a clock into it."""
    from sightline.engines import ENGINES
    from sightline.measure.entrants import Many
    from sightline.measure.race import Candidate, Clocked
    from sightline.methods.network import NetworkMethod
    from sightline.tracker import Tracker, load, untrained
    from sightline.zoo import SPECS

    if setting.engine not in ENGINES:
        raise SightlineError(f"there is no engine called {setting.engine!r}; known are {', '.join(ENGINES)}.")
    prepare: Callable[[], None] = functools.partial(set_threads, setting.threads, torch_too=setting.engine == "torch")
    with needing("convert", f"{setting}"):
        if setting.engine == "torch" and setting.tracker in SPECS:
            method = untrained(setting.tracker).method
        else:
            number = None if setting.engine == "torch" else setting.threads
            method = load(setting.tracker, engine=setting.engine, threads=number, precision=setting.precision).method  # type: ignore[arg-type]  # what it is, an engine says
    if not isinstance(method, NetworkMethod):  # a filter that is learned while tracking has no one network to clock
        return Candidate(str(setting), Tracker(method), prepare=prepare)
    clocked = Clocked(method.session)
    follower: Any = Tracker(NetworkMethod(clocked)) if setting.targets == 1 else Many(NetworkMethod(clocked), setting.targets)
    return Candidate(str(setting), follower, setting.targets, clocked, prepare)


def _opencv(name: str) -> Candidate:
    from sightline.measure.entrants import opencv
    from sightline.measure.race import Candidate

    return Candidate(f"OpenCV {name}", opencv(name), prepare=functools.partial(set_threads, 1, torch_too=False))


def _ceiling(threads: int) -> Ceiling:
    from sightline.measure.ceiling import ceiling

    return ceiling(threads)


def _race(candidates: Sequence[Candidate], frames: Sequence[Frame], box: Box, *, rounds: int, seconds: float) -> list[Times]:
    from sightline.measure.race import race

    with progress_bar() as bar:
        task = bar.add_task("rounds", total=rounds)
        return race(candidates, frames, box, rounds=rounds, seconds=seconds, told=lambda done: bar.update(task, completed=done))


def _row(times: Times, setting: Setting | None, ceilings: Sequence[Ceiling]) -> dict[str, Any]:
    """A row of the report: times, the setting, the network's size, and its rate as a share of the ceiling."""
    from sightline.zoo.measured import measured

    row: dict[str, Any] = asdict(times) | (asdict(setting) if setting else {"tracker": times.name, "targets": 1, "threads": 1})
    size = measured().get(row["tracker"])
    row |= {"parameters": size and size.parameters, "macs": size and size.macs, "share_of_ceiling": None}
    if setting and size and times.network:
        [found] = [ceiling for ceiling in ceilings if ceiling.threads == setting.threads]
        best = getattr(found, setting.precision)
        row["share_of_ceiling"] = 2 * size.macs * setting.targets / (times.network * 1e6) / best if best else None
    return row


def _started(setting: Setting) -> dict[str, Any]:
    from sightline.measure.start import start

    return {
        "name": str(setting),
        **asdict(start(setting.tracker, engine=setting.engine, precision=setting.precision, threads=setting.threads)),
    }


def _layers(setting: Setting) -> dict[str, Any]:
    """Shares of a network's time by kind of operation, on the crops of nothing in particular."""
    import numpy as np

    from sightline.engines import open_session
    from sightline.measure.layers import profile
    from sightline.methods.network import NetworkMethod
    from sightline.scene import Scene, render
    from sightline.weights import find

    path = find(setting.tracker)
    seen: dict[str, np.ndarray] = {}

    class Watched:
        """Keeps what `step` was given."""

        session = open_session(path, threads=setting.threads)
        spec, roles = session.spec, session.roles

        def run(self, role: Any, arrays: Any) -> dict[str, np.ndarray]:
            if role == "step":
                seen.update(arrays)
            return self.session.run(role, arrays)

    shots = list(render(Scene(seed=3, num_frames=2)))
    method = NetworkMethod(Watched())
    method.advance([shots[1].frame], [method.begin(shots[0].frame, shots[0].box)])
    return {"name": str(setting), "kinds": [asdict(share) for share in profile(path, seen, threads=setting.threads)]}


def _soaked(candidate: Candidate, frames: Sequence[Frame], box: Box, *, minutes: float) -> list[dict[str, Any]]:
    from sightline.measure.soak import soak

    candidate.prepare()
    with progress_bar() as bar:
        task = bar.add_task("soak", total=minutes * 60)
        windows = []
        for window in soak(candidate.follower, frames, box, seconds=minutes * 60, window=min(10.0, minutes * 6)):
            windows.append(asdict(window))
            bar.update(task, completed=window.at)
            if candidate.network is not None:
                candidate.network.seconds.clear()
    return windows


def _tell(report: dict[str, Any], output: Path | None, *, as_json: bool) -> None:
    from sightline.measure.report import markdown
    from sightline.weights import write_whole

    text = json.dumps(report, indent=1)
    page = markdown(report)
    if output is not None:
        write_whole({output: ((text if output.suffix.lower() == ".json" else page) + "\n").encode()})
    print(text if as_json else page)
    if output is not None and not as_json:
        print(f"\nreport: {output}")
