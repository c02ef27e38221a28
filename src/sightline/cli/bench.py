"""`sightline bench`: how fast trackers are on this machine, in turns, as shares of what the machine can do."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import tyro

from sightline.builtin import DEFAULT
from sightline.cli.arguments import Flag, Json, check_place, check_suffix, numbers, optional, words
from sightline.cli.environment import machine, version_of, versions
from sightline.cli.extras import needing
from sightline.cli.interrupt import Interrupts
from sightline.cli.progress import progress_bar
from sightline.cli.settings import Numbers, Setting, beside, candidate_of, method_of, opencv_candidate, prepare, settings_of
from sightline.errors import BadData, SightlineError

if TYPE_CHECKING:
    from sightline.box import Box
    from sightline.engines import Opening
    from sightline.frame import Frame
    from sightline.measure.race import Candidate, Times
    from sightline.measure.subject import Subject

__all__ = ["bench"]

Kind: TypeAlias = tuple[str, str]  # a tracker; "f32", or the engine and the precision: a file in int8 is made for one engine

NUM_FRAMES = 12
SUFFIXES = (".json", ".md")
PLOTS = (".svg", ".pdf", ".png")
PARTS = ("rows", "targets", "videos", "start", "layers", "soak")  # of a report, in this order


def bench(
    trackers: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[NAME|PATH ...]")] = (DEFAULT,),
    /,
    *,
    engine: Annotated[str | None, optional("NAME,...")] = None,
    precision: Annotated[str, tyro.conf.arg(metavar="f32,bf16,int8,...")] = "f32",
    threads: Annotated[str, tyro.conf.arg(metavar="N,...")] = "1",
    targets: Annotated[str, tyro.conf.arg(metavar="N,...")] = "1",
    batch: Annotated[str, optional("N,...")] = "",
    callers: Annotated[str, tyro.conf.arg(metavar="N,...")] = "1",
    videos: Annotated[str, optional("N,...")] = "",
    compare: Annotated[str, optional("NAME|PATH,...")] = "",
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
) -> int:
    """Time trackers in turns on this machine, and tell every speed as a share of what the machine can do.

    Every combination of tracker, engine, precision, threads, targets, batch and callers is a row; rows take turns in every round, and
    ratios are taken within rounds, to the first row. Frames are rendered and in memory: reading a video is not in it. On torch, a name
    runs with random weights: its speed is the same.

    Example: sightline bench kestrel-nano --engine onnxruntime,openvino --precision f32,bf16 --threads 1,2 --compare nanotrack-v2,mil

    Args:
        trackers: names from `sightline zoo`, or paths of weights files.
        engine: onnxruntime, openvino, torch, or several with commas; "auto" is the fastest one. Where not given, the one that a file is for, and onnxruntime of names.
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
        layers: tell also where the network's time goes, by kind and by layer, and how near the ceiling that is (ONNX files, by the engine's own profiler).
        soak: let the first row run for so many minutes and tell its speed, memory, clock and energy as they go, and beside them the speed of a process that
            has just begun (on one thread): what both lose is the machine's.
        accuracy: a folder below which `sightline eval` has written results: rows get the AUC of their trackers in their precision.
        plot: draw accuracy over speed here, as .svg, .pdf or .png; with --accuracy.
        output: write the report here, as .md or .json.
        as_json: print one JSON object.
    """
    _check_numbers(rounds=rounds, seconds=seconds, soak=soak)
    _check_files(output, plot)
    aucs = _aucs(accuracy, needed=plot is not None)
    engines = [None] if engine is None else _named("--engine", engine)
    counted = Numbers(
        numbers("--threads", threads),
        numbers("--targets", targets),
        numbers("--batch", batch) if batch else [0],
        numbers("--callers", callers),
    )
    counts = numbers("--videos", videos) if videos else []
    others, opencvs = _compared(compare)
    settings = settings_of(trackers, engines, _named("--precision", precision), counted)
    settings += beside(settings[0].subject, others, engine_is_given=engine is not None) if others else []
    _check_parts(settings, layers=layers, start=start, videos=bool(counts))
    course = _Course(*_frames(frame), rounds, seconds)
    candidates = [candidate_of(setting) for setting in settings] + [opencv_candidate(name) for name in opencvs]
    kinds = [_kind(*row) for row in itertools.zip_longest(settings, candidates)]
    if plot is not None and not aucs.keys() & set(kinds):
        told = ", ".join(f"{name} ({by})" for name, by in aucs)
        raise BadData(f"--accuracy {accuracy} has results of {told}, and of none of the trackers here: --plot would be empty.")
    report: dict[str, Any] = {
        "machine": machine(),
        "versions": versions() | {name: version_of(name) for name in ("openvino", "torch")},
        "frame": frame,
        "ceilings": [],
        **{part: [] for part in PARTS},
        "stopped": None,
    }
    problem = _measured(report, settings, candidates, aucs, course, counts, start=start, layers=layers, soak=soak)
    _tell(report, output, as_json=as_json)
    if plot is not None:
        _draw(report, plot)
    if problem is not None:
        raise SightlineError(f"{problem} What was measured before is in the report.") from problem
    return 130 if report["stopped"] else 0


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


def _aucs(folder: Path | None, *, needed: bool) -> dict[Kind, float]:
    """Success AUC of one pass by tracker, engine and precision, from every summary that `sightline eval` has left below a folder."""
    if folder is None:
        if needed:
            raise SightlineError("--plot draws accuracy over speed: say with --accuracy where `sightline eval` has written its results.")
        return {}
    found: dict[Kind, float] = {}
    data: set[str] = set()
    for path in sorted(folder.rglob("summary.json")):
        told = _object_in(path)
        if told.get("protocol", "one-pass") == "one-pass" and isinstance(told.get("auc"), float):
            by = str(_object_in(path.with_name("run.json")).get("engine", ""))
            found[str(told.get("tracker")), by if " " in by else "f32"] = told["auc"]
            data.add(str(told.get("dataset")))
    if not found or len(data) > 1:
        said = (
            f"of several data sets ({', '.join(sorted(data))}); name the folder of one"
            if data
            else "no finished results of `sightline eval`"
        )
        raise BadData(f"--accuracy {folder} holds {said}.")
    return found


def _object_in(path: Path) -> dict[str, Any]:
    """What `sightline eval` has written to a file; empty where there is none."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
    except (OSError, ValueError, TypeError) as error:
        raise BadData(f"{path} cannot be read ({error}): run `sightline eval` again.") from error


