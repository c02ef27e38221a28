"""The training loop: one file, read top to bottom.

    fit(recipe, data, out)

writes into `out`: `<name>.safetensors` (with the spec inside), `log.jsonl` (losses and
validations), `run.json` (recipe, versions, commit) and `state.pt`, from which an interrupted run goes on as if it had not
been. Batch norms keep the statistics they start with.
"""

from __future__ import annotations

import copy
import math
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sightline import models, zoo
from sightline.errors import BadSpec, WeightsMismatch
from sightline.models.checkpoint import fill, fits, read_tensors, save_weights
from sightline.models.kestrel import Kestrel
from sightline.models.layers.decode import normalize
from sightline.models.layers.heads import CenterMaps
from sightline.models.layers.onestream import OneStream
from sightline.spec import Spec
from sightline.train.folder import Report, append, describe
from sightline.train.losses import focal_loss, giou_loss, l1_loss, xyxy_from_cxcywh
from sightline.train.pairs import Pair, Pairs, read_tracks
from sightline.train.pretrain.start import pretrained_in, take_pretrained_
from sightline.train.recipe import Augment, Data, Distil, Loss, Optim, Recipe
from sightline.train.targets import heatmap_target
from sightline.train.validate import answers
from sightline.weights import spec_in

__all__ = ["Report", "best_boxes", "fit", "held_out_pairs", "network_in", "rate_at", "take_over_", "training_pairs"]

LOG_EVERY = 50


def fit(recipe: Recipe, data: Path | Sequence[Path], out: Path, *, report: Report | None = None) -> Path:
    """Train a network, or go on with a run that was interrupted.

    Args:
        recipe: what to do.
        data: folder with `index.jsonl` and its tar files (`sightline.train.pairs`), or several.
        out: folder of the run; made if need be.
        report: called with every line of the log as it is written.

    Returns:
        The weights file.

    Raises:
        BadData: the data, or an `out` that holds another recipe's run.
        WeightsMissing, WeightsMismatch, BadSpec: start or teacher cannot be used.
    """
    torch.set_num_threads(recipe.threads)
    spec = zoo.find(recipe.name)
    folders = [data] if isinstance(data, Path) else list(data)
    pairs, held_out = training_pairs(recipe, spec, folders), held_out_pairs(recipe, spec, folders)
    run = _Run(recipe, spec, out)
    describe(out, recipe, {"machine": platform.processor() or platform.machine()})
    run.resume()
    teacher = None if recipe.distil is None else _teacher(recipe.distil)
    began = time.perf_counter()
    for batch in _batches(pairs, recipe, run.step):
        losses = _losses(run.network, teacher, batch, recipe)
        run.learn(losses["total"])
        if run.step % LOG_EVERY == 0 or run.step == recipe.steps:
            pace = {"seconds": time.perf_counter() - began, "rate": rate_at(recipe.optim, run.step, recipe.steps)}
            append(out, {"step": run.step, **{name: value.item() for name, value in losses.items()}, **pace}, report)
        if run.step % recipe.save_every == 0 or run.step == recipe.steps:
            kept = run.kept()
            append(out, {"step": run.step, **answers(kept, held_out).figures()}, report)
            run.save(kept)
    return run.weights


