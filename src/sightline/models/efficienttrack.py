"""EfficientTrack: template and search tokens through few blocks of convolutional feed-forward and (group) attention.

Facts     docs/trackers/vittrack.md section 2 (no paper); golden/efficienttrack; group attention after EfficientViT
          (Liu et al., CVPR 2023, arXiv:2305.07027), without its cascade
Spec      sightline/zoo/efficienttrack.py      Weights   never published

The network is `layers.onestream.OneStream` with the blocks below. B batch, N tokens (320), C channels, H heads.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.conv import PointNorm
from sightline.models.layers.heads import CENTER_KEYS
from sightline.models.layers.onestream import OneStream
from sightline.models.layers.vit import Attention, attention_weights, taken
from sightline.zoo.efficienttrack import Arch, Order

__all__ = ["KEYS", "UNUSED", "build"]

KEYS = (
    ("backbone.patch_embed.{}.c", "stem.layers.{}.conv"),
    ("backbone.patch_embed.{}.bn", "stem.layers.{}.norm"),
    ("backbone.patch_embed", "stem.layers.0"),
    ("backbone.pos_embed_z", "template_positions"),
    ("backbone.pos_embed_x", "search_positions"),
    ("backbone.blocks.{}.ffn{}.m.pw{}.c", "blocks.{}.feed{}.layer{}.conv"),
    ("backbone.blocks.{}.ffn{}.m.pw{}.bn", "blocks.{}.feed{}.layer{}.norm"),
    ("backbone.blocks.{}.mixer.m.ln", "blocks.{}.mixer.norm"),
    ("backbone.blocks.{}.mixer.m.qkvs", "blocks.{}.mixer.qkvs"),
    ("backbone.blocks.{}.mixer.m.qkv", "blocks.{}.mixer.attention.qkv"),
    ("backbone.blocks.{}.mixer.m.proj.1", "blocks.{}.mixer.out.conv"),
    ("backbone.blocks.{}.mixer.m.proj.2", "blocks.{}.mixer.out.norm"),
    ("backbone.blocks.{}.mixer.m.proj", "blocks.{}.mixer.attention.out"),
    ("backbone.norm", "norm"),
    *CENTER_KEYS,
)
UNUSED: tuple[str, ...] = ()


class Feed(nn.Module):
    """F: two 1x1 convolutions with batch norm, ReLU between them; no norm before."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.layer1 = PointNorm(width, hidden)
        self.layer2 = PointNorm(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to (B, N, C)."""
        return self.layer2(functional.relu(self.layer1(x.transpose(1, 2)))).transpose(1, 2)


class Mixer(nn.Module):
    """A: layer norm, then multi-head attention whose queries, keys and values have no bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.attention = Attention(width, heads, qkv_bias=False)

    def forward(self, x: Tensor, kept: slice | None = None) -> Tensor:
        """(B, N, C) to (B, N, C), or to what those read that are `kept`."""
        read: Tensor = self.attention(self.norm(x), kept=kept)[0]
        return read


class GroupMixer(nn.Module):
    """GA: every head reads its own C / H channels only; ReLU, 1x1 convolution and batch norm after it, no norm before.

    A head has `key_width` channels for a query and a key, and for a value the largest multiple of it within C / H.
    """

    def __init__(self, width: int, heads: int, key_width: int) -> None:
        super().__init__()
        value_width = width // (heads * key_width) * key_width
        self.heads, self.parts = heads, (key_width, key_width, value_width)
        self.qkvs = nn.Conv1d(width, heads * sum(self.parts), 1, groups=heads)
        self.out = PointNorm(heads * value_width, width, bias=True)

    def forward(self, x: Tensor, kept: slice | None = None) -> Tensor:
        """(B, N, C) to (B, N, C), or to what those read that are `kept`."""
        batch, num, _ = x.shape
        groups = self.qkvs(x.transpose(1, 2)).reshape(batch, self.heads, sum(self.parts), num).transpose(2, 3)
        queries, keys, values = groups.split(self.parts, dim=3)
        read = attention_weights(queries if kept is None else queries[:, :, kept], keys) @ values  # (B, H, K, value_width)
        read = read.transpose(2, 3).flatten(1, 2)
        return self.out(functional.relu(read)).transpose(1, 2)


class Block(nn.Module):
    """The branches that `order` spells, each added to what goes in. Two F share the hidden channels: 2C each, else 4C."""

    def __init__(self, order: Order, width: int, heads: int, key_width: int) -> None:
        super().__init__()
        hidden = (2 if order.count("F") == 2 else 4) * width
        if order in ("FAF", "FGAF"):
            self.feed0 = Feed(width, hidden)
        if "GA" in order:
            self.mixer: nn.Module = GroupMixer(width, heads, key_width)
        elif "A" in order:
            self.mixer = Mixer(width, heads)
        if order != "A":
            self.feed1 = Feed(width, hidden)

    def forward(self, x: Tensor, kept: slice | None = None) -> Tensor:
        """(B, N, C) to (B, N, C), or to what those read that are `kept`."""
        mixes = any(isinstance(branch, Mixer | GroupMixer) for branch in self.children())
        x = x if mixes else taken(x, kept)
        for branch in self.children():  # in the order of their making
            # what comes before the attention is for all tokens, what comes behind it for those that are kept
            x = taken(x, kept) + branch(x, kept) if isinstance(branch, Mixer | GroupMixer) else x + branch(x)
        return x


def build(arch: Arch) -> OneStream:
    """An untrained network."""
    blocks = (Block(arch.order, arch.width, arch.heads, arch.key_width) for _ in range(arch.depth))
    return OneStream(
        stem=arch.stem,
        width=arch.width,
        blocks=blocks,
        head_width=arch.head_width,
        template_grid=arch.template_grid,
        search_grid=arch.search_grid,
    )
