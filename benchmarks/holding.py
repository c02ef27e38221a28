"""What it is worth that a tracker holds a target that it calls lost (`Spec.hold`): mean success AUC of one pass, by rule.

    python benchmarks/holding.py --data DIR [--trackers merlin kestrel-nano] [--output FILE.json]

DIR is a folder of sequences as `sightline eval --dataset folder` reads it. The rules are the tracker's own, none (what was found is followed, whatever
its score), and one that holds without an end, where the target stood; onnxruntime in f32, one thread.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import tyro

from sightline.engines import open_session
from sightline.evaluate.clips import open_dataset
from sightline.evaluate.metrics import success_auc
from sightline.frame import read
from sightline.loop import follow
from sightline.spec import Hold, Spec
from sightline.tracker import Tracker, method_of
from sightline.weights import find, spec_in

ENDLESS = Hold(slow=0.0, reach=1e9, longest=10**9)


def rules_of(spec: Spec) -> Mapping[str, Spec]:
    """The tracker under every rule."""
    return {"its own": spec, "none": replace(spec, hold=None), "without an end": replace(spec, hold=ENDLESS)}


def main(
    data: Path,
    *,
    trackers: Sequence[str] = ("merlin", "kestrel-nano"),
    output: Path = Path("benchmarks/results/holding.json"),
) -> None:
    """Measure and print a table.

    Args:
        data: folder of sequences.
        trackers: names or ONNX files whose score is a probability.
        output: all figures.
    """
    cv2.setNumThreads(1)
    found: dict[str, dict[str, float]] = {}
    for name in trackers:
        path = find(name)
        spec = spec_in(path)
        assert spec is not None  # all that Sightline exports have one
        found[name] = {}
        for rule, ruled in rules_of(spec).items():
            tracker = Tracker(method_of(open_session(path, threads=1, spec=ruled)))
            aucs = []
            for clip in open_dataset("folder", data):
                steps = follow(read(clip.frames), box=clip.truth[0], tracker=tracker)
                aucs.append(success_auc(np.array([step.estimate.box for step in steps], np.float64), clip.truth))
            found[name][rule] = statistics.mean(aucs)
    rules = list(next(iter(found.values())))
    print(f"| tracker | {' | '.join(rules)} |")
    print(f"|---|{'---:|' * len(rules)}")
    for name, values in found.items():
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in values.values())} |")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