def _check_numbers(*, rounds: int, seconds: float, soak: float) -> None:
    if rounds < 1 or not 0 < seconds < math.inf or not 0 <= soak < math.inf:
        raise SightlineError(f"--rounds {rounds}, --seconds {seconds:g}, --soak {soak:g}: expected at least 1, more than 0, and 0 or more.")


def _check_files(output: Path | None, plot: Path | None) -> None:
    """Refuse what could not be written after minutes of measuring."""
    if output is not None:
        check_suffix(output, SUFFIXES, "--output")
        check_place(output, "--output")
    if plot is not None:
        check_suffix(plot, PLOTS, "--plot")
        check_place(plot, "--plot")
        with needing("plots", "--plot"):
            import_module("matplotlib")


def _named(option: str, text: str) -> list[str]:
    """Words, one at least."""
    found = words(option, text)
    if not found:
        raise SightlineError(f"{option} is empty; leave it out, or name one.")
    return found


def _check_parts(settings: Sequence[Setting], *, layers: bool, start: bool, videos: bool) -> None:
    """Refuse what could not be measured of any of the settings, or not of the one that it is measured of."""
    from sightline.measure.layers import PROFILERS

    if layers and not any(setting.subject.engine in PROFILERS for setting in settings):
        raise SightlineError(f"--layers asks the profilers of {' and '.join(PROFILERS)}: add one of them to --engine.")
    random = [setting.subject for setting in settings if setting.subject.has_random_weights]
    if random and (start or (videos and settings[0].subject in random)):
        raise SightlineError(
            f"--start and --videos begin processes that read a file of weights, and {random[0].tracker} on torch has random ones: "
            "give a .safetensors file, or another --engine."
        )


