from __future__ import annotations

from pathlib import Path

import numpy as np

from sightline.box import iou
from sightline.scene import Scene, render
from sightline.train.fear import Fear


def test_the_published_graphs_follow_a_rendered_target(shared: Path) -> None:
    fear = Fear(shared / "weights" / "fear_xs")
    overlaps = []
    for i, shot in enumerate(render(Scene(seed=3, num_frames=12, size=(320, 240), occlusion=0, motion=0.3, distractors=0))):
        if i == 0:
            fear.init(shot.frame, shot.box)
            continue
        box, score = fear.update(shot.frame)
        assert 0 <= score <= 1
        overlaps.append(float(iou(np.array(box), np.array(shot.box))))
    assert min(overlaps) > 0.5
