"""`sightline bench`: how fast trackers are on this machine, in turns, as shares of what the machine can do."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from sightline.builtin import DEFAULT
from sightline.cli.arguments import Flag, Json, check_suffix, numbers, optional, words
from sightline.cli.environment import machine, version_of, versions
from sightline.cli.extras import needing
from sightline.cli.progress import progress_bar
from sightline.cli.settings import Setting, candidate_of, method_of, opencv_candidate, settings_of
from sightline.errors import BadData, SightlineError

if TYPE_CHECKING:
    from sightline.box import Box
    from sightline.frame import Frame
    from sightline.measure.ceiling import Ceiling
    from sightline.measure.race import Candidate, Times

__all__ = ["bench"]

NUM_FRAMES = 12
SUFFIXES = (".json", ".md")
PLOTS = (".svg", ".pdf", ".png")


def bench(
    trackers: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[NAME|PATH ...]")] = (DEFAULT,),
    /,
    *,
    engine: Annotated[str, tyro.conf.arg(metavar="NAME,...")] = "onnxruntime",
    precision: Annotated[str, tyro.conf.arg(metavar="f32,bf16,int8,...")] = "f32",
    threads: Annotated[str, tyro.conf.arg(metavar="N,...")] = "1",
    targets: Annotated[str, tyro.conf.arg(metavar="N,...")] = "1",
    batch: Annotated[str, optional("N,...")] = "",
    callers: Annotated[str, tyro.conf.arg(metavar="N,...")] = "1",
    videos: Annotated[str, tyro.conf.arg(metavar="N,...")] = "",
    compare: Annotated[str, tyro.conf.arg(metavar="NAME|PATH,...")] = "",
    frame: Annotated[str, tyro.conf.arg(metavar="WxH")] = "1280x720",
    rounds: int = 5,
    seconds: float = 0.4,
    start: Flag = False,
    layers: Flag = False,
    soak: Annotated[float, tyro.conf.arg(metavar="MINUTES")] = 0.0,
    accuracy: Annotated[Path | None, optional("DIR")] = None,
    plot: Annotated[Path | None, optional("FILE")] = None,
    output: Annotated[Path | None, optional("FILE", "-o")] = None,
    as_json: Json = False,
) -> None:
    """Time trackers in turns on this machine, and tell every speed as a share of what the machine can do.

    Every combination of tracker, engine, precision, threads, targets, batch and callers is a row; rows take turns in every round, and
    ratios are taken within rounds, to the first row. Frames are rendered and in memory: reading a video is not in it. On torch, a name
    runs with random weights: its speed is the same.

    Example: sightline bench kestrel-nano --engine onnxruntime,openvino --precision f32,bf16 --threads 1,2 --compare nanotrack-v2,mil

    Args:
        trackers: names from `sightline zoo`, or paths of weights files.
        engine: onnxruntime, openvino, torch, or several with commas; "auto" is the fastest one.
        precision: f32, bf16 (openvino), int8, int8+bf16 (where `sightline quantize` has made a file), or several with commas; what an engine lacks is left out.
        threads: of the network, one or several numbers.
        targets: in one frame, one or several numbers.
        batch: how many of them go through the network together, at most; what the engine is loaded with where not given.
        callers: threads that share the targets of a frame between them; each calls the network, which has --threads of its own.
        videos: measure also so many videos at the same time, by threads of one process and by processes: the first tracker, on one thread.
        compare: more rows, on one thread: trackers of ours by name or path, on the first engine and precision, and OpenCV's where it
            has them: csrt, kcf, mil, mosse, vit=FILE.onnx, nano=BACKBONE.onnx+HEAD.onnx.
        frame: size of the frames.
        rounds: how often each takes its turn.
        seconds: of one turn.
        start: measure also imports, loading, the first box and memory, each in a fresh process.
        layers: tell also where the network's time goes (ONNX files, by onnxruntime's profiler).
        soak: let the first row run for so many minutes and tell its speed, memory, clock and energy as they go.
        accuracy: a folder below which `sightline eval` has written results: rows get the AUC of their trackers.
        plot: draw accuracy over speed here, as .svg, .pdf or .png; with --accuracy.
        output: write the report here, as .md or .json.
        as_json: print one JSON object.
    """
    if output is not None:
        check_suffix(output, SUFFIXES, "--output")
    if rounds < 1 or seconds <= 0 or soak < 0:
        raise SightlineError(f"--rounds {rounds}, --seconds {seconds:g}, --soak {soak:g}: expected at least 1, more than 0, and 0 or more.")
    if plot is not None:
        check_suffix(plot, PLOTS, "--plot")
    aucs = _aucs(accuracy, needed=plot is not None)
    engines, precisions = words("--engine", engine), words("--precision", precision)
    counted = [
        numbers("--threads", threads),
        numbers("--targets", targets),
        numbers("--batch", batch) if batch else [0],
        numbers("--callers", callers),
    ]
    settings = settings_of(trackers, engines, precisions, counted)
    counts = numbers("--videos", videos) if videos else []
    others, opencvs = _compared(compare)
    settings += [Setting(name, settings[0].engine, settings[0].precision) for name in others]
    frames, box = _frames(frame)
    candidates = [candidate_of(setting) for setting in settings] + [opencv_candidate(name) for name in opencvs]
    ceilings = [_ceiling(number) for number in sorted({setting.threads for setting in settings})]
    times = _race(candidates, frames, box, rounds=rounds, seconds=seconds)
    report = {
        "machine": machine(),
        "versions": versions() | {name: version_of(name) for name in ("openvino", "torch")},
        "frame": frame,
        "ceilings": [asdict(found) for found in ceilings],
        "rows": [_row(*row, ceilings, aucs) for row in itertools.zip_longest(times, settings, candidates)],
        "targets": [_per_target(*row, frames[0], box) for row in zip(times, settings, candidates, strict=False) if row[1].targets > 1],
        "videos": [_videos(settings[0], frames, box, number, rounds=rounds, seconds=seconds) for number in counts],
        "start": [_started(setting) for setting in settings if setting.targets == 1] if start else [],
        "layers": [_layers(setting) for setting in settings if setting.engine == "onnxruntime" and setting.targets == 1] if layers else [],
        "soak": _soaked(candidates[0], frames, box, minutes=soak, threads=settings[0].threads) if soak else [],
    }
    if plot is not None:
        _draw(report, plot)
    _tell(report, output, as_json=as_json)


def _compared(text: str) -> tuple[list[str], list[str]]:
    """Which of the names are trackers of ours, and which are OpenCV's."""
    from sightline.adapters.opencv import OPENCV
    from sightline.errors import UnknownTracker
    from sightline.zoo import SPECS

    found = words("--compare", text)
    opencvs = [name for name in found if name.partition("=")[0] in OPENCV]
    ours = [name for name in found if name not in opencvs]
    for name in ours:
        if name not in SPECS and not Path(name).exists():
            raise UnknownTracker(
                f"--compare {name}: neither a tracker of `sightline zoo`, nor a file, nor one of OpenCV's ({', '.join(OPENCV)})."
            )
    return ours, opencvs


