"""How much each sample of a learned filter counts. Danelljan et al., CVPR 2017 (arXiv:1611.09224) and CVPR 2019 (arXiv:1811.07628)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["weigh"]


def weigh(
    weights: NDArray[Any], before: int | None, *, rate: float, num_first: int = 0, first_share: float = 0.0
) -> tuple[NDArray[Any], int]:
    """Give a new sample a weight and a place.

    Args:
        weights: (slots,), adding up to 1; 0 for what is empty.
        before: place of the sample before; None where there was none since the first frame.
        rate: share of the new sample.
        num_first: samples of the first frame; they stand in front and stay.
        first_share: what they count for together, at least.

    Returns:
        The new weights (slots,), adding up to 1 (a little more where `first_share` is needed: as published), and the place of the new sample:
        that of least weight before.
    """
    place = num_first + int(np.argmin(weights[num_first:]))
    changed = weights / weights.dtype.type(1 - rate) if before is None else weights.copy()
    changed[place] = rate if before is None else weights[before] / weights.dtype.type(1 - rate)
    changed /= changed.sum()
    if num_first and changed[:num_first].sum() < first_share:
        changed /= weights.dtype.type(first_share) + changed[num_first:].sum()
        changed[:num_first] = first_share / num_first
    return changed, place
