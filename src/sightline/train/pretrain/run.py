"""A run that pre-trains an encoder.

    pretrain(PRETRAINING["mtr"](), [Path("data")], Path("runs/mtr"))

The weights file has encoder and decoder, and `reconstructions.png` shows what was drawn. What a run is made of else: `train/loop.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Unpack

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import BadSpec, WeightsMismatch
from sightline.models.layers.decode import normalize
from sightline.spec import Crop, Spec
from sightline.train.data import OnBad, Problems, Split
from sightline.train.loop import Seen, Told, Validation, autocast, run
from sightline.train.pretrain.masks import noise_size, patches_of, reconstruction_loss, visible_tokens
from sightline.train.pretrain.network import Autoencoder
from sightline.train.pretrain.picture import reconstructions
from sightline.train.pretrain.recipe import Pretraining
from sightline.train.pretrain.start import packed_weights, pretrained_in, take_pretrained_
from sightline.train.samples import Batch, Sample, SampleList, collate, open_samples

__all__ = ["appearance_of", "pretrain", "samples_for"]

SHOWN = 4  # samples in the picture
FIXED_SEED = 1  # of the validation's pairs and masks
OF_MASKS = 1  # tells the draws of a sample's mask from those of its crops


def pretrain(recipe: Pretraining, data: Path | Sequence[Path], out: Path, *, on_bad: OnBad = "skip", **told: Unpack[Told]) -> Path:
    """Pre-train an encoder, or go on with a run that was interrupted.

    Args:
        recipe: what to do.
        data: a folder of data, or several; videos without labels as well (`sightline.train.data.open_data`). Boxes only say where to cut.
        out: folder of the run; made if need be.
        on_bad: "skip": data that cannot be read is left out and reported; "stop": it is an error.
        told: who is told (`sightline.train.loop.Told`).

    Returns:
        The weights file, which `start.take_pretrained_` puts into a tracker.

    Raises:
        BadSpec: a recipe that hides everything or nothing.
        BadData: the data, an `out` that holds another recipe's run, or something that is not finite (`Guard`).
        WeightsMissing, WeightsMismatch: the start cannot be used.
    """
    _check(recipe)
    folders, problems = [data] if isinstance(data, Path) else list(data), Problems(on_bad)
    samples, held_out = (samples_for(recipe, folders, split, problems) for split in ("train", "val"))
    return run(lambda device: _Drawing(recipe, held_out, device), recipe, samples, out, problems, **told)


class _Looked(NamedTuple):
    """What came of a batch: see `reconstructions`, and the loss."""

    crops: list[Tensor]
    targets: list[Tensor]
    visible: Tensor
    drawn: Tensor
    loss: Tensor


class _Drawing:
    """The lesson of an encoder: what stands where it does not look."""

    def __init__(self, recipe: Pretraining, held_out: SampleList, device: torch.device) -> None:
        self.recipe, self.held_out, self.device = recipe, held_out, device
        torch.manual_seed(recipe.seed)
        network = Autoencoder(recipe.arch)
        if recipe.start is not None:
            given = pretrained_in(recipe.start)
            if given is None:
                raise WeightsMismatch(
                    f"{recipe.start} is no file of a pre-training; give one that `sightline train` or MAE's authors wrote."
                )
            take_pretrained_(network, given)
        self.network: nn.Module = network.to(device).train()

    def losses(self, batch: Batch, step: int) -> dict[str, Tensor]:  # noqa: ARG002  # a lesson's signature
        """The mean squared error of what is hidden."""
        return {"total": self._look(self.network, batch).loss}

    @torch.inference_mode()
    def validate(self, kept: nn.Module, seen: Seen) -> Validation:
        """The mean loss over the samples held out, whose masks never change, and a picture of the first."""
        losses: list[float] = []
        pictures: dict[str, bytes] = {}
        notes: list[tuple[str, str]] = []
        size, num = max(1, self.recipe.batch // self.recipe.passes), len(self.held_out)
        seen(0, num)
        for start in range(0, num, size):
            batch = collate([self.held_out[i] for i in range(start, min(start + size, num))])
            looked = self._look(kept, batch)
            losses.append(looked.loss.item() * len(batch.names))
            notes += batch.notes
            if not pictures:
                pictures["reconstructions.png"] = self._picture(looked)
            seen(start + len(batch.names), num)
        assert isinstance(kept, Autoencoder)
        return Validation({"held_out": sum(losses) / num, "pairs": num}, packed_weights(kept), pictures, notes)

    def _look(self, network: nn.Module, batch: Batch) -> _Looked:
        recipe, arch = self.recipe, self.recipe.arch
        given = {name: value.to(self.device, non_blocking=True) for name, value in batch.arrays.items()}
        crops = [normalize(given[role][:, 0]) for role in arch.roles]
        visible = visible_tokens(given["noise"], recipe.mask, recipe.ratio, arch.counts)
        targets = _targets(recipe, crops, given["box"][:, 0])
        with autocast(recipe.precision, self.device):
            drawn = network(crops, visible).patches
        target = torch.cat([patches_of(picture) for picture in targets], dim=1)
        loss = reconstruction_loss(drawn.float(), target, visible, normalise=recipe.normalise)
        return _Looked(crops, targets, visible, drawn, loss)

    def _picture(self, looked: _Looked) -> bytes:
        """The first samples as a PNG."""
        few = slice(0, SHOWN)
        shown = [crop[few] for crop in looked.crops], [target[few] for target in looked.targets]
        image = reconstructions(*shown, looked.visible[few], looked.drawn[few].float(), normalise=self.recipe.normalise)
        return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


@dataclass(frozen=True, slots=True)
class _Masked:
    """Samples with the noise (N,) that their masks are made of: the same whatever batch, process and device they are in."""

    samples: SampleList
    seed: int
    size: int

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, i: int) -> Sample:
        sample = self.samples[i]
        noise = np.random.default_rng((self.seed, i, OF_MASKS)).random(self.size, np.float32)
        return sample._replace(arrays={**sample.arrays, "noise": noise})


def samples_for(recipe: Pretraining, folders: Sequence[Path], split: Split, problems: Problems) -> SampleList:
    """Crops as the recipe wants them, of all sources where it names none; those to watch are not disturbed."""
    cuts: Mapping[str, Crop] = {
        role: Crop(factor=factor, size=16 * side)
        for role, factor, side in zip(recipe.arch.roles, recipe.factors, recipe.arch.sides, strict=True)
    }
    search = cuts.get("search") or cuts["template"]
    spec = Spec(name=recipe.name, family="", arch=recipe.arch, template=cuts.get("template", search), search=search)  # for its crops
    is_train = split == "train"
    seed, count = (recipe.seed, recipe.steps * recipe.batch) if is_train else (FIXED_SEED, recipe.validation_pairs)
    chances = recipe.augment if is_train else None
    samples = open_samples(folders, split, problems, recipe.data, chances, spec, seed=seed, count=count, labelled=False)
    return _Masked(samples, seed, noise_size(recipe.mask, recipe.arch.counts))


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
