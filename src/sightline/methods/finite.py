"""What a network says is checked here, whichever engine ran it: no NaN becomes a box."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from sightline.engines import Array, Role
from sightline.errors import EngineError
from sightline.frame import Frame
from sightline.spec import Spec

__all__ = ["check_finite"]


def check_finite(
    spec: Spec, role: Role, said: Mapping[str, Array], frames: Sequence[Frame], names: Iterable[str] = ("box", "score")
) -> None:
    """Refuse outputs that are no numbers.

    Args:
        spec: whose they are.
        role: of the graph.
        said: its outputs, a row for each frame.
        frames: what it was shown.
        names: of the outputs to look at, where they are there.

    Raises:
        EngineError: NaN or infinity; names the network, the graph, the output and the frame.
    """
    for name in names:
        if name not in said:
            continue
        flat = said[name].ravel()
        if math.isfinite(np.dot(flat, flat)) or np.isfinite(flat).all():  # the sum of squares is told sooner, but may overflow
            continue
        bad = next(i for i in range(len(frames)) if not np.isfinite(said[name][i]).all())
        raise EngineError(
            f"{spec.name} says no {name} in frame {frames[bad].index}: its {role} graph computed NaN or infinity. "
            "Run it in f32, or on another engine; if that is no better, the weights file is damaged: export it again."
        )
