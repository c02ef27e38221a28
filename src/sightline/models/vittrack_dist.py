"""VitTrack-nano: the network behind OpenCV's VitTrack. Plain pre-norm blocks over both crops, trained by distillation.

Facts     docs/trackers/vittrack.md (no paper); golden/vittrack_dist      Spec  sightline/zoo/vittrack_dist.py
Weights   object_tracking_vittrack_2023sep.onnx of opencv_zoo, Apache-2.0 (`published_onnx.py` reads it)

The network is `layers.onestream.OneStream`: 3x3 stem, `depth` blocks, centre head.
"""

from __future__ import annotations

from sightline.models.layers.heads import CENTER_KEYS
from sightline.models.layers.onestream import OneStream
from sightline.models.layers.vit import BLOCK_KEYS, PlainBlock
from sightline.zoo.vittrack_dist import Arch

__all__ = ["KEYS", "UNUSED", "build"]

KEYS = (
    ("patch_embed.net.{}.c", "stem.layers.{}.conv"),
    ("patch_embed.net.{}.bn", "stem.layers.{}.norm"),
    ("pos_embed_z", "template_positions"),
    ("pos_embed_x", "search_positions"),
    *BLOCK_KEYS,
    *CENTER_KEYS,
)
UNUSED = ("convs.*", "extblocks.*")  # projections to the teacher and blocks for it: distillation only


def build(arch: Arch) -> OneStream:
    """An untrained network."""
    blocks = (PlainBlock(arch.width, arch.heads) for _ in range(arch.depth))
    return OneStream(stem="conv3x3", width=arch.width, blocks=blocks, head_width=arch.head_width)
