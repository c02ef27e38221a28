"""Does it help to average the tokens that a network drops into one that stays? Three ways to weigh them, on real weights.

    python -m benchmarks.merging --vittrack FILE.onnx --data DIR

FILE is the published VitTrack-nano (object_tracking_vittrack_2023sep.onnx): the one openly licensed one-stream network that is small enough
to try everything. Its three blocks are run as OSTrack's are, with an elimination after the attention of the first two, which it was not
trained for: figures say how well each way bears what is taken away, not how good a network trained with it would be.
DIR holds `<sequence>/{img/*.jpg, groundtruth.txt}`; success AUC as in benchmarks/accuracy.py. One thread of torch.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

import cv2
import torch
import tyro
from benchmarks.accuracy import Ours, read_clip, run
from torch import nn

import sightline
from sightline import models, zoo
from sightline.evaluate.metrics import success_auc
from sightline.methods.network import NetworkMethod
from sightline.models.checkpoint import load
from sightline.models.layers.eliminate import Aggregate
from sightline.models.session import TorchSession
from sightline.spec import Spec
from sightline.zoo.ostrack import Arch

WAYS: tuple[str, ...] = ("none", *get_args(Aggregate))
KEEPS = (0.9, 0.7, 0.5)


@dataclass(frozen=True)
class Row:
    """One network: what is kept at each of two eliminations, how the rest is merged, and the mean success AUC."""

    keep: float
    merge: str
    success_auc: float


def pruned(weights: Path, keep: float, merge: str) -> tuple[nn.Module, Spec]:
    """VitTrack-nano with eliminations after the attention of its first two blocks."""
    source, spec = load(weights, zoo.find("vittrack-nano"))
    small = Arch(
        template_grid=8,
        search_grid=16,
        depth=spec.arch.depth,
        width=spec.arch.width,
        heads=spec.arch.heads,
        head_width=spec.arch.head_width,
        eliminate=(0, 1),
        keep=(keep, keep),
        queries="all",  # one head and one token would leave nothing to aggregate
        merge=merge,  # type: ignore[arg-type]  # one of its values, from WAYS
    )
    like = replace(zoo.find("ostrack-b256"), arch=small)
    network = models.build(like)
    network.stem = source.stem  # 3x3 convolutions where OSTrack has one of 16x16
    network.load_state_dict(source.state_dict())
    epsilons = {name: module.eps for name, module in source.named_modules() if isinstance(module, nn.LayerNorm)}
    for name, module in network.named_modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = epsilons[name]
    return network.eval(), replace(spec, family="ostrack", arch=small)


def main(vittrack: Path, data: Path, *, output: Path = Path("benchmarks/results/merging.json")) -> None:
    """Track everything with every network and write the table.

    Args:
        vittrack: the published ONNX file.
        data: folder of sequences.
        output: the figures.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    clips = [read_clip(path) for path in sorted(data.iterdir()) if (path / "groundtruth.txt").is_file()]
    rows = []
    for keep, way in [(1.0, "none"), *((keep, way) for keep in KEEPS for way in WAYS)]:
        network, spec = pruned(vittrack, keep, way)
        tracker = Ours(sightline.Tracker(NetworkMethod(TorchSession(spec, network))))
        auc = statistics.mean(success_auc(run(tracker, images, truth[0])[0], truth) for images, truth in clips)
        rows.append(Row(keep, way, auc))
        print(f"{keep:.2f} {way:<5} {auc:.4f}", flush=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
