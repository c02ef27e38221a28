"""What SwinTrack's motion token is worth where things move fast and straight: a small network trained with and without it.

    python benchmarks/motion_token.py --look thermal       38 minutes on one thread of a busy two-core machine; writes results/motion_token_thermal.json

Rendered clips show an object among its doubles, all going through the picture in straight lines of their own, so that looks alone do
not tell which is which. For every seed two networks are trained on the same batches; they differ in nothing but the token. Both then
follow the objects of held-out clips from the first box on. "Standing still" is the network with the token when it is told that the
target was always where it is now: what is lost by that is what the past boxes were worth. "One frame" looks at single frames of the
straight clips around nearly true boxes, "wandering" follows slow targets, on which nothing was trained.

Learned from truth: the past boxes of a training sample are true ones with noise, and the search crop is cut around the last of them.
"""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from torch import Tensor, nn
from torch.nn import functional

from sightline import models, zoo
from sightline.box import Box, iou, xywh_from_cxcywh
from sightline.engines import Array, Role
from sightline.methods.memory import sampled
from sightline.methods.network import NetworkMethod
from sightline.models.checkpoint import load
from sightline.models.kestrel import Kestrel
from sightline.models.layers.boxes import xyxy_from_cxcywh
from sightline.models.layers.decode import normalize
from sightline.models.layers.heads import to_grid
from sightline.models.session import TorchSession
from sightline.models.swintrack import Look as Seen
from sightline.models.swintrack import SwinTrack
from sightline.placement import region_around
from sightline.scene import Kind, Look, Scene, SceneFrame, render
from sightline.spec import History, Spec
from sightline.train.overlap import overlap_losses

KINDS: tuple[Kind, ...] = ("ellipse", "polygon", "drone")
WEIGHTS = Path(__file__).parents[1] / "recipes" / "kestrel-nano.safetensors"
RESULTS = Path(__file__).parent / "results"
NOISE = 0.08  # of past boxes, in their width and height
PUBLISHED = zoo.find("swintrack-t224")


@dataclass(frozen=True)
class Samples:
    """Training samples: template (N, 16, 48) and search tokens (N, 64, 48), past boxes (N, K, 4) and box (N, 4) in the search crop."""

    template: Tensor
    search: Tensor
    history: Tensor
    box: Tensor


