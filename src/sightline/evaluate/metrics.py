"""How well boxes follow the truth, counted as a toolkit counts: pure functions of arrays and of `Rules`.

A clip's boxes become values of frames (`frame_values`), values become curves (`count`), curves of clips become one
curve (`average`), and a curve has a score (`score`). `evaluate` is all four in a row.

The plain functions below (`success_auc`, `mean_iou`, `precision`) need no rules: they are those of the reference figures
for small folders of sequences: intersection over union without +1, limited to 1; frames whose truth is NaN do not
count; the success curve is the share of frames above each threshold, strictly; its area is the plain mean (so a perfect
track has 20/21).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.box import iou
from sightline.errors import BadData
from sightline.evaluate.rules import MISS, CurveRule, Rounding, Rules

__all__ = [
    "SUCCESS_THRESHOLDS",
    "Curves",
    "Frames",
    "Scores",
    "average",
    "average_overlap",
    "boxes_inside",
    "centre_errors",
    "count",
    "evaluate",
    "frame_values",
    "frames_per_second",
    "mean_iou",
    "normalised_errors",
    "overlap_values",
    "overlaps",
    "precision",
    "reported",
    "score",
    "scores",
    "share_above",
    "shares",
    "success_auc",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SUCCESS_THRESHOLDS = np.linspace(0.0, 1.0, 21)

TESTS: Mapping[str, Callable[[Any, Any], Any]] = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
ROUNDINGS: Mapping[Rounding, Callable[[Floats], Floats]] = {"none": np.copy, "truncate": np.trunc, "even": np.round}


def overlaps(boxes: Floats, truth: Floats) -> Floats:
    """Overlap in the frames that count.

    Args:
        boxes: (T, 4) predictions.
        truth: (T, 4), NaN where the target is absent.

    Returns:
        (N,) in 0..1, N <= T. A prediction that is not finite counts as 0.
    """
    counted = np.isfinite(truth).all(axis=1)
    overlap: Floats = np.nan_to_num(iou(boxes[counted], truth[counted]), nan=0.0)
    return overlap


def success_auc(boxes: Floats, truth: Floats) -> float:
    """Area under the success curve of one clip, 0..20/21."""
    return float((overlaps(boxes, truth)[:, np.newaxis] > SUCCESS_THRESHOLDS).mean())


def mean_iou(boxes: Floats, truth: Floats) -> float:
    """Mean overlap of one clip, 0..1."""
    return float(overlaps(boxes, truth).mean())


def precision(boxes: Floats, truth: Floats, *, pixels: float = 20.0) -> float:
    """Share of frames whose centre lies within `pixels` of the true one, 0..1."""
    counted = np.isfinite(truth).all(axis=1)
    centres, true_centres = (rows[counted, :2] + rows[counted, 2:] / 2 for rows in (boxes, truth))
    return float((np.linalg.norm(centres - true_centres, axis=1) <= pixels).mean())


@dataclass(frozen=True, slots=True)
class Frames:
    """The values of the N frames of a clip that take part, and what their number is divided by.

    Attributes:
        overlap: (N,) 0..1, or -1 where the truth is unusable, or NaN.
        error: (N,) distance of the centres in pixels, or what stands for it where the truth is unusable.
        normal: (N,) the same in sizes of the target.
        valid: (N,) the truth is usable.
        denominator: shares are of this number.
    """

    overlap: Floats
    error: Floats
    normal: Floats
    valid: Bools
    denominator: float


@dataclass(frozen=True, slots=True)
class Curves:
    """Shares of frames at the thresholds of a `Rules`; one row per clip, or one row for all."""

    success: Floats
    precision: Floats
    normal: Floats


@dataclass(frozen=True, slots=True)
class Scores:
    """The numbers that a toolkit reports, in its scale (0..1 or 0..100).

    Attributes:
        success: area under the success curve.
        precision: at 20 pixels, or as the rules say.
        normal: normalised precision, at 0.2 or as the rules say.
    """

    success: float
    precision: float
    normal: float


def boxes_inside(boxes: Floats, size: tuple[int, int]) -> Floats:
    """Boxes (T, 4) cut to an image of (width, height): the corner first, then the sides to what is left.

    as published: a box that begins left of the image keeps its width, so its right edge moves.
    """
    corner = np.clip(boxes[:, :2], 0, size)
    return np.concatenate([corner, np.clip(boxes[:, 2:], 0, np.asarray(size) - corner)], axis=1)


def overlap_values(boxes: Floats, truth: Floats, rules: Rules) -> Floats:
    """Intersection over union (T,) of boxes (T, 4) in the rules' arithmetic; NaN where both have no area or one is NaN."""
    one = float(rules.inclusive)
    far = np.minimum(boxes[:, :2] + boxes[:, 2:] - one, truth[:, :2] + truth[:, 2:] - one)
    sides = np.maximum(far - np.maximum(boxes[:, :2], truth[:, :2]) + one, 0.0)
    intersection = sides[:, 0] * sides[:, 1]
    union = boxes[:, 2] * boxes[:, 3] + truth[:, 2] * truth[:, 3] - intersection + rules.union_eps
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: Floats = intersection / union
    return shares if rules.inclusive else np.clip(shares, 0.0, 1.0)


