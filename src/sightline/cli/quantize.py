"""`sightline quantize`: a network in int8, calibrated on real crops, refused where its boxes are others."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from sightline.cli.arguments import Json, box_from_text, check_place, check_suffix, optional
from sightline.cli.extras import needing
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.quantize.footage import Footage

__all__ = ["quantize"]


def quantize(
    weights: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME|FILE")],
    /,
    *,
    engine: Literal["openvino", "onnxruntime"] = "openvino",
    calibrate: Annotated[Path | None, optional("DIR|VIDEO")] = None,
    box: Annotated[str | None, optional("X,Y,W,H")] = None,
    budget: Annotated[float, tyro.conf.arg(metavar="IOU")] = 0.95,
    output: Annotated[Path | None, optional("FILE", "-o")] = None,
    as_json: Json = False,
) -> None:
    """Write an exported network in int8, for `--precision int8` of the other commands; refuse where it loses more than --budget.

    The boxes of int8 and f32 are compared in the same crops of real pictures, which have to be given and which it was not calibrated on. Nothing is
    trained. Forms are tried in turn, from all in int8 but the decoder to more and more in f32, until the boxes are kept.
    Needs nncf for openvino: pip install 'sightline[int8]'.

    Example: sightline quantize kestrel-nano --calibrate sequences

    Args:
        weights: a name from `sightline zoo`, or the path of an .onnx file.
        engine: who will run it; a file of one is slow on the other.
        calibrate: sequences with boxes, as `sightline eval --dataset folder` reads them (every second one is for the check: give ten or more), a
            training folder, or with --box a video, for which alone the check speaks then. Has to be given.
        box: the target in the first frame of a video, which is followed in f32: left, top, width, height in pixels.
        budget: the least mean overlap (IoU, 0 to 1) with the boxes of f32.
        output: write it here, as .onnx; where not given, to where --precision int8 finds it: beside the weights, or in the cache folder for those in the package.
        as_json: print one JSON object on standard output, and nothing else there.
    """
    if calibrate is None:
        raise SightlineError(
            f"int8 is calibrated and checked on real pictures: give --calibrate SEQUENCES (a folder of NAME/img/*.jpg with NAME/groundtruth.txt, a box "
            f"x,y,w,h for each image; ten or more), or a video of yours with its target, --calibrate street.mp4 --box {box or '120,80,40,60'}."
        )
    if output is not None:
        check_suffix(output, (".onnx",), "--output")
    if not 0 <= budget <= 1:
        raise SightlineError(f"--budget is {budget:g}; expected an overlap from 0 to 1, as in --budget 0.95.")
    from sightline.weights import find, int8_path, limit_of

    path = find(weights)
    target = output or int8_path(path, engine)
    if target.exists() and target.samefile(path):
        raise SightlineError(f"--output {target} is the file in f32 itself; choose another name.")
    check_place(target, "--output")
    with needing("int8", f"quantising for {engine}"):
        from sightline.quantize import quantize as make
        from sightline.quantize.footage import open_footage

        with needing("train", "reading a training folder"):
            footage = open_footage(calibrate) if box is None else _followed(calibrate, box, path)
        done = make(path, target, engine=engine, footage=footage, budget=budget, tell=lambda line: print(line, file=sys.stderr))
    if as_json:
        agreements = {precision: asdict(found) for precision, found in done.agreements.items()}
        told = {"files": [str(file) for file in done.files], "engine": engine, "agreement": agreements, "budget": budget}
        print(
            json.dumps(
                told | {"calibrated_on": footage.told, "crops": done.calibrated, "f32": done.exact, "objects_checked": footage.objects}
            )
        )
        return
    for file in done.files:
        print(f"{file} ({file.stat().st_size / 1e6:.1f} MB)")
    print(f"calibrated on {done.calibrated} crops of {footage.told}{' and of rendered scenes' if footage.drawn else ''}")
    for precision, found in done.agreements.items():
        print(f"{precision}: boxes against f32 in the same crops: {found} (budget {budget:g})")
    limit = limit_of(done.files[0])
    if limit is not None:
        print(limit)


def _followed(source: Path, box: str, weights: Path) -> Footage:
    from sightline.quantize.footage import followed
    from sightline.tracker import load

    return followed(str(source), box_from_text(box), load(weights, threads=1))
