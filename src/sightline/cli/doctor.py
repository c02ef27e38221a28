"""`sightline doctor`: what is installed, what works, and a second of tracking as a test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from sightline.builtin import DEFAULT
from sightline.cli.arguments import Device, Json, optional
from sightline.cli.environment import OPTIONAL, machine, version_of, versions
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.engines import Session

__all__ = ["doctor"]

NUM_FRAMES = 40
HEALTHY_IOU = 0.4  # mean over the rendered clip; the built-in tracker is well above: this finds broken machines, not weak trackers


def doctor(
    *,
    engine: Annotated[str | None, optional("NAME")] = None,
    device: Device = "cpu",
    as_json: Json = False,
) -> int:
    """Say what is installed and which engines work, and follow an object through a rendered clip as a self-test.

    Exit code 0 where tracking works, 1 where something that it needs does not.

    Args:
        engine: what runs the self-test; onnxruntime where not given, the fastest one where it is "auto".
        device: where the network runs in the self-test, and where every engine is tried, as for `sightline track`.
        as_json: print one JSON object instead of text.
    """
    from sightline.engines.cores import cores

    report: dict[str, Any] = {
        "versions": versions(),
        "optional": {name: version_of(name) for name in OPTIONAL},
        "machine": machine() | {"processors": cores()._asdict()},
        "engines": _engines(device),
        "self_test": _self_test(engine, device),
    }
    report["healthy"] = None not in report["versions"].values() and report["self_test"]["problem"] is None
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        _print_report(report)
    return 0 if report["healthy"] else 1


def _engines(device: str) -> dict[str, str | None]:
    """Every engine with what keeps it from opening and running a network on a device; None where nothing does.

    torch-compile is torch and a compiler, whose first call takes half a minute: nobody waits so long for a doctor.
    """
    import numpy as np

    from sightline.box import Box
    from sightline.engines import ENGINES
    from sightline.frame import Frame
    from sightline.methods.network import NetworkMethod

    frame = Frame(np.zeros((240, 320, 3), np.uint8))
    problems: dict[str, str | None] = {}
    for name in (engine for engine in ENGINES if engine != "torch-compile"):
        try:
            method = NetworkMethod(_session(name, device))
            method.advance([frame], [method.begin(frame, Box(100, 80, 60, 60))])
        except (SightlineError, ImportError, OSError) as error:
            missing = error.name if isinstance(error, ModuleNotFoundError) else None
            problems[name] = f"{missing} is not installed" if missing else " ".join(str(error).split())
        else:
            problems[name] = None
    return problems


def _session(engine: str, device: str) -> Session:
    """The built-in tracker, opened by an engine; torch, which cannot read its ONNX, gets the same network untrained."""
    from sightline import zoo
    from sightline.engines import open_session, open_untrained
    from sightline.weights import find

    return (
        open_untrained(zoo.find(DEFAULT), device=device) if engine == "torch" else open_session(find(DEFAULT), engine=engine, device=device)
    )


def _self_test(engine: str | None, device: str) -> dict[str, Any]:
    """Follow the target of a rendered clip and compare with the truth."""
    import numpy as np

    from sightline.box import iou
    from sightline.loop import follow
    from sightline.scene import Scene, render
    from sightline.tracker import opened, resolve

    shots = list(render(Scene(seed=3, num_frames=NUM_FRAMES, size=(480, 270), occlusion=0.0, distractors=0)))
    opening = None
    try:
        opening = resolve(DEFAULT, engine=engine, device=device)
        steps = list(follow((shot.frame for shot in shots), box=shots[0].box, tracker=opened(opening)))
    except (SightlineError, ImportError, OSError) as error:
        return {
            "engine": opening.engine if opening else engine,
            "frames": NUM_FRAMES,
            "mean_iou": None,
            "tracker_fps": None,
            "problem": " ".join(str(error).split()),
        }
    steps, shots = steps[1:], shots[1:]  # the first box was given
    overlap = float(iou(np.array([step.estimate.box for step in steps]), np.array([shot.box for shot in shots])).mean())
    problem = None
    if overlap < HEALTHY_IOU:
        problem = (
            f"{DEFAULT} lost a rendered target: mean IoU {overlap:.2f}, expected {HEALTHY_IOU} or more; please report it with this text."
        )
    fps = len(steps) / sum(step.seconds for step in steps)
    return {"engine": opening.engine, "frames": NUM_FRAMES, "mean_iou": round(overlap, 3), "tracker_fps": round(fps, 1), "problem": problem}


def _limits(processors: Mapping[str, Any]) -> dict[str, str]:
    """Why there are fewer cores than the machine has; nothing where there are not."""
    told = []
    if processors["mask"] < processors["machine"]:
        told.append(f"this process may run on {processors['mask']} of {processors['machine']} processors")
    if processors["quota"] is not None:
        told.append(f"its container gives it the time of {processors['quota']:g} of {processors['machine']}")
    return {"limits": "; ".join(told)} if told else {}


def _print_report(report: Mapping[str, Any]) -> None:
    test = report["self_test"]
    passed = f"{test['frames']} rendered frames followed, mean IoU {test['mean_iou']}, {test['tracker_fps']} fps (tracker alone, {test['engine']}, threads as it likes)"
    sections: dict[str, dict[str, str]] = {
        "installed": {name: version or "MISSING: install sightline again" for name, version in report["versions"].items()},
        "optional": {name: version or "not installed" for name, version in report["optional"].items()},
        "engines": {name: problem or "works" for name, problem in report["engines"].items()},
        "machine": {name: str(value) for name, value in report["machine"].items() if name != "processors"}
        | _limits(report["machine"]["processors"]),
        "self-test": {DEFAULT: test["problem"] or passed},
    }
    for title, rows in sections.items():
        print(title)
        for name, text in rows.items():
            print(f"  {name:<24}{text}")
    print("healthy" if report["healthy"] else "not healthy: see above")