def centre_errors(boxes: Floats, truth: Floats, rules: Rules) -> Floats:
    """Distance (T,) between the centres of boxes (T, 4), pixels."""
    difference = centres(boxes, rules) - centres(truth, rules)
    errors: Floats = np.sqrt((difference**2).sum(axis=1))
    return errors if rules.decimals is None else np.round(errors, rules.decimals)


def normalised_errors(boxes: Floats, truth: Floats, rules: Rules) -> Floats:
    """Distance (T,) between the centres of boxes (T, 4), each axis in sides of the true box."""
    with np.errstate(invalid="ignore", divide="ignore"):
        errors: Floats = np.sqrt(
            normalised_squares(centres(boxes, rules), centres(truth, rules), divisors(truth, rules), rules).sum(axis=1)
        )
    return errors


def normalised_squares(ours: Floats, theirs: Floats, sides: Floats, rules: Rules) -> Floats:
    """Squared distance along each axis (T, 2), by the rules' order of operations."""
    if rules.normal_first == "divide":
        return (ours / sides - theirs / sides) ** 2
    if rules.normal_first == "subtract":
        return ((ours - theirs) / sides) ** 2
    return (ours - theirs) / sides * (ours - theirs) / sides


def centres(boxes: Floats, rules: Rules) -> Floats:
    """Centres (T, 2) in the rules' arithmetic."""
    return boxes[:, :2] + (boxes[:, 2:] + rules.centre_offset) / 2


def divisors(truth: Floats, rules: Rules) -> Floats:
    """What each axis of an error is divided by, (T, 2)."""
    return np.maximum(truth[:, 2:], rules.normal_floor) + rules.normal_eps if rules.normal_floor else truth[:, 2:] + rules.normal_eps


def frame_values(
    boxes: Floats, truth: Floats, visible: Bools | None = None, *, rules: Rules, size: tuple[int, int] | None = None
) -> Frames:
    """Overlap and errors of one clip's frames, as the rules see them.

    Args:
        boxes: (T, 4) predictions in frame pixels; not modified.
        truth: (T, 4), NaN or zero rows where the data set has them; not modified. Or (V, T, 4), several annotations of
            one clip (visible and infrared): the best of them counts in each frame.
        visible: (T,) what the data set says of each frame; None means that it says nothing.
        rules: a row of `RULES`.
        size: (width, height) of the image; rules that cut boxes to it need it.

    Returns:
        New arrays.

    Raises:
        BadData: arrays of other shapes, too few predictions, or predictions that the rules refuse.
    """
    if truth.ndim == 3:
        return best_of([frame_values(boxes, view, visible, rules=rules, size=size) for view in truth])
    seen = np.ones(len(truth), dtype=bool) if visible is None else np.asarray(visible, dtype=bool)
    boxes, truth, seen = prepared(boxes, truth, seen, rules, size)
    total = len(truth)
    kept = kept_frames(truth, seen, rules)
    boxes, truth, seen = boxes[kept], truth[kept], seen[kept]
    valid = valid_frames(truth, seen, rules)
    overlap = np.where(valid, overlap_values(boxes, truth, rules), MISS)
    usable, usable_normal = usable_errors(truth, valid, rules)
    error = np.where(usable, centre_errors(boxes, truth, rules), rules.invalid_error)
    normal = np.where(usable_normal, normalised_errors(boxes, truth, rules), rules.invalid_normal)
    if rules.unseen_error is not None:
        error, normal = (np.where(seen, values, rules.unseen_error) for values in (error, normal))
    number = {"all": total, "kept": len(truth), "valid": int(valid.sum())}[rules.denominator]
    return Frames(overlap, error, normal, valid, number + rules.denominator_eps)


def best_of(views: Sequence[Frames]) -> Frames:
    """The largest overlap and the smallest errors of each frame."""
    return Frames(
        np.max([view.overlap for view in views], axis=0),
        np.min([view.error for view in views], axis=0),
        np.min([view.normal for view in views], axis=0),
        np.any([view.valid for view in views], axis=0),
        views[0].denominator,
    )


