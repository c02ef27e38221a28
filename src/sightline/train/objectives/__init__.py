"""What networks learn by: one row for each kind of head. `recipe.Recipe.objective` names a row, `recipe.Loss` weighs its parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from sightline.train.objectives import anchors, boxes, cells, center, looks, points, words
from sightline.train.objectives.heard import Heard, Objective, Parts

__all__ = ["OBJECTIVES", "Heard", "Objective", "Parts", "weighted"]


def _boxes_and_score(given: Heard) -> Parts:
    return boxes.box(given) | boxes.score(given)


def _points(part: str, rule: Callable[[points.Grid], points.Cells], *, logarithm: bool = False) -> Objective:
    return Objective((part,), points.points(part, rule, logarithm=logarithm))


OBJECTIVES: dict[str, Objective] = {
    "center": Objective(("head",), center.center),
    "box": Objective((), boxes.box),
    "score": Objective((), boxes.score),
    "box and score": Objective((), _boxes_and_score),
    "found": Objective((), boxes.found),
    "looks": Objective(("choose",), looks.looks),
    "anchors": Objective(("look",), anchors.anchors),
    "points in an ellipse": _points("head", points.ellipse),
    "points inside": _points("look", points.inside),
    "points near": _points("look", points.near, logarithm=True),
    "tokens": Objective(("head",), cells.tokens),
    "overlaps": Objective(("look",), cells.overlaps),
    "qualities": Objective(("look",), cells.qualities),
    "responses": Objective(("correlate",), cells.responses),
    "bumps": Objective(("waves.back",), cells.bumps),
    "sentences": Objective(("bottleneck",), words.sentences),
    "trajectories": Objective(("fuse",), words.trajectories),
    "commands": Objective(("",), words.commands),
}


def weighted(parts: Mapping[str, Tensor], weights: Mapping[str, float]) -> dict[str, Tensor]:
    """Parts times their weights; those of weight 0 are left out."""
    return {name: weights[name] * value for name, value in parts.items() if weights[name]}