def _frames(size: str) -> tuple[list[Frame], Box]:
    """Rendered frames, and the box of the target in the first."""
    from sightline.measure.subject import rendered

    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal() and 64 <= int(width) <= 7680 and 64 <= int(height) <= 4320):
        raise SightlineError(f"--frame {size!r} is not a size; expected WxH in pixels, as in --frame 1280x720.")
    return rendered((int(width), int(height)), NUM_FRAMES)


def _ceiling(threads: int) -> dict[str, Any]:
    from sightline.measure.ceiling import ceiling

    return asdict(ceiling(threads))


@dataclass(frozen=True, slots=True)
class _Course:
    """What all are raced over."""

    frames: Sequence[Frame]
    box: Box  # of the target in the first
    rounds: int
    seconds: float


def _measured(
    report: dict[str, Any],
    settings: Sequence[Setting],
    candidates: Sequence[Candidate],
    aucs: Mapping[Kind, float],
    course: _Course,
    videos: Sequence[int],
    *,
    start: bool,
    layers: bool,
    soak: float,
) -> SightlineError | None:
    """Fill the report as far as it goes, and say there what ended it early; that, too, where it was an error.

    Raises:
        KeyboardInterrupt, SightlineError: before the first round was done.
    """
    from sightline.measure.layers import PROFILERS

    try:
        with Interrupts():
            report["ceilings"] = [_ceiling(number) for number in sorted({setting.subject.threads for setting in settings})]
            _race(report, settings, candidates, aucs, course)
            for number in videos:
                report["videos"].append(_videos(settings[0].subject, course, number))
            for subject in dict.fromkeys(setting.subject for setting in settings):
                if start:
                    report["start"].append(_started(subject))
                if layers and subject.engine in PROFILERS and (opening := subject.opening()):
                    report["layers"].append(_layers(subject, opening, course))
            if soak:
                _soak(report["soak"], candidates[0], settings[0].subject, course, minutes=soak)
    except (KeyboardInterrupt, SightlineError) as stop:
        if not report["rows"]:
            raise
        problem = stop if isinstance(stop, SightlineError) else None
        report["stopped"] = "interrupted" if problem is None else str(problem)
        return problem
    return None


def _race(
    report: dict[str, Any], settings: Sequence[Setting], candidates: Sequence[Candidate], aucs: Mapping[Kind, float], course: _Course
) -> None:
    """Fill rows and targets; of the rounds that are done, where something ends it early."""
    from sightline.measure.race import Race

    race = Race(candidates, course.frames, course.box)
    try:
        with progress_bar("rounds a second") as bar:
            task = bar.add_task("rounds", total=course.rounds)
            for _ in range(course.rounds):
                race.round(course.seconds)
                bar.advance(task)
    finally:
        if race.num_rounds:
            times = race.times()
            report["rows"] = [_row(*row, report["ceilings"], aucs) for row in itertools.zip_longest(times, settings, candidates)]
            report["targets"] = [
                _per_target(*row, course.frames[0], course.box)
                for row in zip(times, settings, candidates, strict=False)
                if row[1].targets > 1
            ]


def _row(
    times: Times, setting: Setting | None, candidate: Candidate, ceilings: Sequence[Mapping[str, Any]], aucs: Mapping[Kind, float]
) -> dict[str, Any]:
    """A row of the report: times, the setting, the network's and the file's size, accuracy, and its rate as a share of the ceiling."""
    from sightline.zoo.measured import measured

    kind = name, _ = _kind(setting, candidate)
    row: dict[str, Any] = asdict(times) | {"tracker": name, "threads": 1, "targets": 1} | (_numbers_of(setting) if setting else {})
    size = measured().get(name)
    row |= {"parameters": size and size.parameters, "macs": size and size.macs, "share_of_ceiling": None}
    row |= {"file_mb": setting and setting.subject.megabytes(), "auc": aucs.get(kind), "spec": name}
    if setting and size and times.network:
        [found] = [ceiling for ceiling in ceilings if ceiling["threads"] == setting.subject.threads]
        best = found[setting.subject.precision.partition("+")[0]]
        row["share_of_ceiling"] = 2 * size.macs * setting.targets / (times.network * 1e6) / best if best else None
    return row


