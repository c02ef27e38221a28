"""EfficientTrack with plain pre-norm blocks: the network of VitTrack-nano, larger, under other names.

Facts     docs/trackers/vittrack.md section 2, type AFLN (no paper); golden/efficienttrack/afln_*
Spec      sightline/zoo/efficienttrack_ln.py      Weights   never published
"""

from __future__ import annotations

from sightline.models.layers.heads import CENTER_KEYS
from sightline.models.layers.onestream import OneStream
from sightline.models.layers.vit import BLOCK_KEYS, PlainBlock
from sightline.zoo.efficienttrack_ln import Arch

__all__ = ["KEYS", "UNUSED", "build"]

KEYS = (
    ("backbone.patch_embed.net.{}.c", "stem.layers.{}.conv"),
    ("backbone.patch_embed.net.{}.bn", "stem.layers.{}.norm"),
    ("backbone.patch_embed.net", "stem.layers.0"),
    ("backbone.pos_embed_z", "template_positions"),
    ("backbone.pos_embed_x", "search_positions"),
    *((f"backbone.{theirs}", ours) for theirs, ours in BLOCK_KEYS),
    ("backbone.blocks", "blocks"),
    ("backbone.norm", "norm"),
    *CENTER_KEYS,
)
UNUSED: tuple[str, ...] = ()


def build(arch: Arch) -> OneStream:
    """An untrained network."""
    blocks = (PlainBlock(arch.width, arch.heads, branches=arch.order) for _ in range(arch.depth))
    return OneStream(stem=arch.stem, width=arch.width, blocks=blocks, head_width=arch.head_width)
