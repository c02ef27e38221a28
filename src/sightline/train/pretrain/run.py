"""The pre-training loop: one file, read top to bottom.

    pretrain(PRETRAINING["mtr"](), [Path("data")], Path("runs/mtr"))

writes into `out`: `<name>.safetensors` (encoder and decoder), `reconstructions.png`, `log.jsonl`, `run.json`, and `state.pt`, from which an
interrupted run goes on as if it had not been. Runs on a GPU where there is one.
"""

from __future__ import annotations

import dataclasses
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from sightline.errors import BadData, BadSpec, WeightsMismatch
from sightline.models.layers.decode import normalize
from sightline.spec import Crop
from sightline.train.folder import Report, append, describe
from sightline.train.pairs import Pair, Pairs, read_tracks
from sightline.train.pretrain.masks import noise_size, patches_of, reconstruction_loss, visible_tokens
from sightline.train.pretrain.network import Autoencoder
from sightline.train.pretrain.picture import reconstructions
from sightline.train.pretrain.recipe import Pretraining
from sightline.train.pretrain.start import packed_weights, pretrained_in, take_pretrained_
from sightline.train.recipe import Augment, Share
from sightline.train.schedules import rate_at
from sightline.weights import write_whole

__all__ = ["appearance_of", "pretrain"]

LOG_EVERY = 50
SHOWN = 4  # samples in the picture
BETAS = (0.9, 0.95)
FIXED_SEED = 1  # of the validation's pairs and masks


def pretrain(recipe: Pretraining, data: Path | Sequence[Path], out: Path, *, report: Report | None = None) -> Path:
    """Pre-train an encoder, or go on with a run that was interrupted.

    Args:
        recipe: what to do.
        data: folder with `index.jsonl` and its tar files (`sightline.train.pairs`), or several; boxes only say where to cut.
        out: folder of the run; made if need be.
        report: called with every line of the log as it is written.

    Returns:
        The weights file, which `start.take_pretrained_` puts into a tracker.

    Raises:
        BadSpec: a recipe that hides everything or nothing.
        BadData: the data, an `out` that holds another recipe's run, or a loss that is not finite.
        WeightsMissing, WeightsMismatch: the start cannot be used.
    """
    _check(recipe)
    torch.set_num_threads(recipe.threads)
    folders = [data] if isinstance(data, Path) else list(data)
    pairs = _pairs(folders, "train", recipe, recipe.augment, seed=recipe.seed, count=recipe.steps * recipe.passes * recipe.batch)
    held_out = _pairs(folders, "val", recipe, None, seed=FIXED_SEED, count=recipe.validation_pairs)
    run = _Run(recipe, out)
    describe(out, recipe, {"device": run.device.type})
    run.resume()
    began = time.perf_counter()
    batches = _batches(pairs, recipe, run.step)
    while run.step < recipe.steps:
        loss = run.learn(batches)
        if run.step % LOG_EVERY == 0 or run.step == recipe.steps:
            pace = {"seconds": time.perf_counter() - began, "rate": rate_at(recipe.optim, run.step, recipe.steps)}
            append(out, {"step": run.step, "loss": loss, **pace}, report)
        if run.step % recipe.save_every == 0 or run.step == recipe.steps:
            held_out_loss, picture = run.validate(held_out)
            append(out, {"step": run.step, "held_out": held_out_loss}, report)
            run.save(picture)
    return run.weights