def _kind(setting: Setting | None, candidate: Candidate) -> Kind:
    """What a row is one of: its tracker, or the many of one; of OpenCV's, which have no setting, as `sightline eval` calls it."""
    if setting is None:
        return candidate.name.lower().replace(" ", "-"), "f32"
    follower: Any = candidate.follower
    subject = setting.subject
    return follower.method.spec.name, "f32" if subject.precision == "f32" else f"{subject.engine} {subject.precision}"


def _numbers_of(setting: Setting) -> dict[str, Any]:
    """A setting as a row of the report has it."""
    counts = {"targets": setting.targets, "batch": setting.batch, "callers": setting.callers}
    return asdict(setting.subject) | counts


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


def _videos(subject: Subject, course: _Course, videos: int) -> dict[str, Any]:
    from sightline.measure.videos import rates

    alone = replace(subject, threads=1)
    prepare(alone)
    found = rates(method_of(alone), alone, course.frames, course.box, videos=videos, rounds=course.rounds, seconds=course.seconds)
    return {"name": str(alone), **asdict(found)}


def _draw(report: Mapping[str, Any], plot: Path) -> None:
    """The rows that have an accuracy, one for each tracker and precision: the fastest."""
    from sightline.evaluate.report.plots import draw_speed, rendered
    from sightline.weights import write_whole

    best: dict[tuple[object, ...], Mapping[str, Any]] = {}
    for row in sorted(report["rows"], key=lambda row: row["p50"] / row["targets"]):
        if row["auc"] is not None:
            best.setdefault((row["tracker"], row.get("precision"), row["auc"]), row)
    points = [(row["name"].replace(row["tracker"], row["spec"]), row["fps"], row["auc"]) for row in best.values()]
    with needing("plots", "--plot"):
        write_whole({plot: rendered(draw_speed(points, where=report["machine"]["processor"]), plot.suffix.lower()[1:])})


def _started(subject: Subject) -> dict[str, Any]:
    from sightline.measure.start import start

    return {"name": str(subject), **asdict(start(subject))}


def _layers(subject: Subject, opening: Opening, course: _Course) -> dict[str, Any]:
    """A network's time by kind and by layer, on the crop of the second frame."""
    from sightline.engines.kept import Kept
    from sightline.measure.layers import kinds_of, profile
    from sightline.tracker import method_of as method_for

    kept = Kept(opening.open())
    method = method_for(kept)
    method.advance([course.frames[1]], [method.begin(course.frames[0], course.box)])
    layers = profile(opening, kept.given[-1])
    kinds = [asdict(share) for share in kinds_of(layers)]
    return {"name": str(subject), "threads": subject.threads, "kinds": kinds, "layers": [asdict(layer) for layer in layers]}


def _soak(windows: list[dict[str, Any]], candidate: Candidate, subject: Subject, course: _Course, *, minutes: float) -> None:
    """Append every stretch as it ends."""
    from sightline.measure.soak import soak
    from sightline.measure.videos import in_processes

    seconds, width = minutes * 60, min(10.0, minutes * 6)
    size = (course.frames[0].width, course.frames[0].height)

    def fresh() -> float:
        with in_processes(subject, size, 1) as run:
            return run(width / 10)

    candidate.prepare()
    beside = None if subject.has_random_weights else fresh  # a process reads them from a file
    with progress_bar("s a second") as bar:
        task = bar.add_task("soak, seconds", total=round(seconds))
        for window in soak(candidate.follower, course.frames, course.box, seconds=seconds, window=width, fresh=beside):
            windows.append(asdict(window))
            bar.update(task, completed=round(window.at))
            if candidate.network is not None:
                candidate.network.calls.clear()


def _tell(report: dict[str, Any], output: Path | None, *, as_json: bool) -> None:
    from sightline.measure.report import markdown
    from sightline.weights import write_whole

    text = json.dumps(report, indent=1)
    page = markdown(report)
    print(text if as_json else page)  # first: where there is no room for the file, it is not lost
    if output is not None:
        write_whole({output: ((text if output.suffix.lower() == ".json" else page) + "\n").encode()})
        if not as_json:
            print(f"\nreport: {output}")