def prepared(boxes: Floats, truth: Floats, seen: Bools, rules: Rules, size: tuple[int, int] | None) -> tuple[Floats, Floats, Bools]:
    """Copies of equal length, rounded, repaired, cut to the image, with the first frame as the rules have it."""
    check_shapes(boxes, truth, seen)
    boxes, truth, seen = fitted(boxes, truth, seen, rules)
    precise = np.float32 if rules.single else np.float64
    boxes = ROUNDINGS[rules.rounding](boxes.astype(np.float64)).astype(precise).astype(np.float64)
    truth = ROUNDINGS[rules.truth_rounding](truth.astype(np.float64)).astype(precise).astype(np.float64)
    refuse_broken(boxes, rules)
    boxes = repaired(boxes, truth, rules)
    if rules.first == "truth":
        boxes[0] = truth[0]
    if rules.bounded:
        if size is None:
            raise BadData(f"the rules {rules.name!r} cut boxes to the image; give its size (width, height).")
        boxes, truth = boxes_inside(boxes, size), boxes_inside(truth, size)
    if rules.first == "drop":
        return boxes[1:], truth[1:], seen[1:]
    return boxes, truth, seen


def check_shapes(boxes: Floats, truth: Floats, seen: Bools) -> None:
    """Refuse what is no clip."""
    for what, rows in (("predictions", boxes), ("truth", truth)):
        if rows.ndim != 2 or rows.shape[1] != 4 or not len(rows):
            raise BadData(f"{what} have shape {rows.shape}; expected (frames, 4): x, y, width, height.")
    if seen.shape != truth.shape[:1]:
        raise BadData(f"visibility has shape {seen.shape}, the truth {len(truth)} frames; give one flag for each frame.")


def fitted(boxes: Floats, truth: Floats, seen: Bools, rules: Rules) -> tuple[Floats, Floats, Bools]:
    """Predictions and truth of one length. Predictions beyond the truth are cut by every toolkit that accepts them."""
    frames, given = len(truth), len(boxes)
    if given < frames and rules.short == "refuse":
        raise BadData(f"{given} predictions for {frames} frames; the rules {rules.name!r} take none but whole results: run the clip again.")
    if given < frames and rules.short == "pad":
        return np.concatenate([boxes, np.zeros((frames - given, 4))]), truth, seen
    length = min(frames, given)
    return boxes[:length], truth[:length], seen[:length]


def refuse_broken(boxes: Floats, rules: Rules) -> None:
    """Stop at predictions that the rules' toolkit stops at."""
    if rules.refuse == "none":
        return
    broken = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] < 0).any(axis=1)
    if broken.any():
        row = int(broken.argmax())
        raise BadData(
            f"prediction {row} is {boxes[row].tolist()}; the rules {rules.name!r} take finite boxes with sides of zero or more: mend the results."
        )


def repaired(boxes: Floats, truth: Floats, rules: Rules) -> Floats:
    """A copy in which a bad row repeats the one before it."""
    boxes = boxes.copy()
    bad = bad_rows(boxes, rules) & every(~np.isnan(truth))
    for row in np.flatnonzero(bad[1:]) + 1:
        boxes[row] = boxes[row - 1]
    return boxes


def every(flags: Bools) -> Bools:
    """Rows (T,) of (T, K) in which all flags are set."""
    return np.asarray(flags.all(axis=1), dtype=bool)


def bad_rows(boxes: Floats, rules: Rules) -> Bools:
    """Predictions (T,) that the rules replace."""
    if rules.repair == "zero":
        return ~every(boxes[:, 2:] != 0)
    if rules.repair == "not-positive":
        return ~every(boxes[:, 2:] > 0) | ~every(~np.isnan(boxes))
    return np.zeros(len(boxes), dtype=bool)


def kept_frames(truth: Floats, seen: Bools, rules: Rules) -> Bools:
    """Frames that take part."""
    if rules.dropped == "no-number":
        return every(~np.isnan(truth))
    return seen if rules.dropped == "invisible" else np.ones(len(truth), dtype=bool)


def valid_frames(truth: Floats, seen: Bools, rules: Rules) -> Bools:
    """Frames whose truth is usable; NaN is not positive."""
    asked = {"all": truth[:, :0], "sides": truth[:, 2:], "positive": truth}[rules.valid]
    valid = every(asked > 0)
    return valid & seen if rules.valid_seen else valid


