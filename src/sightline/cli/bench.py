"""`sightline bench`: how fast trackers are on this machine, in turns, as shares of what the machine can do."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from sightline.builtin import DEFAULT
from sightline.cli.accuracy import aucs_in, draw
from sightline.cli.arguments import Flag, Json, check_place, check_suffix, numbers, optional, words
from sightline.cli.environment import machine, version_of, versions
from sightline.cli.extras import needing
from sightline.cli.interrupt import Interrupts
from sightline.cli.progress import counting_bar
from sightline.cli.settings import Numbers, beside, entry_of, opencv_entry, prepare, settings_of
from sightline.errors import BadData, SightlineError

if TYPE_CHECKING:
    from sightline.box import Box
    from sightline.frame import Frame
    from sightline.measure.bench import Course, Entry, Parts
    from sightline.measure.report import Report
    from sightline.measure.subject import Setting

__all__ = ["bench"]

NUM_FRAMES = 12
SUFFIXES = (".json", ".md")
PLOTS = (".svg", ".pdf", ".png")


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
    from sightline.measure.bench import Course, Parts
    from sightline.measure.report import Report

    _check_numbers(rounds=rounds, seconds=seconds, soak=soak)
    _check_files(output, plot)
    aucs = aucs_in(accuracy, needed=plot is not None)
    engines = [None] if engine is None else _named("--engine", engine)
    counts = Numbers(
        numbers("--threads", threads),
        numbers("--targets", targets),
        numbers("--batch", batch) if batch else [0],
        numbers("--callers", callers),
    )
    parts = Parts(numbers("--videos", videos) if videos else (), start, layers, soak)
    others, opencvs = _compared(compare)
    settings = settings_of(trackers, engines, _named("--precision", precision), counts)
    settings += beside(settings[0].subject, others, engine_is_given=engine is not None) if others else []
    _check_parts(settings, parts)
    course = Course(*_frames(frame), rounds, seconds)
    entries = [entry_of(setting, aucs) for setting in settings] + [opencv_entry(name, aucs) for name in opencvs]
    if plot is not None and all(entry.auc is None for entry in entries):
        told = ", ".join(f"{name} ({by})" for name, by in aucs)
        raise BadData(f"--accuracy {accuracy} has results of {told}, and of none of the trackers here: --plot would be empty.")
    report = Report(machine(), versions() | {name: version_of(name) for name in ("openvino", "torch")}, frame)
    problem = _measured(report, entries, course, parts)
    _tell(report, output, as_json=as_json)
    if plot is not None:
        draw(report, plot)
    if problem is not None:
        raise SightlineError(f"{problem} What was measured before is in the report.") from problem
    return 130 if report.stopped else 0


def _measured(report: Report, entries: Sequence[Entry], course: Course, parts: Parts) -> SightlineError | None:
    """Fill the report as far as it goes, and say there what ended it early; that, too, where it was an error.

    Raises:
        KeyboardInterrupt, SightlineError: before the first round was done.
    """
    from sightline.measure.bench import fill

    try:
        with Interrupts():
            fill(report, entries, course, parts, prepare=prepare, watch=counting_bar)
    except (KeyboardInterrupt, SightlineError) as stop:
        if not report.rows:
            raise
        problem = stop if isinstance(stop, SightlineError) else None
        report.stopped = "interrupted" if problem is None else str(problem)
        return problem
    return None


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


def _check_parts(settings: Sequence[Setting], parts: Parts) -> None:
    """Refuse what could not be measured of any of the settings, or not of the one that it is measured of."""
    from sightline.measure.layers import PROFILERS

    if parts.layers and not any(setting.subject.engine in PROFILERS for setting in settings):
        raise SightlineError(f"--layers asks the profilers of {' and '.join(PROFILERS)}: add one of them to --engine.")
    random = [setting.subject for setting in settings if setting.subject.has_random_weights]
    if random and (parts.start or (parts.videos and settings[0].subject in random)):
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


def _tell(report: Report, output: Path | None, *, as_json: bool) -> None:
    from sightline.measure.tables import markdown
    from sightline.weights import write_whole

    text = json.dumps(report.to_json(), indent=1)
    page = markdown(report)
    print(text if as_json else page)  # first: where there is no room for the file, it is not lost
    if output is not None:
        write_whole({output: ((text if output.suffix.lower() == ".json" else page) + "\n").encode()})
        if not as_json:
            print(f"\nreport: {output}")
