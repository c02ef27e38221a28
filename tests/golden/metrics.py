"""Fixtures golden/metrics: what the toolkits' own code says of made-up tracks, and how the folder's README has them judged.

A fixture names the file of its tracks as an input; check.py hands over where that file lies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sightline.evaluate import masks
from sightline.evaluate.rules import RULES
from tests.golden import onepass, vot
from tests.golden.tracks import Array, Inputs, Meta, Outputs, Tracks

ABSOLUTE = 1e-9


def run(meta: Meta, weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> Outputs:  # noqa: ARG001  # the signature of a runner
    """The outputs of one fixture. The longest name that begins the fixture's decides which function it is about."""
    name = max((name for name in FIXTURES if meta["config"].startswith(name)), key=len)
    path = Path(str(inputs["trajectories"]))
    with np.load(path) as archive:
        tracks = Tracks({key: archive[key] for key in archive.files})
    return FIXTURES[name](meta, tracks, inputs)


def verdict(meta: Meta, stored: Mapping[str, Array], computed: Mapping[str, Any]) -> dict[str, tuple[float, float, bool]]:
    """(worst, allowed, agrees) of every output, as numpy.testing.assert_allclose(rtol, atol=1e-9, equal_nan=True) judges it.

    `worst` is the largest difference in units of the value beside it plus atol / rtol, so that it is allowed rtol. That is
    1e-6, and 1e-5 where the toolkit worked in float32 (the output is, or the notes say so).
    """
    result = {}
    for name, entry in meta["outputs"].items():
        relative = 1e-5 if entry["dtype"] == "float32" or "float32" in meta["notes"] else 1e-6
        worst = worst_difference(stored[name], computed.get(name), entry, relative)
        result[name] = (worst, relative, worst <= relative)
    return result


def worst_difference(theirs: Array, ours: Any, entry: Mapping[str, Any], relative: float) -> float:
    """The largest difference, infinite where shapes or what is not finite differ."""
    if ours is None or list(np.shape(ours)) != entry["shape"]:
        return float("inf")
    left = np.asarray(ours, np.float64).reshape(-1)[:: entry["stride"]]
    right = np.asarray(theirs, np.float64).reshape(-1)
    differs = ~((left == right) | (np.isnan(left) & np.isnan(right)))
    left, right = left[differs], right[differs]
    if not np.isfinite(left).all() or not np.isfinite(right).all():
        return float("inf")
    return float((np.abs(left - right) / (np.abs(right) + ABSOLUTE / relative)).max(initial=0.0))


def davis(meta: Meta, _tracks: Tracks, inputs: Inputs) -> Outputs:
    found = re.search(r"count=(\d+)\*(\d+)", meta["notes"])  # the one place that states it
    assert found
    height, width = (int(side) for side in found.groups())
    truth, predicted, void = (
        np.stack([np.unpackbits(row, count=height * width).reshape(height, width).astype(bool) for row in inputs[f"{name}_bits"]])
        for name in ("annotation", "prediction", "void")
    )
    similar = np.array([masks.region_j(*pair) for pair in zip(predicted, truth, strict=True)])
    near = np.array([masks.boundary_f(*pair) for pair in zip(predicted, truth, strict=True)])
    return {
        "j": similar,
        "f": near,
        "j_void": [masks.region_j(*three) for three in zip(predicted, truth, void, strict=True)],
        "f_void": [masks.boundary_f(*three) for three in zip(predicted, truth, void, strict=True)],
        "j_statistics": masks.statistics(similar),
        "f_statistics": masks.statistics(near),
    }


FIXTURES: Mapping[str, Callable[[Meta, Tracks, Inputs], Outputs]] = {
    "got10k-otb": partial(onepass.got10k, RULES["got10k"], "gt"),
    "got10k-uav123": partial(onepass.got10k, RULES["got10k-uav123"], "gt_nan"),
    "got10k-lasot": partial(onepass.got10k, RULES["got10k-lasot"], "gt_zero"),
    "got10k-val": onepass.got10k_val,
    "got10k-frames": onepass.got10k_frames,
    "pytracking": partial(onepass.pytracking, "pytracking"),
    "ostrack": partial(onepass.pytracking, "stark"),
    "pysot-ope-otb": partial(onepass.pysot, "pysot", "gt", False),
    "pysot-ope-uav": partial(onepass.pysot, "pysot", "gt_nan", False),
    "pysot-ope-lasot": partial(onepass.pysot, "pysot-lasot", "gt_zero", True),
    "pysot-toolkit-ope-otb": partial(onepass.pysot, "pysot-toolkit", "gt", False),
    "pysot-toolkit-ope-uav": partial(onepass.pysot, "pysot-toolkit", "gt_nan", False),
    "pysot-toolkit-ope-lasot": partial(onepass.pysot, "pysot-toolkit-lasot", "gt_zero", True),
    "pysot-region-overlap": vot.region_overlap,
    "pysot-vot-supervised": vot.restarts_pooled,
    "pysot-toolkit-vot-supervised": vot.restarts_pooled,
    "vot-supervised": vot.restarts_weighted,
    "vot-multistart-box": partial(vot.multistart, "gt"),
    "vot-multistart-polygon": partial(vot.multistart, "polygon"),
    "pysot-vot-longterm": vot.longterm_pooled,
    "pysot-toolkit-vot-longterm": vot.longterm_pooled,
    "vot-longterm": vot.longterm,
    "vot-vots": vot.vots,
    "pytracking-f1": onepass.pytracking_f,
    "davis": davis,
    "lasot": partial(onepass.lasot, False),
    "lasot-broken": partial(onepass.lasot, True),
    "otb-benchmark": onepass.otb,
    "trackingnet": onepass.trackingnet,
    "rgbt-rgbt234": partial(onepass.two_views, "rgbt234"),
    "rgbt-gtot": partial(onepass.two_views, "gtot"),
    "rgbt-lasher": onepass.lasher,
}