class Small(nn.Module):
    """SwinTrack's fusion, decoder and head on tokens of the built-in tracker, which stays as it is.

    Its search tokens have read the template: they know what looks like the target, and not which of several that do it is. Both grids
    are halved, to 4 x 4 and 8 x 8 tokens.
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        kestrel, _ = load(WEIGHTS)
        fusion = models.build(spec)
        assert isinstance(kestrel, Kestrel)
        assert isinstance(fusion, SwinTrack)
        self.kestrel = kestrel.requires_grad_(False)
        self.widen = nn.Linear(48, spec.arch.width)
        self.fusion = fusion.train()
        self.fusion.backbone = nn.Identity()  # type: ignore[assignment]  # not used

    @torch.no_grad()
    def read(self, template: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, 16, 48) and (B, 64, 48) of crops (B, 128, 128, 3) and (B, 256, 256, 3)."""
        pixels = normalize(template)
        tokens = self.kestrel.stem(pixels) + self.kestrel.template_positions
        for block in self.kestrel.blocks:
            tokens, _ = block(tokens)
        found, _ = self.kestrel.look(normalize(search), self.kestrel.read_template(pixels))
        return halved(self.kestrel.norm(tokens)), halved(found)

    def look(self, template: Tensor, search: Tensor, history: Tensor | None) -> Seen:
        """What the fusion says about tokens, given past boxes (B, K, 4) where it has a motion token."""
        return self.fusion.look(self.widen(template), self.widen(search), history)

    def step(self, template: Tensor, search: Tensor, history: Tensor | None = None) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,) of crops (B, 128, 128, 3) and (B, 256, 256, 3)."""
        return self.fusion.decide(self.look(*self.read(template, search), history))


def halved(tokens: Tensor) -> Tensor:
    """Every two by two tokens of a grid averaged: (B, 4 n * n, C) to (B, n * n, C)."""
    return functional.avg_pool2d(to_grid(tokens), 2).flatten(2).transpose(1, 2)


def small_spec(*, history: int = 0, every: int = 1) -> Spec:
    """SwinTrack in small; `history` past boxes in the motion token, 0 for none of it."""
    arch = replace(
        PUBLISHED.arch,
        template_grid=4,
        search_grid=8,
        swin_width=16,
        depths=(0, 0, 0),
        swin_heads=(1, 1, 1),
        width=64,
        heads=4,
        encoder=1,
        history=history,
        cells=32 if history else 0,
    )
    return replace(
        PUBLISHED,
        name="swintrack-small",
        arch=arch,
        template=replace(PUBLISHED.template, size=128),
        search=replace(PUBLISHED.search, size=256),
        history=History(length=history, every=every) if history else None,
    )


def scene(seed: int, num_frames: int, look: Look, *, straight: bool = True) -> Scene:
    """A clip; where it is straight, the objects go 0.4 to 1.0 of their length from one frame to the next."""
    rng = np.random.default_rng(seed)
    speed = float(rng.uniform(0.4, 1.0)) if straight else 0.0
    return Scene(
        seed=seed, size=(320, 180), num_frames=num_frames, look=look, target=KINDS[seed % 3], motion=0.2, straight=speed, occlusion=0.0,
        light=0.3, distractors=8 if straight else 2,
    )  # fmt: skip


def shaken(box: Box, rng: np.random.Generator) -> Box:
    """A box as a tracker might have found it."""
    x, y, w, h = rng.normal(0, NOISE, 4)
    width, height = box.w * np.exp(0.5 * w), box.h * np.exp(0.5 * h)
    cx, cy = box.centre
    return Box(cx + x * box.w - width / 2, cy + y * box.h - height / 2, width, height)


def samples_of(clip: Sequence[SceneFrame], spec: Spec, rng: np.random.Generator) -> Iterator[tuple[Array, ...]]:
    """For each frame but the first: template (128, 128, 3), search (256, 256, 3), past boxes (K, 4) and the box (4,) in the search crop."""
    assert spec.history is not None
    for i in range(1, len(clip)):
        template, search = clip[int(rng.integers(len(clip)))], clip[i]
        frame = search.frame.size
        fill = tuple(search.frame.image.mean(axis=(0, 1)))
        past = [clip[0].box, *(shaken(shot.box, rng) for shot in clip[1:i])]
        region = region_around(past[-1], spec.search, frame, fill)
        yield (
            region_around(template.box, spec.template, frame, fill).take(template.frame.image),
            region.take(search.frame.image),
            np.array([region.to_crop(box) for box in sampled(past, spec.history)], np.float32),
            region.to_crop(search.box).astype(np.float32),
        )


def collect(clips: Iterable[Sequence[SceneFrame]], spec: Spec) -> Samples:
    """The samples of clips."""
    rng, network = np.random.default_rng(0), Small(spec)
    parts = []
    for clip in clips:
        template, search, history, box = map(np.stack, zip(*samples_of(clip, spec, rng), strict=True))
        tokens = network.read(torch.from_numpy(template), torch.from_numpy(search))
        parts.append((*tokens, torch.from_numpy(history), torch.from_numpy(box)))
    return Samples(*map(torch.cat, zip(*parts, strict=True)))


def loss_of(network: Small, samples: Samples, chosen: Tensor) -> Tensor:
    """SwinTrack's loss on some of the samples."""
    history = samples.history[chosen] if network.fusion.motion is not None else None
    seen = network.look(samples.template[chosen], samples.search[chosen], history)
    side = int(len(network.fusion.window) ** 0.5)
    score, boxes = seen.score.sigmoid().reshape(-1, side, side), seen.boxes.reshape(-1, side, side, 4)
    varifocal, giou, _ = overlap_losses(score, boxes, xyxy_from_cxcywh(samples.box[chosen]).clamp(0, 1))
    return 1.5 * varifocal + 1.5 * giou


