"""`sightline track`: follow one object, or several, through a video."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from sightline.builtin import DEFAULT
from sightline.cli.arguments import Device, Flag, Json, Precision, check_place, check_suffix, is_source, moment_from_text, optional
from sightline.cli.environment import versions
from sightline.cli.loading import load_by_name
from sightline.cli.marks import Marks, marks_from, numbers_of
from sightline.cli.results import SUFFIXES
from sightline.errors import SightlineError, VideoError

if TYPE_CHECKING:
    from sightline.cli.run import Run
    from sightline.frame import Moment
    from sightline.tracker import Tracker

__all__ = ["track"]

FALLBACK_FPS = 25.0  # of the written video, where the source (a folder of images) has no rate of its own


def track(
    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")],
    /,
    *,
    box: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, optional("[NAME=]X,Y,W,H")] = (),
    boxes: Annotated[Path | None, optional("FILE")] = None,
    point: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, optional("[NAME=]X,Y")] = (),
    mask: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, optional("[NAME=]FILE")] = (),
    select: Flag = False,
    look: Annotated[Path | None, optional("FILE")] = None,
    tracker: Annotated[str, tyro.conf.arg(metavar="NAME|PATH")] = DEFAULT,
    output: Annotated[Path | None, optional("VIDEO", "-o")] = None,
    results: Annotated[Path | None, optional("FILE", "-r")] = None,
    start: Annotated[str, tyro.conf.arg(metavar="FRAME|TIME")] = "0",
    infrared: Annotated[str | None, optional("SOURCE")] = None,
    engine: Annotated[str | None, optional("NAME")] = None,
    threads: Annotated[int | None, optional("N")] = None,
    callers: Annotated[int | None, optional("N")] = None,
    device: Device = "cpu",
    precision: Precision = "f32",
    as_json: Json = False,
) -> int:
    """Follow one object, or several, through a video.

    Give the object's box in the first frame, with --box or with the mouse (--select), or a --point or a --mask. What comes out is a video with the
    box drawn (--output), a file with one row per frame (--results), or both. Several --box are several objects; --boxes reads many from a file.
    An existing file is replaced once the new one is complete. Ctrl-C stops early and finishes the files; so do `timeout` and `kill`, and a video that breaks half-way.

    Example: sightline track street.mp4 --box 120,80,40,60 --output tracked.mp4 --results track.csv

    Args:
        source: a video file, a folder of images, a quoted pattern such as "img/*.jpg", the number of a camera, or an address (rtsp://, http://).
        box: the object in the first frame: left, top, width, height in pixels; --box=-5,10,20,30 where it begins outside the frame. Once for each object,
            with a name where wanted (car=120,80,40,60), else they are numbered from 1.
        boxes: a list of objects: .csv or .json with x,y,w,h and, where wanted, name, frame (where the object is added: a frame, counted from 0, or a time
            such as 12.5s or 0:12.5) and last (the last frame, or time, that it is followed in); the text of MOTChallenge; --results of an earlier run, whose
            objects are followed again; or a list of `sightline batch`, of which the rows of SOURCE are taken.
        point: a point about the middle of the object, instead of its box; the tracker itself tries which size it keeps. Once for each object.
        mask: an image of the first frame's size, not black where the object is, instead of its box. Once for each object, with a name where wanted
            (car=car.png). An image with several objects, each in a value or colour of its own, takes a name for each, from the lowest value on:
            car,person=labels.png.
        select: draw the box with the mouse; needs a display, and opencv-python in place of opencv-python-headless.
        look: write the first frame here, .png or .jpg, with lines at round numbers of pixels to read --box from, and do nothing else.
        tracker: a name from `sightline zoo`, or the path of a weights file. A name whose weights can neither be found nor fetched runs with random ones, and says so.
        output: write the video with the box drawn here: .mp4 (H.264, plays in a browser), .mov, .mkv, .avi or .webm. Images have no times, and are shown at 25
            a second.
        results: write the boxes here: .csv has the columns frame,time,x,y,w,h,score,status, .jsonl the same keys, .txt only x,y,w,h of every frame. With several
            objects, or names, a row for each, with its name in the column target; .txt is MOTChallenge's format then, without the frames in which it is lost.
        start: the frame to begin with, counted from 0, or a time (12.5s, 0:12.5); --box belongs to this frame.
        infrared: a second source, aligned with the first frame by frame, for trackers that look at both (the one in the package does not).
        engine: what runs the network, see `sightline doctor`; chosen by the kind of weights file where not given; auto is the fastest here, measured once for a second.
        threads: processor threads of each network call. Where neither this nor --callers is given, one object gets all cores, and several are
            followed at the same time, on as many cores as there are, each by its part of them.
        callers: objects that are in the network at the same time, each with --threads of its own; one where only --threads is given.
        device: where the network runs: cpu, or what the engine has: cuda, cuda:1, mps and so on of torch, cuda of onnxruntime-gpu, gpu of openvino. Unless
            --callers says otherwise, several objects then go through it together. --threads are of the processor always.
        precision: what the network is computed in; bf16 (openvino) and int8 (after `sightline quantize`) are faster, with slightly other boxes. Of --engine auto, the limit.
        as_json: print one JSON object about the run on standard output, and nothing else there.
    """
    _check_numbers(threads=threads, callers=callers)
    begin = moment_from_text("--start", start)
    if look is not None:
        from sightline.cli.look import write_look

        write_look(source, look, start=begin)
        return 0
    marks = marks_from(box, boxes, point, mask, select=select, source=source)
    _check_paths((source, infrared, None if boxes is None else str(boxes)), output, results)
    if select:
        from sightline.cli.select import check_window

        check_window()
    from sightline.engines.cores import shares

    if device != "cpu":
        callers = callers or 1  # the cores of the processor are not what is shared
    threads, callers = shares(marks.most_at_once, threads, callers)
    loaded, opening = load_by_name(tracker, engine=engine, threads=threads, device=device, precision=precision)
    done = _run(source, marks, loaded, infrared=infrared, start=begin, output=output, results=results, callers=callers)
    paths = {"output": None if output is None else str(output), "results": None if results is None else str(results)}
    sources = {"source": source, "infrared": infrared, "infrared_used": infrared is not None and "extra" in loaded.spec.feed}
    summary = {
        **sources,
        "tracker": loaded.spec.name,
        "weights": str(opening.path) if opening else "random",
        "start": begin if type(begin) is int else start,
        "targets": len(marks.names),
        **done.figures(),
        **paths,
    }
    if as_json:
        how = {"engine": opening.engine, "precision": opening.precision} if opening else {"engine": "torch", "precision": "f32"}
        told = {**summary, **how, "device": device, "threads": threads, "callers": callers, "versions": versions()}
        print(json.dumps(told))
    else:
        _print_summary(summary, done.sizes)
        if engine == "auto" and opening:
            print(f"engine: {opening}, the fastest here")
    if done.error is not None:
        kept = " and ".join(path for path in paths.values() if path) or "no file, for neither --output nor --results was given"
        raise SightlineError(f"{done.error} Kept: {done.num_frames} frames in {kept}.") from done.error
    return 130 if done.interrupted else 0


def _check_numbers(*, threads: int | None, callers: int | None) -> None:
    if threads is not None and threads < 1:
        raise SightlineError(f"--threads is {threads}; expected at least 1, or leave it out for one on each physical core.")
    if callers is not None and callers < 1:
        raise SightlineError(f"--callers is {callers}; expected at least 1.")


def _check_paths(sources: Sequence[str | None], output: Path | None, results: Path | None) -> None:
    """Refuse what would only fail after an hour of tracking, or would overwrite what is being read."""
    from sightline.draw import VIDEO_SUFFIXES

    if output is not None:
        check_suffix(output, VIDEO_SUFFIXES, "--output")
    if results is not None:
        check_suffix(results, SUFFIXES, "--results")
    for option, path in (("--output", output), ("--results", results)):
        if path is None:
            continue
        check_place(path, option)
        if any(source is not None and is_source(path, source) for source in sources):
            raise SightlineError(f"{option} {path} is the source itself, or the list of boxes; choose another name.")


def _run(
    source: str,
    marks: Marks,
    tracker: Tracker[Any],
    *,
    infrared: str | None,
    start: Moment,
    output: Path | None,
    results: Path | None,
    callers: int,
) -> Run:
    """Open the source, find the boxes of what was marked otherwise, and follow."""
    from sightline.cli.outputs import Outputs
    from sightline.cli.run import run
    from sightline.frame import read

    with contextlib.closing(read(source, start=start, infrared=infrared)) as reader:
        frames = iter(reader)
        found = marks.boxes
        if not marks.are_boxes:
            first = next(frames, None)
            if first is None:
                raise VideoError(f"{source} has no frames.")
            found = marks.found_in(first, tracker)
            frames = itertools.chain([first], frames)
        outputs = Outputs(video=output, results=results, fps=reader.fps or FALLBACK_FPS, numbers=numbers_of(marks))
        return run(frames, outputs, marks=found, tracker=tracker, total=reader.num_frames, callers=callers)


def _print_summary(summary: dict[str, Any], sizes: Mapping[tuple[int, int], int]) -> None:
    speed = "" if summary["tracker_fps"] is None else f"; the tracker alone {summary['tracker_fps']:.1f} fps"
    targets = f"{summary['targets']} targets through " if summary["targets"] > 1 else ""
    print(
        f"{summary['tracker']} followed {targets}{summary['frames']} frames of {summary['source']} in {summary['seconds']:.1f} s "
        f"({summary['fps']:.1f} fps{speed}): {summary['tracked']} tracked, {summary['uncertain']} uncertain, {summary['lost']} lost."
    )
    for title, path in (("video", summary["output"]), ("boxes", summary["results"])):
        if path is not None:
            print(f"{title}: {path}")
    if summary["infrared"] is not None and not summary["infrared_used"]:
        print(f"The infrared source was read and not used: {summary['tracker']} looks at one picture only.")
    if len(sizes) > 1:
        told = ", ".join(f"{width}x{height} from frame {index}" for (width, height), index in list(sizes.items())[:3])
        print(
            f"The frames have {len(sizes)} sizes ({told}): each box is in pixels of its own frame, and a target is hardly found again after a change."
        )
    if summary["output"] is None and summary["results"] is None:
        print("Nothing was written: give --output or --results to keep the track.")