class _Run:
    """What changes during a run, and its files."""

    def __init__(self, recipe: Pretraining, out: Path) -> None:
        self.recipe, self.out = recipe, out
        self.weights = out / f"{recipe.name}.safetensors"
        self.step = 0
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(recipe.seed)
        self.network = Autoencoder(recipe.arch)
        if recipe.start is not None:
            given = pretrained_in(recipe.start)
            if given is None:
                raise WeightsMismatch(
                    f"{recipe.start} is no file of a pre-training; give one that `sightline train` or MAE's authors wrote."
                )
            take_pretrained_(self.network, given)
        self.network.to(self.device)
        groups = _groups(self.network, recipe.optim.decay)
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.optim.rate, betas=BETAS)

    def learn(self, batches: Iterator[Mapping[str, Tensor]]) -> float:
        """One step down the gradient of as many batches as the recipe says; their mean loss.

        Raises:
            BadData: a loss that is not finite; the files of the last save stay as they are.
        """
        recipe = self.recipe
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(recipe.optim, self.step, recipe.steps)
        self.network.train()
        self.optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for i in range(recipe.passes):
            generator = self._generator((recipe.seed * recipe.steps + self.step) * recipe.passes + i)
            loss = self._look(next(batches), generator)[0] / recipe.passes
            loss.backward()  # type: ignore[no-untyped-call]  # torch
            total += loss.item()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), recipe.optim.clip)
        if not (np.isfinite(total) and norm.isfinite()):
            raise BadData(f"loss {total} and gradient {norm.item()} at step {self.step} are not finite; lower the rate or use float32.")
        self.optimiser.step()
        self.step += 1
        return total

    @torch.inference_mode()
    def validate(self, held_out: Pairs) -> tuple[float, bytes]:
        """Mean loss over the pairs held out, under masks that never change, and a picture (PNG) of the first."""
        self.network.eval()
        losses, picture = [], b""
        for start in range(0, len(held_out), self.recipe.batch):
            members = [held_out[i] for i in range(start, min(start + self.recipe.batch, len(held_out)))]
            batch = {name: torch.from_numpy(np.stack([member[name] for member in members])) for name in ("template", "search", "box")}
            loss, crops, targets, visible, drawn = self._look(batch, self._generator(start))
            losses.append(loss.item() * len(members))
            if not picture:
                few = slice(0, SHOWN)
                shown = [part[few] for part in crops], [part[few] for part in targets], visible[few], drawn[few].float()
                image = reconstructions(*shown, normalise=self.recipe.normalise)
                picture = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
        return sum(losses) / len(held_out), picture

    def _look(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> tuple[Tensor, list[Tensor], list[Tensor], Tensor, Tensor]:
        """Loss, crops, what was to be drawn, what was visible, and what was drawn."""
        recipe, arch = self.recipe, self.recipe.arch
        crops = [normalize(batch[role].to(self.device)) for role in arch.roles]
        noise = torch.rand(len(crops[0]), noise_size(recipe.mask, arch.counts), generator=generator, device=self.device)
        visible = visible_tokens(noise, recipe.mask, recipe.ratio, arch.counts)
        targets = _targets(recipe, crops, batch["box"].to(self.device))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            drawn = self.network(crops, visible, generator).patches
        target = torch.cat([patches_of(picture) for picture in targets], dim=1)
        loss = reconstruction_loss(drawn.float(), target, visible, normalise=recipe.normalise)
        return loss, crops, targets, visible, drawn

    def _generator(self, seed: int) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(seed)

    def save(self, picture: bytes) -> None:
        """Write the weights, the picture and the state to go on from: all of them or none."""
        state = io.BytesIO()
        torch.save({"step": self.step, "network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}, state)
        write_whole(
            {
                self.weights: packed_weights(self.network),
                self.out / "reconstructions.png": picture,
                self.out / "state.pt": state.getvalue(),
            }
        )

    def resume(self) -> None:
        """Go on where the folder's last save ends, if there is one."""
        if not (self.out / "state.pt").is_file():
            return
        state = torch.load(self.out / "state.pt", map_location=self.device, weights_only=True)
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])


def appearance_of(search: Tensor, boxes_cxcywh: Tensor, size: int, factor: float) -> Tensor:
    """Each target as it looks in its search crop, cut like a template: a square around it, black outside the crop.

    Args:
        search: (B, 3, S, S).
        boxes_cxcywh: (B, 4) in 0..1 of the search crop.
        size: pixels along each side of the result.
        factor: side of the square over sqrt(w h).

    Returns:
        (B, 3, size, size), by bilinear interpolation.

    Source: Zhao et al., CVPR 2023 (MAT), appearance transfer; docs/trackers/pretraining.md.
    """
    side = factor * boxes_cxcywh[:, 2:].prod(dim=1).sqrt()  # in 0..1, as half of it is in -1..1
    centre = 2 * boxes_cxcywh[:, :2] - 1
    nothing = torch.zeros_like(side)
    across = torch.stack([side, nothing, centre[:, 0]], dim=1)
    down = torch.stack([nothing, side, centre[:, 1]], dim=1)
    grid = functional.affine_grid(torch.stack([across, down], dim=1), [len(search), 3, size, size], align_corners=False)
    black = normalize(torch.zeros(1, 1, 1, 3, dtype=torch.uint8, device=search.device))
    return functional.grid_sample(search - black, grid, align_corners=False) + black


def _targets(recipe: Pretraining, crops: list[Tensor], boxes_cxcywh: Tensor) -> list[Tensor]:
    """What is to be drawn in each crop."""
    if not recipe.appearance:
        return crops
    by_role = dict(zip(recipe.arch.roles, crops, strict=True))
    size, factor = by_role["template"].shape[-1], recipe.factors[recipe.arch.roles.index("template")]
    template = appearance_of(by_role["search"], boxes_cxcywh, size, factor)
    return [template if role == "template" else crop for role, crop in by_role.items()]


def _groups(network: nn.Module, decay: float) -> list[dict[str, object]]:
    """Parameters that decay (matrices and kernels) and those that do not."""
    named = list(network.named_parameters())
    decaying = [value for name, value in named if value.squeeze().ndim > 1 and "frame_vectors" not in name]
    others = [value for name, value in named if value.squeeze().ndim <= 1 or "frame_vectors" in name]
    return [{"params": decaying, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


def _pairs(folders: Sequence[Path], split: str, recipe: Pretraining, chances: Augment | None, *, seed: int, count: int) -> Pairs:
    """Crops as the recipe wants them, of all sources where it names none."""
    tracks = [track for folder in folders for track in read_tracks(folder, split)]
    if len({track.scene for track in tracks}) < 2:
        raise BadData(f"the split {split!r} of {', '.join(map(str, folders))} has less than two scenes; pre-training needs at least two.")
    data = recipe.data
    if not data.shares:
        data = dataclasses.replace(data, shares=(Share(weight=1.0, sources=tuple(sorted({track.source for track in tracks}))),))
    cuts = {
        role: Crop(factor=factor, size=16 * side)
        for role, factor, side in zip(recipe.arch.roles, recipe.factors, recipe.arch.sides, strict=True)
    }
    template = cuts.get("template", cuts.get("search"))
    search = cuts.get("search", template)
    assert template is not None  # `_check` refuses a network without crops
    assert search is not None
    return Pairs(tracks, data, chances, template=template, search=search, seed=seed, count=count)


def _batches(pairs: Pairs, recipe: Pretraining, step: int) -> Iterator[Mapping[str, Tensor]]:
    """Batches from a step on: sample i is always the same, whenever the run was interrupted."""
    loader: DataLoader[Pair] = DataLoader(
        pairs,  # type: ignore[arg-type]  # has what a Dataset has
        batch_size=recipe.batch,
        sampler=range(step * recipe.passes * recipe.batch, len(pairs)),
        num_workers=recipe.workers,
        prefetch_factor=4 if recipe.workers else None,
    )
    yield from loader


def _check(recipe: Pretraining) -> None:
    """Refuse what cannot be learnt from."""
    arch = recipe.arch
    smallest = min(arch.counts) if recipe.mask != "random" else sum(arch.counts)
    if not 0 < int(smallest * (1 - recipe.ratio)) < smallest:
        raise BadSpec(f"ratio {recipe.ratio} leaves {int(smallest * (1 - recipe.ratio))} of {smallest} tokens; expected some, and not all.")
    if not len(arch.roles) == len(arch.sides) == len(recipe.factors) or not arch.roles:
        raise BadSpec(f"{arch.roles} crops, sides {arch.sides} and factors {recipe.factors}; expected one of each for each crop.")
    if (arch.dropout or recipe.mask == "space_random") and len(set(arch.sides)) > 1:
        raise BadSpec(f"crops of {arch.sides} cells a side; within-frame dropout and a mask in space need crops of one size.")
    if arch.dropout and (arch.class_token or len(arch.sides) != 2):
        raise BadSpec("within-frame dropout is for two crops without a class token.")
    if recipe.appearance and set(arch.roles) != {"template", "search"}:
        raise BadSpec(f"the appearance of the target is drawn with a template and a search crop; there are {arch.roles}.")