def optimiser_of(network: Small, rate: float) -> torch.optim.AdamW:
    """AdamW for all that is trained."""
    return torch.optim.AdamW([*network.widen.parameters(), *network.fusion.parameters()], lr=rate, weight_decay=1e-4)


def decayed(step: int, steps: int) -> float:
    """Factor on the rate: up in a line for 100 steps, down in half a cosine."""
    return min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * step / steps))


def train(networks: Mapping[str, Small], samples: Samples, *, steps: int, seed: int, size: int = 32, rate: float = 2e-3) -> None:
    """Train networks in place, all on the same batches."""
    rng = np.random.default_rng((1, seed))
    optimisers = {name: optimiser_of(network, rate) for name, network in networks.items()}
    schedules = {
        name: torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: decayed(step, steps)) for name, optimiser in optimisers.items()
    }
    means: dict[str, list[float]] = {name: [] for name in networks}
    for step in range(steps):
        chosen = torch.from_numpy(rng.integers(len(samples.box), size=size))
        for name, network in networks.items():
            loss = loss_of(network, samples, chosen)
            optimisers[name].zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # of torch
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimisers[name].step()
            schedules[name].step()
            means[name].append(loss.item())
        if step % 100 == 99:
            print(
                f"seed {seed}, step {step + 1}: " + ", ".join(f"{name} {np.mean(mean[-100:]):.3f}" for name, mean in means.items()),
                flush=True,
            )


@dataclass(frozen=True)
class StandingStill:
    """A session that tells its network that the target was always where it is now."""

    session: TorchSession

    @property
    def spec(self) -> Spec:
        return self.session.spec

    @property
    def roles(self) -> frozenset[Role]:
        return self.session.roles

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        if role == "step":
            arrays = {**arrays, "history": np.repeat(arrays["history"][:, -1:], arrays["history"].shape[1], axis=1)}
        return self.session.run(role, arrays)


def follow(session: TorchSession | StandingStill, clips: Sequence[Sequence[SceneFrame]]) -> dict[str, float]:
    """Mean overlap over all frames but the first, the share above 0.5, and the share of clips in which the target was lost at the end."""
    method = NetworkMethod(session)
    states = [method.begin(clip[0].frame, clip[0].box) for clip in clips]
    overlaps = []
    for i in range(1, len(clips[0])):
        states, estimates = zip(*method.advance([clip[i].frame for clip in clips], states), strict=True)  # type: ignore[assignment]  # a tuple serves too
        overlaps.append(iou(np.array([estimate.box for estimate in estimates]), np.array([clip[i].box for clip in clips])))
    table = np.array(overlaps)  # (T - 1, clips)
    return {
        "overlap": float(table.mean()),
        "above_half": float((table > 0.5).mean()),
        "lost_at_end": float((table[-5:] < 0.1).all(axis=0).mean()),
    }


@torch.inference_mode()
def look_once(network: Small, samples: Samples, history: Tensor) -> dict[str, float]:
    """The same of one frame alone, where the past boxes are nearly true; nothing can be lost."""
    boxes = network.fusion.decide(network.look(samples.template, samples.search, history))["box"]
    overlap = iou(xywh_from_cxcywh(boxes.numpy()), xywh_from_cxcywh(samples.box.numpy()))
    return {"overlap": float(overlap.mean()), "above_half": float((overlap > 0.5).mean())}


