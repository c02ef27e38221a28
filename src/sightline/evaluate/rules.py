"""How each public toolkit counts one pass over a sequence, as rows of data.

The toolkits agree on what an overlap and a centre are and disagree on everything around: which frames count, what a
frame without truth is worth, who divides by how many, and which number of a curve is the score. A row of `RULES` says all
of it; `sightline.evaluate.metrics` computes by it and knows no toolkit's name. docs/evaluation.md explains the
differences in words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

__all__ = ["RULES", "CurveRule", "Rules", "spaced"]

Test = Literal[">", ">=", "<", "<="]
Rounding = Literal["none", "truncate", "even"]

EPSILON = float(np.finfo(np.float64).eps)
MISS = -1.0  # an overlap that passes no threshold
HIT = -1.0  # an error that passes every threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveRule:
    """A curve is the share of frames whose value passes the test at each threshold.

    Attributes:
        thresholds: where the curve is counted; overlap 0..1, error in pixels, or error in target sizes.
        test: `value test threshold`.
        score: the mean of the curve, its area over 0..1 by trapezoids, or the index whose value is reported.
    """

    thresholds: tuple[float, ...]
    test: Test
    score: Literal["mean", "trapezoid"] | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What one toolkit does with the boxes of one tracker. "Truth" is the annotated box, (x, y, w, h).

    Attributes:
        name: the toolkit, and the data set where the toolkit treats it in its own way.
        rounding: of predicted boxes, before anything else: none, toward zero, or to the nearest with halves to even.
        truth_rounding: the same for the truth.
        single: boxes are kept in float32 once they are rounded.
        short: what is done with too few predictions: cut the truth too, pad with zeros, or refuse.
        refuse: predictions that raise `BadData`: none, or those that are not finite or of negative size.
        repair: predictions that are replaced by the one before, where the truth is a number: none, those with a side of
            zero, or those with a side of zero or less or not finite.
        first: the first prediction counts as the truth, as it is, or not at all.
        bounded: both boxes are cut to the image first.
        inclusive: corners for the intersection are pixels that belong to the box: right = x + w - 1, and 1 is added back.
        union_eps: added to the union.
        centre_offset: the centre is xy + (wh + centre_offset) / 2.
        decimals: to which errors in pixels are rounded; None keeps them.
        normal_first: what a normalised error does first, divide both centres or subtract them; "by turns" then squares
            as d / side * d / side. It decides exact ties.
        normal_floor, normal_eps: the divisor is max(normal_floor, size) + normal_eps.
        dropped: frames that take no part: none, those without a number in the truth, those flagged invisible.
        valid: the truth is usable in all frames, where both its sides are positive, or where all four numbers are.
        valid_seen: a frame flagged invisible is not valid either.
        valid_centre: errors of a frame are usable where the frame is valid, or where both coordinates of the (divided)
            true centre are positive.
        invalid_error, invalid_normal: the error that stands for an unusable one; an unusable overlap is always a miss.
        unseen_error: what both errors are, last of all, where the target is flagged invisible; None leaves them.
        denominator: shares are of all frames of the sequence, of those not dropped, or of the valid ones.
        denominator_eps: added to that number.
        single_curves: curves are kept in float32.
        scale: 1 or 100; scores and averaged curves are multiplied by it.
        pool: curves are averaged over sequences, or over the frames of all sequences together.
        skip_zero: a sequence whose curve is zero everywhere is left out of the average.
        success, precision, normal: the three curves.
    """

    name: str
    rounding: Rounding = "none"
    truth_rounding: Rounding = "none"
    single: bool = False
    short: Literal["cut", "pad", "refuse"] = "refuse"
    refuse: Literal["none", "broken"] = "none"
    repair: Literal["none", "zero", "not-positive"] = "none"
    first: Literal["truth", "as-is", "drop"] = "truth"
    bounded: bool = False
    inclusive: bool = True
    union_eps: float = 0.0
    centre_offset: float = -1.0
    decimals: int | None = None
    normal_first: Literal["divide", "subtract", "subtract-by-turns"] = "divide"
    normal_floor: float = 0.0
    normal_eps: float = 0.0
    dropped: Literal["none", "no-number", "invisible"] = "none"
    valid: Literal["all", "sides", "positive"] = "all"
    valid_seen: bool = False
    valid_centre: Literal["frame", "centre"] = "frame"
    invalid_error: float = HIT
    invalid_normal: float = HIT
    unseen_error: float | None = None
    denominator: Literal["all", "kept", "valid"] = "all"
    denominator_eps: float = 0.0
    single_curves: bool = False
    scale: float = 1.0
    pool: Literal["sequences", "frames"] = "sequences"
    skip_zero: bool = False
    success: CurveRule
    precision: CurveRule
    normal: CurveRule


def spaced(stop: float, count: int) -> tuple[float, ...]:
    """`count` thresholds from 0 to `stop`, as numpy.linspace has them."""
    return tuple(np.linspace(0, stop, count).tolist())


STEPS = tuple(np.arange(0, 1.05, 0.05).tolist())  # 0:0.05:1; not the floats of linspace, and ties tell them apart
HUNDREDTHS = tuple((np.arange(51) / 100).tolist())

SUCCESS = CurveRule(thresholds=STEPS, test=">", score="mean")
PRECISION = CurveRule(thresholds=spaced(50, 51), test="<=", score=20)
NORMAL = CurveRule(thresholds=HUNDREDTHS, test="<=", score=20)

