"""A run that trains a tracker.

    fit(recipe, data, out)

The weights file has the spec inside. What a run is made of else: `loop.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import torch
from torch import Tensor, nn

from sightline import models, zoo
from sightline.errors import BadSpec
from sightline.models.calls import OF_TEMPLATE
from sightline.models.checkpoint import packed_weights
from sightline.spec import Spec
from sightline.train.data import OnBad, Problems, Split
from sightline.train.distil import Teacher, distil_parts, open_teacher, own_parts
from sightline.train.forward import Answer, answer
from sightline.train.loop import Seen, Told, Validation, autocast, run
from sightline.train.objectives import OBJECTIVES, Heard, weighted
from sightline.train.pairs import Pairs, read_tracks
from sightline.train.recipe import Augment, Recipe
from sightline.train.samples import Batch, SampleList, open_samples
from sightline.train.schedules import keep_at
from sightline.train.start import take_over_
from sightline.train.validate import answers

__all__ = ["fit", "held_out_pairs", "network_of", "samples_for"]

MILD = Augment(occluder=0.05)  # of the pairs for validation


def fit(recipe: Recipe, data: Path | Sequence[Path], out: Path, *, on_bad: OnBad = "skip", **told: Unpack[Told]) -> Path:
    """Train a network, or go on with a run that was interrupted.

    Args:
        recipe: what to do.
        data: a folder of data, or several (`sightline.train.data.open_data`).
        out: folder of the run; made if need be.
        on_bad: "skip": data that cannot be read is left out and reported; "stop": it is an error.
        told: who is told: `report`, `tick`, `tell`, `board` (`sightline.train.loop.Told`).

    Returns:
        The weights file.

    Raises:
        BadData: the data, an `out` that holds another recipe's run, or something that is not finite (`Guard`).
        WeightsMissing, WeightsMismatch, BadSpec: start or teacher cannot be used, or a recipe that makes no sense.
    """
    spec, folders, problems = recipe.network or zoo.find(recipe.name), [data] if isinstance(data, Path) else list(data), Problems(on_bad)
    if recipe.objective not in OBJECTIVES:
        raise BadSpec(f"there is no objective called {recipe.objective!r}; expected one of {', '.join(OBJECTIVES)}.")
    samples, held_out = (samples_for(recipe, spec, folders, split, problems) for split in ("train", "val"))
    return run(lambda device: _Tracking(recipe, spec, held_out, device), recipe, samples, out, problems, **told)


class _Tracking:
    """The lesson of a tracker: where the target is."""

    def __init__(self, recipe: Recipe, spec: Spec, held_out: SampleList, device: torch.device) -> None:
        self.recipe, self.spec, self.held_out, self.device = recipe, spec, held_out, device
        self.objective = OBJECTIVES[recipe.objective]
        torch.manual_seed(recipe.seed)
        self.network = network_of(spec)
        if recipe.start is not None:
            take_over_(self.network, recipe.start)
        self.network.to(device).train()
        if recipe.norms == "kept":
            _still_norms(self.network)
        self.origin = copy.deepcopy(self.network) if recipe.start_share else None
        self.teacher: Teacher | None = None if recipe.distil is None else open_teacher(recipe.distil, spec, device)

    def losses(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """All parts of the loss, weighted, and their `total`, over all search crops."""
        recipe = self.recipe
        arrays = {name: value.to(self.device, non_blocking=True) for name, value in batch.arrays.items()}
        listen = (*self.objective.listen, *(own_parts(recipe.distil) if recipe.distil else ()))
        keep = keep_at(recipe.keep, step, recipe.steps)
        with autocast(recipe.precision, self.device):
            said = answer(self.network, self.spec, arrays, tuple(dict.fromkeys(listen)), keep)
        taught = self.teacher.answers(arrays) if self.teacher is not None else [None] * len(said)
        parts: dict[str, Tensor] = {}
        for place, (own, theirs) in enumerate(zip(said, taught, strict=True)):
            for name, value in self._parts(own, theirs, arrays, place).items():
                parts[name] = parts[name] + value if name in parts else value
        return {"total": torch.stack(list(parts.values())).sum(), **parts}

    def _parts(self, own: Answer, theirs: Answer | None, arrays: dict[str, Tensor], place: int) -> dict[str, Tensor]:
        """The weighted parts of one search crop."""
        recipe = self.recipe
        given = {name: value[:, place] for name, value in arrays.items() if not name.startswith(OF_TEMPLATE)}
        box, present = given["box"], given["present"]
        parts = self.objective.parts(Heard(self.network, self.spec, own.said, own.heard, box, present > 0, given))
        weights = {name: float(getattr(recipe.loss, name)) for name in parts}
        taught = distil_parts(own, theirs, box, present, recipe.distil) if theirs is not None and recipe.distil is not None else {}
        return weighted(parts, weights) | taught

    def validate(self, kept: nn.Module, seen: Seen) -> Validation:
        """The weights drawn towards those that the run started from, and how well they track.

        A mean of a pre-trained and a fine-tuned network is often better than both, away from the data of the fine-tuning.
        Wortsman et al., CVPR 2022, arXiv:2109.01903.
        """
        if self.origin is not None:
            with torch.no_grad():
                for value, first in zip(kept.parameters(), self.origin.parameters(), strict=True):
                    value.lerp_(first, self.recipe.start_share)
        found = answers(kept, self.held_out, self.spec, seen=seen)
        return Validation({"pairs": len(found.present), **found.figures()}, packed_weights(kept, self.spec), notes=found.notes)


def network_of(spec: Spec) -> nn.Module:
    """An untrained network of a spec, as it is trained: with one scale of the search crop instead of several. Its tensors are the same."""
    if len(spec.search.scales) > 1 and hasattr(spec.arch, "scales"):
        spec = replace(spec, arch=replace(spec.arch, scales=(1.0,)))
    network = models.build(spec)
    if not hasattr(network, "step"):
        raise BadSpec(f"{spec.name} cannot be trained: its network only describes crops, and filters are learned while tracking.")
    return network


def _still_norms(network: nn.Module) -> None:
    """Batch norms use the statistics that they have, and keep them."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def samples_for(recipe: Recipe, spec: Spec, folders: Sequence[Path], split: Split, problems: Problems) -> SampleList:
    """The samples to learn from; or those to watch: fixed, of the validation split, mildly disturbed where the recipe's are pairs."""
    if split == "train":
        count = recipe.steps * recipe.batch
        return open_samples(folders, split, problems, recipe.data, recipe.augment, spec, seed=recipe.seed, count=count)
    chances = MILD if recipe.validation.draw == "any" else None
    return open_samples(folders, split, problems, recipe.validation, chances, spec, seed=1, count=recipe.validation_pairs)


def held_out_pairs(recipe: Recipe, spec: Spec, folders: Sequence[Path]) -> Pairs:
    """The pairs that a recipe of pairs watches, of folders with an index."""
    tracks = [track for folder in folders for track in read_tracks(folder, "val")]
    return Pairs(tracks, recipe.validation, MILD, template=spec.template, search=spec.search, seed=1, count=recipe.validation_pairs)