def judge(network: Small, spec: Spec, clips: Mapping[str, Sequence[Sequence[SceneFrame]]], samples: Samples) -> dict[str, dict[str, float]]:
    """A network on held-out clips: with the published share of the window and without any, and standing still where it has the token."""
    network.eval()
    rows, session = {}, TorchSession(spec, network)
    for window in (PUBLISHED.arch.window, 0.0):
        network.fusion.window_share = window
        rows[f"one frame, window {window:g}"] = look_once(network, samples, samples.history)
        rows[f"straight, window {window:g}"] = follow(session, clips["straight"])
        if spec.history is not None:
            still = samples.history[:, -1:].expand_as(samples.history)
            rows[f"one frame, window {window:g}, standing still"] = look_once(network, samples, still)
            rows[f"straight, window {window:g}, standing still"] = follow(StandingStill(session), clips["straight"])
    network.fusion.window_share = PUBLISHED.arch.window
    rows[f"wandering, window {PUBLISHED.arch.window:g}"] = follow(session, clips["wandering"])
    return rows


def main(
    *,
    look: Look = "thermal",
    seeds: int = 2,
    steps: int = 2000,
    scenes: int = 220,
    frames: int = 24,
    held_out: int = 24,
    history: int = 4,
    every: int = 1,
) -> None:
    """Train, follow, print and write.

    Args:
        look: "thermal", where doubles differ in shape alone, or "visible", where their colours differ a little as well.
        seeds: how many pairs of networks.
        steps: of training, 32 samples each.
        scenes: rendered for training.
        frames: of each of them.
        held_out: clips to follow, of each kind.
        history: past boxes in the token.
        every: frames between them.
    """
    torch.set_num_threads(1)
    start = time.perf_counter()
    settings = {"look": look, "steps": steps, "scenes": scenes, "frames": frames, "held_out": held_out, "history": history, "every": every}
    specs = {"without": small_spec(), "with token": small_spec(history=history, every=every)}
    samples = collect((list(render(scene(seed, frames, look))) for seed in range(scenes)), specs["with token"])
    clips = {
        "straight": [list(render(scene(100_000 + i, 30, look))) for i in range(held_out)],
        "wandering": [list(render(scene(200_000 + i, 30, look, straight=False))) for i in range(held_out)],
    }
    held_out_samples = collect(clips["straight"], specs["with token"])
    print(f"{len(samples.box)} samples after {time.perf_counter() - start:.0f} s", flush=True)
    runs = []
    for seed in range(seeds):
        networks: dict[str, Small] = {}
        for name, spec in specs.items():
            torch.manual_seed(seed)
            networks[name] = Small(spec)
        train(networks, samples, steps=steps, seed=seed)
        runs.append({name: judge(network, specs[name], clips, held_out_samples) for name, network in networks.items()})
        write(runs, RESULTS / f"motion_token_{look}.json", settings | {"seeds": seed + 1})
    print(f"{time.perf_counter() - start:.0f} s")


def write(runs: Sequence[Mapping[str, Mapping[str, Mapping[str, float]]]], output: Path, settings: Mapping[str, int | str]) -> None:
    """Print the mean and the range over seeds, and store all."""
    print(f"{'':58}{'overlap':>20}{'above half':>12}{'lost at end':>12}")
    for name in runs[0]:
        for row in runs[0][name]:
            figures = {
                key: np.array([run[name][row].get(key, math.nan) for run in runs]) for key in ("overlap", "above_half", "lost_at_end")
            }
            low, high = figures["overlap"].min(), figures["overlap"].max()
            print(
                f"{name + ': ' + row:58}{figures['overlap'].mean():6.3f} ({low:.3f}-{high:.3f}){figures['above_half'].mean():12.3f}{figures['lost_at_end'].mean():12.3f}"
            )
    versions = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version(), "machine": platform.machine()}
    output.parent.mkdir(exist_ok=True)
    output.write_text(
        json.dumps({"settings": settings, "versions": versions, "threads": 1, "runs": runs}, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    tyro.cli(main)
