"""Engines run networks. A session is one opened network: immutable, without state, safe to call from many threads.

A network has one graph for each of its roles.

    init       reads the template once: what comes out is the state of a target, which `step` is given in every frame
    step       finds the target in a search crop. Where there is no `init`, its state is the template itself
    describe   turns crops into maps of features, for methods that find the target in those

Arrays are known by name. Axis 0 is the batch (B); a crop of several `Crop.scales` has them in axis 1. Boxes are cx, cy, w, h in 0..1 of
their crop, float32. In brackets: what `Spec.feed` has to ask for.

    template                           (B, H, W, 3) RGB, uint8 or as `Crop.pixels` says
    search                             likewise; for `describe` (B, V, H, W, 3), any number V of crops
    template_extra, search_extra       the same crops of a second picture [extra]
    template_padding, search_padding   (B, H, W) bool, true outside the frame [padding]
    target                             (B, 4) the box in the template crop [target]
    prior                              (B, 4) the last box in the search crop, for `step` [prior]
    history                            (B, K, 4) past boxes in the search crop, the oldest first, for `step`, where there is a
                                       `Spec.history`; before the first frame the first box stands
    filled                             (B, slots) bool, which templates are there, for `init` [filled]

    box, score                         (B, 4) and (B,) float32, of `step`
    gate                               (B,) of `step`: how good a template this frame is, where `score` does not say it
    mask, mask_box                     (B, h, w) float32 in 0..1 and (B, 4), of `step`: which pixels of a part of the search crop show the
                                       target, and which part that is
    features                           (B, V, C, h, w), every output of `describe`

What comes out of `init` is given to `step` under its own name. Outputs called `next.x` are state `x` of the target itself: of `init` as it
begins, of `step` as it goes on.

Where `Spec.memory` keeps several templates, there are two ways. Either `init` reads one template at a time, and what comes out stands in
axis 1 of the state, before the scales. Or all templates are read `together`: they stand in axis 1 of what `init` is given, it runs anew
whenever one of them has changed, and what comes out replaces the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.engines.opening import (
    COMPUTES,
    ENGINES,
    IN_TORCH,
    PRECISIONS,
    Opening,
    Precision,
    batch_for,
    engine_of,
    open_session,
    open_untrained,
)
from sightline.spec import Spec
from sightline.unreported import keep_engines_from_reporting

__all__ = [
    "COMPUTES",
    "ENGINES",
    "IN_TORCH",
    "PRECISIONS",
    "Array",
    "Opening",
    "Precision",
    "Role",
    "Session",
    "batch_for",
    "engine_of",
    "open_session",
    "open_untrained",
]

keep_engines_from_reporting()  # before any of them is imported

Array: TypeAlias = NDArray[Any]
Role: TypeAlias = Literal["init", "step", "describe"]


class Session(Protocol):
    """One opened network; see the module's docstring for the names of arrays."""

    @property
    def spec(self) -> Spec:
        """What the network is."""
        ...

    @property
    def roles(self) -> frozenset[Role]:
        """Which of its graphs it has; always "step" or "describe"."""
        ...

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        """Run one graph on a batch.

        Raises:
            EngineError: the graph refuses the arrays.
        """
        ...