GOT10K = Rules(
    name="got10k",
    short="cut",
    inclusive=False,
    union_eps=EPSILON,
    normal_first="subtract",
    normal_floor=1.0,
    denominator="kept",
    success=replace(SUCCESS, thresholds=spaced(1, 21)),
    precision=PRECISION,
    normal=CurveRule(thresholds=spaced(0.5, 51), test="<=", score="mean"),
)
GOT10K_NUMBERS = replace(GOT10K, dropped="no-number")

SIGHTLINE = Rules(  # of no toolkit: the plainest ones, for sequences that belong to no benchmark
    name="sightline",
    first="as-is",
    inclusive=False,
    dropped="invisible",
    denominator="kept",
    success=replace(SUCCESS, thresholds=spaced(1, 21)),
    precision=PRECISION,
    normal=NORMAL,
)

PYTRACKING = Rules(
    name="pytracking",
    short="pad",
    refuse="broken",
    repair="zero",
    valid="positive",
    valid_seen=True,
    invalid_error=np.inf,
    single_curves=True,
    scale=100.0,
    success=SUCCESS,
    precision=PRECISION,
    normal=NORMAL,
)
STARK = replace(PYTRACKING, name="stark", valid="sides")

PYSOT = Rules(
    name="pysot",
    first="as-is",
    inclusive=False,
    normal_eps=1e-16,
    valid="sides",
    valid_centre="centre",
    success=SUCCESS,
    precision=PRECISION,
    normal=NORMAL,
)
PYSOT_TOOLKIT = replace(PYSOT, name="pysot-toolkit", valid="positive")

LASOT = Rules(
    name="lasot",
    short="cut",
    repair="not-positive",
    dropped="invisible",
    valid="positive",
    denominator_eps=EPSILON,
    skip_zero=True,
    success=SUCCESS,
    precision=PRECISION,
    normal=NORMAL,
)
OTB = Rules(
    name="otb",
    decimals=4,
    valid="positive",
    success=replace(SUCCESS, thresholds=tuple((np.arange(21) / 20).tolist())),
    precision=PRECISION,
    normal=NORMAL,  # the toolkit has none
)

TRACKINGNET = Rules(
    name="trackingnet",
    rounding="even",
    truth_rounding="even",
    centre_offset=1.0,
    normal_first="subtract-by-turns",
    scale=100.0,
    success=CurveRule(thresholds=spaced(1, 21), test=">=", score="trapezoid"),
    precision=CurveRule(thresholds=spaced(50, 21), test="<=", score="trapezoid"),
    normal=CurveRule(thresholds=spaced(0.5, 21), test="<=", score="trapezoid"),
)

RGBT234 = Rules(
    name="rgbt234",
    rounding="even",
    single=True,
    first="as-is",
    success=replace(SUCCESS, thresholds=spaced(1, 21)),
    precision=PRECISION,
    normal=NORMAL,
)
GTOT = replace(
    RGBT234,
    name="gtot",
    centre_offset=0.0,
    pool="frames",
    success=CurveRule(thresholds=spaced(1, 21), test=">", score="trapezoid"),
    precision=CurveRule(thresholds=spaced(25, 51), test="<", score=10),
)
LASHER = replace(
    RGBT234,
    name="lasher",
    truth_rounding="even",
    short="cut",
    first="truth",
    repair="not-positive",
    normal_eps=1e-8,
    valid="positive",
    normal=replace(NORMAL, thresholds=spaced(0.5, 51)),
)

RULES: dict[str, Rules] = {
    rules.name: rules
    for rules in (
        GOT10K,
        replace(GOT10K_NUMBERS, name="got10k-uav123"),
        replace(GOT10K_NUMBERS, name="got10k-lasot"),
        replace(GOT10K, name="got10k-val", bounded=True, first="drop", dropped="invisible", pool="frames"),
        PYTRACKING,
        replace(PYTRACKING, name="pytracking-uav", invalid_error=HIT),
        replace(PYTRACKING, name="pytracking-lasot", short="refuse", unseen_error=np.inf),
        STARK,
        replace(STARK, name="stark-uav", invalid_error=HIT),
        replace(STARK, name="stark-lasot", short="refuse", unseen_error=np.inf),
        PYSOT,
        replace(PYSOT, name="pysot-lasot", dropped="invisible"),
        PYSOT_TOOLKIT,
        replace(PYSOT_TOOLKIT, name="pysot-toolkit-lasot", dropped="invisible"),
        LASOT,
        OTB,
        TRACKINGNET,
        RGBT234,
        GTOT,
        LASHER,
        SIGHTLINE,
    )
}
"""Every row by its name. Variants that toolkits offer as options are fields: `replace(rules, denominator="valid")` is
`exclude_invalid_frames`, `replace(rules, rounding="truncate")` reads boxes as pytracking's writer leaves them."""


KINDS = (
    ("sightline", "got10k-lasot", "pytracking-lasot", "stark-lasot", "pysot-lasot", "pysot-toolkit-lasot", "lasot"),
    ("sightline", "got10k-uav123", "pytracking-uav", "stark-uav", "pysot", "pysot-toolkit"),
    ("sightline", "got10k", "pytracking", "stark", "pysot", "pysot-toolkit", "otb", "lasot", "trackingnet"),
    ("sightline", "got10k-val", "got10k", "stark"),
    ("sightline", "rgbt234", "gtot", "lasher"),
)
"""Rows that figures on data sets of one kind are found by: as LaSOT, as UAV123, any other, GOT-10k, two cameras."""


def rules_of_one_kind(name: str) -> tuple[str, ...]:
    """Names of the rows that stand in for each other where `name` is used; for the plainest row those of no data set in particular."""
    return KINDS[2] if name == "sightline" else next(kind for kind in KINDS if name in kind)
