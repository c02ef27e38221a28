"""Learning from another network's answers to the same crops, where it finds the target itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.engines import Session, open_session
from sightline.engines.state import apart
from sightline.errors import BadSpec, WeightsMismatch, WeightsMissing
from sightline.models.calls import OF_STEP, OF_TEMPLATE
from sightline.models.layers.boxes import xyxy_from_cxcywh
from sightline.models.layers.heads import CenterBoxHead, CenterHead, CenterMaps
from sightline.spec import Crop, Spec
from sightline.train.forward import Answer, answer
from sightline.train.objectives.center import best_boxes
from sightline.train.recipe import Distil
from sightline.train.start import network_in
from sightline.weights import spec_in

__all__ = ["Teacher", "distil_parts", "open_teacher", "own_parts"]

HEAD = "head"


class Teacher(Protocol):
    """Something that answers to the crops of a batch."""

    def answers(self, arrays: Mapping[str, Tensor]) -> list[Answer]:
        """One answer for each search crop, without gradients."""


@dataclass(frozen=True, slots=True)
class NetworkTeacher:
    """A network in torch, and the parts of it that are learnt from."""

    network: nn.Module
    spec: Spec
    listen: tuple[str, ...]

    @torch.no_grad()
    def answers(self, arrays: Mapping[str, Tensor]) -> list[Answer]:
        """See `Teacher`."""
        return answer(self.network, self.spec, _sized(arrays, self.spec), self.listen)


@dataclass(frozen=True, slots=True)
class FileTeacher:
    """A network that only an engine can run: its boxes are learnt from."""

    session: Session
    given: frozenset[str] = field(default_factory=frozenset)

    def answers(self, arrays: Mapping[str, Tensor]) -> list[Answer]:
        """See `Teacher`."""
        batch = {name: value.cpu().numpy() for name, value in _sized(arrays, self.session.spec).items()}
        state: dict[str, Any] = {name: value[:, 0] for name, value in batch.items() if name.startswith(OF_TEMPLATE)}
        if "init" in self.session.roles:
            template, own = apart(self.session.run("init", state))
            state = template | own
        answers = []
        for place in range(batch["search"].shape[1]):
            given = {name: value[:, place] for name, value in batch.items() if name.startswith(OF_STEP)}
            said = self.session.run("step", {**state, **given})
            state |= apart(said)[1]
            answers.append(Answer({name: torch.from_numpy(value).to(arrays["search"].device) for name, value in said.items()}, {}))
        return answers


def own_parts(weights: Distil) -> tuple[str, ...]:
    """The student's parts that have to be listened to."""
    return _wanted(weights, [own for own, _ in weights.layers])


def _wanted(weights: Distil, layers: list[str]) -> tuple[str, ...]:
    maps = (HEAD,) if weights.score or weights.size else ()
    return (*maps, *(layers if weights.features else ()))


def open_teacher(weights: Distil, student: Spec, device: torch.device) -> Teacher:
    """The teacher of a recipe.

    Raises:
        BadSpec: it looks at other crops than the student, has no such part, or says less than is to be learnt.
        WeightsMissing, WeightsMismatch: the file cannot be used.
    """
    listen = _wanted(weights, [theirs for _, theirs in weights.layers])
    if not weights.teacher.exists():
        raise WeightsMissing(f"the run learns from {weights.teacher}, and there is no such file here; --teacher names another.")
    try:
        network, spec = network_in(weights.teacher)
    except WeightsMismatch:
        spec_there = spec_in(weights.teacher) if weights.teacher.suffix == ".onnx" else None
        if spec_there is None:
            raise
        if listen:
            raise BadSpec(
                f"{weights.teacher} cannot teach all of that: of an ONNX file only `box` can be learnt, not {', '.join(listen)}."
            ) from None
        _check_crops(student, spec_there, weights)
        return FileTeacher(open_session(weights.teacher))
    _check_crops(student, spec, weights)
    there = {name for name, _ in network.named_modules()}
    lacking = [name for name in listen if name not in there and not hasattr(network, name)]
    if lacking:
        raise BadSpec(f"{weights.teacher} cannot teach: {spec.name} has no part called {', '.join(lacking)}.")
    network.to(device).eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, (CenterHead, CenterBoxHead)):
            module.training = True  # so that it says whole maps (`layers.lazy`); its batch norms stay as they are
    return NetworkTeacher(network, spec, listen)


def _check_crops(student: Spec, teacher: Spec, weights: Distil) -> None:
    def looks(crop: Crop) -> tuple[object, ...]:
        return crop.rule, crop.factor, crop.scales, crop.zoom

    for role, own, theirs in (("template", student.template, teacher.template), ("search", student.search, teacher.search)):
        if looks(own) != looks(theirs):
            raise BadSpec(
                f"{weights.teacher} cannot teach {student.name}: {teacher.name} cuts its {role} by {theirs.rule} and factor {theirs.factor}, "
                f"{student.name} by {own.rule} and {own.factor}; choose a teacher that looks at the same."
            )


