"""Rendered clips with exact truth, for demonstrations, tests, training and pictures: no data set is needed.

    for shot in render(Scene(seed=7, num_frames=60)):
        shot.frame.image, shot.box       # (360, 640, 3) uint8, x y w h in pixels

A camera flies over a painted landscape and follows one object among its doubles; things pass over it, light and
shadow change, the picture blurs and is noisy. Everything follows from the seed.
"""

from sightline.scene.shapes import KINDS, Kind
from sightline.scene.stage import ABSENT, Look, Scene, SceneFrame, render

__all__ = ["ABSENT", "KINDS", "Kind", "Look", "Scene", "SceneFrame", "render"]