class _Run:
    """What changes during a run, and its files."""

    def __init__(self, recipe: Recipe, spec: Spec, out: Path) -> None:
        self.recipe, self.spec, self.out = recipe, spec, out
        self.weights = out / f"{recipe.name}.safetensors"
        self.step = 0
        torch.manual_seed(recipe.seed)
        self.network = _trainable(spec)
        if recipe.start is not None:
            take_over_(self.network, recipe.start)
        self.mean = copy.deepcopy(self.network)
        self.origin = copy.deepcopy(self.network)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=recipe.optim.rate, weight_decay=recipe.optim.decay)

    def learn(self, loss: Tensor) -> None:
        """One step down the gradient; the running mean follows."""
        optim = self.recipe.optim
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(optim, self.step, self.recipe.steps)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch
        nn.utils.clip_grad_norm_(self.network.parameters(), optim.clip)
        self.optimiser.step()
        self.step += 1
        keep = min(optim.mean, self.step / (self.step + 10))  # young means forget quickly
        with torch.no_grad():
            for average, value in zip(self.mean.parameters(), self.network.parameters(), strict=True):
                average.lerp_(value, 1 - keep)

    def kept(self) -> Kestrel:
        """What is saved: the running mean of the weights, drawn towards those that the run started from.

        A mean of a pre-trained and a fine-tuned network is often better than both, away from the data of the fine-tuning.
        Wortsman et al., CVPR 2022, arXiv:2109.01903.
        """
        kept = copy.deepcopy(self.mean)
        with torch.no_grad():
            for value, first in zip(kept.parameters(), self.origin.parameters(), strict=True):
                value.lerp_(first, self.recipe.start_share)
        return kept

    def save(self, kept: Kestrel) -> None:
        """Write the weights and the state to go on from."""
        save_weights(kept, self.spec, self.weights)
        state = {
            "step": self.step,
            "network": self.network.state_dict(),
            "mean": self.mean.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        part = self.out / f".state.{os.getpid()}.part"
        torch.save(state, part)
        part.replace(self.out / "state.pt")

    def resume(self) -> None:
        """Go on where the folder's last save ends, if there is one."""
        if not (self.out / "state.pt").is_file():
            return
        state = torch.load(self.out / "state.pt", weights_only=True)
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.mean.load_state_dict(state["mean"])
        self.optimiser.load_state_dict(state["optimiser"])


def training_pairs(recipe: Recipe, spec: Spec, folders: Sequence[Path]) -> Pairs:
    """The pairs to learn from."""
    count = recipe.steps * recipe.batch
    return _pairs(folders, "train", recipe.data, recipe.augment, spec, seed=recipe.seed, count=count)


def held_out_pairs(recipe: Recipe, spec: Spec, folders: Sequence[Path]) -> Pairs:
    """The pairs to watch: fixed, of the validation split, mildly disturbed."""
    return _pairs(folders, "val", recipe.validation, Augment(occluder=0.05), spec, seed=1, count=recipe.validation_pairs)


def _pairs(folders: Sequence[Path], split: str, data: Data, chances: Augment, spec: Spec, *, seed: int, count: int) -> Pairs:
    tracks = [track for folder in folders for track in read_tracks(folder, split)]
    return Pairs(tracks, data, chances, template=spec.template, search=spec.search, seed=seed, count=count)


def _batches(pairs: Pairs, recipe: Recipe, step: int) -> Iterator[dict[str, Tensor]]:
    """Batches from `step` on: pair i belongs to batch i // size, whenever the run was interrupted."""
    loader: DataLoader[Pair] = DataLoader(
        pairs,  # type: ignore[arg-type]  # has what a Dataset has
        batch_size=recipe.batch,
        sampler=range(step * recipe.batch, len(pairs)),
        num_workers=recipe.workers,
        prefetch_factor=4 if recipe.workers else None,
    )
    yield from loader


def _losses(network: Kestrel, teacher: OneStream | None, batch: Mapping[str, Tensor], recipe: Recipe) -> dict[str, Tensor]:
    """All parts of the loss, weighted, and their `total`."""
    template, search = normalize(batch["template"]), normalize(batch["search"])
    tokens, maps = network.look(search, network.read_template(template))
    parts = _task_losses(maps, batch["box"], batch["present"] > 0, recipe.loss)
    if teacher is not None and recipe.distil is not None:
        with torch.no_grad():
            taught = teacher.encode(teacher.embed(template, search))
            answer = teacher.look(taught)
        parts |= _distil_losses((tokens, maps), (taught[:, -tokens.shape[1] :], answer), batch, recipe.distil)
    return {"total": torch.stack(list(parts.values())).sum(), **parts}


def _task_losses(maps: CenterMaps, boxes_cxcywh: Tensor, present: Tensor, weights: Loss) -> dict[str, Tensor]:
    """Heat map everywhere (empty where the target is absent), box at the largest score where it is present."""
    grid = maps.score.shape[-1]
    corners = xyxy_from_cxcywh(boxes_cxcywh)
    target = heatmap_target(torch.cat([corners[:, :2], boxes_cxcywh[:, 2:]], dim=1), grid) * present.reshape(-1, 1, 1)
    found = xyxy_from_cxcywh(best_boxes(maps))[present]
    return {
        "focal": weights.focal * focal_loss(maps.score, target),
        "giou": weights.giou * giou_loss(found, corners[present]),
        "l1": weights.l1 * l1_loss(found, corners[present]),
    }


def _distil_losses(
    own: tuple[Tensor, CenterMaps], taught: tuple[Tensor, CenterMaps], batch: Mapping[str, Tensor], weights: Distil
) -> dict[str, Tensor]:
    """Distance to the teacher's tokens, score map and sizes, over the pairs in which the teacher is right."""
    (tokens, maps), (their_tokens, their_maps) = own, taught
    right = _is_right(best_boxes(their_maps), batch["box"]) * batch["present"]  # (B,)
    share = right / right.sum().clamp(min=1)
    near = their_maps.score * (their_maps.score > 0.1)  # (B, 1, G, G): where their size means something
    size = ((maps.size - their_maps.size).abs() + (maps.offset - their_maps.offset).abs() / maps.size.shape[-1]) * near
    per_pair = {
        "distil_features": weights.features * (tokens - their_tokens).square().mean(dim=(1, 2)),
        "distil_score": weights.score * (maps.score - their_maps.score).square().sum(dim=(1, 2, 3)),
        "distil_size": weights.size * size.sum(dim=(1, 2, 3)) / near.sum(dim=(1, 2, 3)).clamp(min=0.1),
    }
    return {name: (value * share).sum() for name, value in per_pair.items()}


def best_boxes(maps: CenterMaps) -> Tensor:
    """Boxes (B, 4), cx, cy, w, h, read at the largest score, without any window; gradients reach size and offset there."""
    grid = maps.score.shape[-1]
    best = maps.score.detach().flatten(1).argmax(dim=1, keepdim=True)
    at = best.unsqueeze(1).expand(-1, 2, -1)
    size, offset = (part.flatten(2).gather(2, at).squeeze(2) for part in (maps.size, maps.offset))
    cell = torch.cat([best % grid, torch.div(best, grid, rounding_mode="floor")], dim=1)
    return torch.cat([(cell + offset) / grid, size], dim=1)


def _is_right(boxes_cxcywh: Tensor, truth_cxcywh: Tensor) -> Tensor:
    """(B,) 1 where two boxes overlap by more than half, else 0."""
    low, high = (torch.stack([corners[..., i : i + 2] for corners in map(xyxy_from_cxcywh, (boxes_cxcywh, truth_cxcywh))]) for i in (0, 2))
    common = (high.amin(dim=0) - low.amax(dim=0)).clamp(min=0).prod(dim=-1)
    union = boxes_cxcywh[:, 2:].prod(dim=-1) + truth_cxcywh[:, 2:].prod(dim=-1) - common
    return (common > 0.5 * union).float()


def rate_at(optim: Optim, step: int, steps: int) -> float:
    """Learning rate of a step: up in a line, down in half a cosine."""
    if step < optim.warmup:
        return optim.rate * (step + 1) / optim.warmup
    return optim.rate * 0.5 * (1 + math.cos(math.pi * (step - optim.warmup) / max(1, steps - optim.warmup)))


def _trainable(spec: Spec) -> Kestrel:
    network = models.build(spec)
    if not isinstance(network, Kestrel):
        raise BadSpec(f"{spec.name} cannot be trained yet: this loop trains the family kestrel.")
    return network  # in evaluation mode: batch norms keep their statistics


def network_in(path: Path) -> tuple[nn.Module, Spec]:
    """Any network in a weights file, by the spec in it or by its tensors.

    Raises:
        WeightsMissing, WeightsMismatch: no such file, or nothing that Sightline knows.
    """
    tensors = read_tensors(path)
    spec = spec_in(path) or next(iter(fits(tensors)), None)
    if spec is None:
        raise WeightsMismatch(f"{path} holds no network that Sightline knows; convert it first with `sightline convert`.")
    network = models.build(spec)
    fill(network, tensors, spec, path.name)
    return network, spec


def take_over_(network: nn.Module, path: Path) -> int:
    """Copy the tensors of a weights file that have a namesake of the same shape, or a pre-trained encoder; how many there were.

    Raises:
        WeightsMismatch: not one, or an encoder of another shape.
    """
    encoder = pretrained_in(path)
    if encoder is not None:
        return len(take_pretrained_(network, encoder))
    given, own = network_in(path)[0].state_dict(), network.state_dict()
    common = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    if not common:
        raise WeightsMismatch(f"{path} has no tensor in common with the network to be trained; choose another start.")
    network.load_state_dict(common, strict=False)
    return len(common)


def _teacher(distil: Distil) -> OneStream:
    network, _ = network_in(distil.teacher)
    if not isinstance(network, OneStream):
        raise BadSpec(f"{distil.teacher} cannot teach: expected a network that reads template and search together, as vittrack-nano.")
    return network.eval().requires_grad_(False)
