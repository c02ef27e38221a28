"""Sequences of a few rendered frames, and weights that are rounded in no time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sightline.box import Box
from sightline.frame import Frame
from sightline.quantize.footage import Footage, Take
from sightline.scene import Scene, SceneFrame, render

if TYPE_CHECKING:
    import onnx


def shown(shot: SceneFrame) -> tuple[Frame, Box]:
    return shot.frame, shot.box


def filmed(seed: int) -> Take:
    """A rendered scene, kept."""
    shots = render(Scene(seed=seed, num_frames=8, size=(480, 270), occlusion=0.0))
    return Take(f"scene {seed}", tuple(partial(shown, shot) for shot in shots))


SMALL = Footage("what was filmed", (filmed(0), filmed(2)), (filmed(1), filmed(3)), objects=2)


def rounded(model: onnx.ModelProto, levels: int) -> onnx.ModelProto:
    """Every array of weights on so many levels on each side of zero."""
    from onnx import numpy_helper  # only where it is there

    for entry in model.graph.initializer:
        values = numpy_helper.to_array(entry)
        if values.dtype == np.float32 and values.ndim > 1:
            step = np.abs(values).max() / levels
            entry.CopyFrom(numpy_helper.from_array((np.round(values / step) * step).astype(np.float32), entry.name))
    return model