def _sized(arrays: Mapping[str, Tensor], spec: Spec) -> dict[str, Tensor]:
    """The crops of a batch in the sizes of another spec."""
    wanted = {"template": spec.template.size, "search": spec.search.size}
    return {name: _resized(value, wanted[name], spec) if name in wanted else value for name, value in arrays.items()}


def _resized(crops: Tensor, size: int, spec: Spec) -> Tensor:
    """Crops (..., S, S, 3) in another size, by bilinear interpolation, rounded where the spec wants whole numbers."""
    if crops.shape[-2] != size:
        flat = crops.reshape(-1, *crops.shape[-3:]).permute(0, 3, 1, 2).float()
        flat = functional.interpolate(flat, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
        crops = flat.permute(0, 2, 3, 1).reshape(*crops.shape[:-3], size, size, 3)
    return crops.round().to(torch.uint8) if spec.search.pixels == "uint8" and crops.is_floating_point() else crops


def distil_parts(own: Answer, taught: Answer, truth: Tensor, present: Tensor, weights: Distil) -> dict[str, Tensor]:
    """Weighted distances to what the teacher says, over the samples in which it is right.

    Args:
        own: the student's answer.
        taught: the teacher's.
        truth: boxes (B, 4) as cx, cy, w, h in 0..1 of the search crop.
        present: (B,) float32, 1 where the target is there.
        weights: of the parts.
    """
    their_maps = CenterMaps(*taught.heard[HEAD]) if HEAD in taught.heard else None
    right = _is_right(best_boxes(their_maps) if their_maps is not None else taught.said["box"], truth) * present  # (B,)
    share = right / right.sum().clamp(min=1)
    per_sample: dict[str, Tensor] = {}
    if weights.features:
        pairs = [(own.heard[mine], taught.heard[theirs]) for mine, theirs in weights.layers]
        per_sample["distil_features"] = weights.features * torch.stack([_apart(*pair) for pair in pairs]).sum(dim=0)
    if their_maps is not None and (weights.score or weights.size):
        maps = CenterMaps(*(part.float() for part in own.heard[HEAD]))
        per_sample["distil_score"] = weights.score * _score_apart(maps.score, their_maps.score, weights)
        near = their_maps.score * (their_maps.score > 0.1)  # (B, 1, G, G): where their size means something
        size = ((maps.size - their_maps.size).abs() + (maps.offset - their_maps.offset).abs() / maps.size.shape[-1]) * near
        per_sample["distil_size"] = weights.size * size.sum(dim=(1, 2, 3)) / near.sum(dim=(1, 2, 3)).clamp(min=0.1)
    if weights.box:
        per_sample["distil_box"] = weights.box * (own.said["box"].float() - taught.said["box"]).abs().mean(dim=1)
    return {name: (value * share).sum() for name, value in per_sample.items()}


def _apart(mine: Tensor, theirs: Tensor) -> Tensor:
    """Mean squared distance (B,) of features; of tokens (B, N, C), the last that both have."""
    if mine.ndim == 3:
        num = min(mine.shape[1], theirs.shape[1])
        mine, theirs = mine[:, -num:], theirs[:, -num:]
    if mine.shape != theirs.shape:
        raise BadSpec(f"features {tuple(mine.shape)} cannot learn from {tuple(theirs.shape)}; choose layers of the same width and grid.")
    return (mine.float() - theirs).square().mean(dim=tuple(range(1, mine.ndim)))


def _score_apart(mine: Tensor, theirs: Tensor, weights: Distil) -> Tensor:
    """(B,) how far two maps of probabilities (B, 1, G, G) are apart."""
    if mine.shape != theirs.shape:
        raise BadSpec(
            f"a score map {tuple(mine.shape[2:])} cannot learn from one of {tuple(theirs.shape[2:])}; leave `score` and `size` at 0."
        )
    if weights.score_by == "square":
        return (mine - theirs).square().sum(dim=(1, 2, 3))
    wanted, said = (score.flatten(1) / score.flatten(1).sum(dim=1, keepdim=True) for score in (theirs, mine))
    return (wanted * (wanted.clamp(min=1e-8).log() - said.clamp(min=1e-8).log())).sum(dim=1)


def _is_right(boxes_cxcywh: Tensor, truth_cxcywh: Tensor) -> Tensor:
    """(B,) 1 where two boxes overlap by more than half, else 0."""
    low, high = (torch.stack([corners[..., i : i + 2] for corners in map(xyxy_from_cxcywh, (boxes_cxcywh, truth_cxcywh))]) for i in (0, 2))
    common = (high.amin(dim=0) - low.amax(dim=0)).clamp(min=0).prod(dim=-1)
    union = boxes_cxcywh[:, 2:].prod(dim=-1) + truth_cxcywh[:, 2:].prod(dim=-1) - common
    return (common > 0.5 * union).float()
