"""Recipes of the built-in trackers."""

from __future__ import annotations

from pathlib import Path

from sightline.train.recipe import Augment, Data, Distil, Optim, Recipe, Share

__all__ = ["ALL_VIDEOS", "OPEN", "OPEN_STILLS", "OTHER_STILLS", "OTHER_VIDEOS", "VALIDATION", "kestrel_nano"]

# sources of the shared training data by the licence that they state
OPEN_STILLS = (
    "aerial_person", "amenity", "bins", "boards", "cars", "cells", "chess", "clothes", "cones", "raccoon", "ships", "trash",
)  # fmt: skip
OTHER_VIDEOS = ("davis16", "segtrack2", "uav123", "uavdt", "wtracking", "ytvos_sample", "otb-100", "vot2015", "omnimatte_tennis")
OTHER_STILLS = ("fighters", "kangaroo", "rabbit", "traffic")

ALL_VIDEOS = (*OTHER_VIDEOS, "dtb70", "xmem2_chair")

VALIDATION = Data(
    shares=(
        Share(weight=0.50, sources=ALL_VIDEOS),
        Share(weight=0.15, sources=("drones",)),
        Share(weight=0.20, sources=("coco",)),
        Share(weight=0.15, sources=(*OPEN_STILLS, *OTHER_STILLS)),
    ),
    center_jitter=1.5,
    scale_jitter=0.15,
    stretch=0.1,
    absent=0.25,
)
VITTRACK = Path("object_tracking_vittrack_2023sep.onnx")


OPEN = (
    Share(weight=0.38, sources=("clips",)),
    Share(weight=0.12, sources=("drones",)),
    Share(weight=0.25, sources=("coco",)),
    Share(weight=0.25, sources=OPEN_STILLS),
)


def kestrel_nano() -> Recipe:
    """The built-in tracker: the published VitTrack-nano taught to do without a look at the search region in its template.

    Command   recipes/README.md (labelling of the clips, training, export)
    """
    return Recipe(
        name="kestrel-nano",
        start=VITTRACK,
        start_share=0.35,
        distil=Distil(teacher=VITTRACK, features=2.0, score=0.3, size=1.0),
        data=Data(
            shares=OPEN,
            center_jitter=2.5,
            template_jitter=0.1,
            stretch=0.15,
            absent=0.12,
        ),
        augment=Augment(light=0.5, blur=0.1, coarse=0.1, noise=0.05, jpeg=0.15, occluder=0.05, stranger=0.1),
        validation=VALIDATION,
        optim=Optim(rate=2e-4),
        steps=1500,
        workers=4,
    )