def _aucs(folder: Path | None, *, needed: bool) -> dict[str, float]:
    """Success AUC by the name of the tracker, from every summary that `sightline eval` has left below a folder."""
    if folder is None:
        if needed:
            raise SightlineError("--plot draws accuracy over speed: say with --accuracy where `sightline eval` has written its results.")
        return {}
    found: dict[str, float] = {}
    data: set[str] = set()
    for path in sorted(folder.rglob("summary.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(told.get("auc"), float):
            found[told["tracker"]] = told["auc"]
            data.add(told["dataset"])
    if not found or len(data) > 1:
        said = (
            f"of several data sets ({', '.join(sorted(data))}); name the folder of one"
            if data
            else "no finished results of `sightline eval`"
        )
        raise BadData(f"--accuracy {folder} holds {said}.")
    return found


def _frames(size: str) -> tuple[list[Frame], Box]:
    """Rendered frames, and the box of the target in the first."""
    from sightline.scene import Scene, render

    width, _, height = size.partition("x")
    if not (width.isdigit() and height.isdigit() and 64 <= int(width) <= 7680 and 64 <= int(height) <= 4320):
        raise SightlineError(f"--frame {size!r} is not a size; expected WxH in pixels, as in --frame 1280x720.")
    shots = list(render(Scene(seed=3, num_frames=NUM_FRAMES, size=(int(width), int(height)), occlusion=0.0, distractors=0)))
    return [shot.frame for shot in shots], shots[0].box


def _ceiling(threads: int) -> Ceiling:
    from sightline.measure.ceiling import ceiling

    return ceiling(threads)


def _race(candidates: Sequence[Candidate], frames: Sequence[Frame], box: Box, *, rounds: int, seconds: float) -> list[Times]:
    from sightline.measure.race import race

    with progress_bar() as bar:
        task = bar.add_task("rounds", total=rounds)
        return race(candidates, frames, box, rounds=rounds, seconds=seconds, told=lambda done: bar.update(task, completed=done))


def _row(
    times: Times, setting: Setting | None, candidate: Candidate, ceilings: Sequence[Ceiling], aucs: Mapping[str, float]
) -> dict[str, Any]:
    """A row of the report: times, the setting, the network's and the file's size, accuracy, and its rate as a share of the ceiling."""
    from sightline.zoo.measured import measured

    name = times.name.lower().replace(" ", "-") if setting is None else _spec_name(candidate)
    row: dict[str, Any] = asdict(times) | {"tracker": name, "threads": 1, "targets": 1} | (asdict(setting) if setting else {})
    size = measured().get(name)
    row |= {"parameters": size and size.parameters, "macs": size and size.macs, "share_of_ceiling": None}
    row |= {"file_mb": setting and _file_mb(setting), "auc": aucs.get(name), "spec": name}
    if setting and size and times.network:
        [found] = [ceiling for ceiling in ceilings if ceiling.threads == setting.threads]
        best = getattr(found, setting.precision.partition("+")[0])
        row["share_of_ceiling"] = 2 * size.macs * setting.targets / (times.network * 1e6) / best if best else None
    return row


def _spec_name(candidate: Candidate) -> str:
    """Of a tracker, or of the many of one."""
    follower: Any = candidate.follower
    name: str = follower.method.spec.name
    return name


def _file_mb(setting: Setting) -> float | None:
    """Of the weights, both graphs of a tracker that reads its template apart; None for random ones."""
    from sightline.errors import WeightsMissing
    from sightline.weights import find, init_path

    try:
        path = find(setting.tracker)
    except WeightsMissing:
        return None
    return sum(file.stat().st_size for file in (path, init_path(path)) if file.is_file()) / 1e6


def _per_target(times: Times, setting: Setting, candidate: Candidate, frame: Frame, box: Box) -> dict[str, Any]:
    """What each of several targets costs: time, beside the network alone, and memory."""
    from sightline.measure.entrants import bytes_of_a_target

    follower: Any = candidate.follower
    return {
        "name": times.name,
        "targets": setting.targets,
        "per_target": times.p50 / setting.targets,
        "to_network": None if times.network is None else times.p50 / times.network,
        "kilobytes": bytes_of_a_target(follower.method, frame, box) / 1e3,
    }


def _videos(setting: Setting, frames: Sequence[Frame], box: Box, videos: int, *, rounds: int, seconds: float) -> dict[str, Any]:
    from sightline.cli.loading import set_threads
    from sightline.measure.videos import rates

    set_threads(1, torch_too=setting.engine == "torch")
    alone = Setting(setting.tracker, setting.engine, setting.precision)
    loaded = [alone.tracker, alone.engine, alone.precision]
    return {"name": str(alone), **asdict(rates(method_of(alone), loaded, frames, box, videos=videos, rounds=rounds, seconds=seconds))}


def _draw(report: Mapping[str, Any], plot: Path) -> None:
    """The rows that have an accuracy, one for each tracker: the fastest."""
    from sightline.evaluate.report.plots import draw_speed, rendered
    from sightline.weights import write_whole

    best: dict[str, Mapping[str, Any]] = {}
    for row in sorted(report["rows"], key=lambda row: row["p50"] / row["targets"]):
        if row["auc"] is not None:
            best.setdefault(row["tracker"], row)
    if not best:
        raise BadData("no row has an accuracy: --accuracy has results of other trackers.")
    points = [(row["name"].replace(row["tracker"], row["spec"]), row["fps"], row["auc"]) for row in best.values()]
    with needing("plots", "--plot"):
        write_whole({plot: rendered(draw_speed(points, where=report["machine"]["processor"]), plot.suffix.lower()[1:])})


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


def _soaked(candidate: Candidate, frames: Sequence[Frame], box: Box, *, minutes: float, threads: int) -> list[dict[str, Any]]:
    from sightline.measure.ceiling import product
    from sightline.measure.soak import soak

    candidate.prepare()
    yardstick = product("f32", threads)
    with progress_bar() as bar:
        task = bar.add_task("soak", total=minutes * 60)
        windows = []
        for window in soak(candidate.follower, frames, box, seconds=minutes * 60, window=min(10.0, minutes * 6), yardstick=yardstick):
            windows.append(asdict(window))
            bar.update(task, completed=window.at)
            if candidate.network is not None:
                candidate.network.calls.clear()
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