def usable_errors(truth: Floats, valid: Bools, rules: Rules) -> tuple[Bools, Bools]:
    """Frames whose error in pixels is usable, and whose normalised error is."""
    if rules.valid_centre == "frame":
        return valid, valid
    with np.errstate(invalid="ignore", divide="ignore"):
        normal = centres(truth, rules) / divisors(truth, rules)
    return every(centres(truth, rules) > 0), every(normal > 0)


def count(values: Floats, rule: CurveRule) -> NDArray[np.int64]:
    """How many of the values (N,) pass at each threshold (K,); NaN passes none."""
    return np.asarray(TESTS[rule.test](values[:, np.newaxis], np.asarray(rule.thresholds)).sum(axis=0), dtype=np.int64)


def shares(frames: Frames, rules: Rules) -> Curves:
    """The three curves of one clip, 0..1 (above where hits are counted in frames that are not)."""
    number = frames.denominator or np.nan
    counted = [
        count(values, rule) / number
        for values, rule in ((frames.overlap, rules.success), (frames.error, rules.precision), (frames.normal, rules.normal))
    ]
    return Curves(*(single(curve, rules) for curve in counted))


def single(curve: Floats, rules: Rules) -> Floats:
    """The curve as the rules' toolkit keeps it, in float64."""
    return curve.astype(np.float32).astype(np.float64) if rules.single_curves else curve


def average(clips: Sequence[Frames], rules: Rules) -> Curves:
    """The curves of all clips together, in the rules' scale.

    Raises:
        BadData: there are no clips.
    """
    if not clips:
        raise BadData("no clip to average over; give at least one.")
    if rules.pool == "frames":
        joined = Frames(
            np.concatenate([clip.overlap for clip in clips]),
            np.concatenate([clip.error for clip in clips]),
            np.concatenate([clip.normal for clip in clips]),
            np.concatenate([clip.valid for clip in clips]),
            sum(clip.denominator for clip in clips),
        )
        clips = [joined]
    curves = [shares(clip, rules) for clip in clips]
    return Curves(*(mean_curve(np.stack([getattr(curve, name) for curve in curves]), rules) for name in ("success", "precision", "normal")))


def mean_curve(curves: Floats, rules: Rules) -> Floats:
    """The mean of curves (clips, K), times the rules' scale."""
    if rules.skip_zero:
        curves = curves[curves.sum(axis=1) != 0]
    return rules.scale * (curves.mean(axis=0) if len(curves) else np.full(curves.shape[1], np.nan))


def score(curve: Floats, rule: CurveRule) -> float:
    """The number that is reported of a curve (K,)."""
    if rule.score == "mean":
        return float(curve.mean())
    if rule.score == "trapezoid":
        return float(((curve[1:] + curve[:-1]) / 2).sum() / (len(curve) - 1))
    return float(curve[rule.score])


def scores(curves: Curves, rules: Rules) -> Scores:
    """The three numbers of three curves."""
    return Scores(score(curves.success, rules.success), score(curves.precision, rules.precision), score(curves.normal, rules.normal))


def evaluate(clips: Sequence[Frames], rules: Rules) -> tuple[Curves, Scores]:
    """Curves and scores of all clips together."""
    curves = average(clips, rules)
    return curves, scores(curves, rules)


def share_above(clips: Sequence[Frames], threshold: float, rules: Rules) -> float:
    """Share of frames whose overlap passes one threshold, averaged as the rules average: OP50, OP75, SR50, SR75."""
    at_one = replace(rules, success=replace(rules.success, thresholds=(threshold,)))
    return float(average(clips, at_one).success[0])


def average_overlap(clips: Sequence[Frames], rules: Rules) -> float:
    """Mean overlap of the valid frames, over clips or all frames together as the rules have it, 0..1: AO. NaN without any."""
    valid = [clip.overlap[clip.valid] for clip in clips]
    if rules.pool == "frames":
        valid = [np.concatenate(valid)]
    means = [values.mean() for values in valid if len(values)]
    return float(np.mean(means)) if means else float("nan")


def reported(boxes: Floats, truth: Floats, *, rules: Rules) -> Bools:
    """Frames (T,) for which a tracker gave a box: x + y + w + h above zero once the rules have prepared it.

    The TrackingNet devkit prints its mean, over the frames of all clips together, as coverage.
    """
    boxes, _, _ = prepared(boxes, truth, np.ones(len(truth), dtype=bool), rules, None)
    return np.asarray(boxes.sum(axis=1) > 0)


def frames_per_second(seconds: Floats) -> float:
    """Mean of the frames' rates, over times (T,) above zero: not frames by total time, which is lower. NaN without any.

    Source: what the GOT-10k toolkit prints as speed.
    """
    counted = seconds[seconds > 0]
    return float((1 / counted).mean()) if len(counted) else float("nan")
