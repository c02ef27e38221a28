"""SwinTrack: Swin features of template and search fused by attention with untied positions; a score that foretells the overlap.

Paper   Lin et al., NeurIPS 2022, arXiv:2112.00995
Facts   docs/trackers/swintrack.md      Spec  sightline/zoo/swintrack.py      Golden  golden/swintrack

The motion token (section 3.2 of the paper) is in no public code. What the paper leaves open was decided here: past boxes are cut
off at the crop, x and y share one table, and the token has a learned position of its own, as a grid of one place.

B batch, T template tokens, S search tokens (a G x G grid), K past boxes, C channels, H heads, D = C / H.
Pixels enter as float32 0..255 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import BadSpec
from sightline.models.layers.decode import normalize
from sightline.models.layers.heads import PerceptronHead
from sightline.models.layers.siamese import hanning2d
from sightline.models.layers.swin import Swin
from sightline.models.layers.untied import GRID_KEYS, GridPositions, RelativeBias
from sightline.models.layers.vit import CrossAttention, Mlp, PlainBlock
from sightline.zoo.swintrack import Arch

__all__ = ["KEYS", "UNUSED", "Look", "MotionToken", "SwinTrack", "build"]

_BLOCK = (
    ("attn.relative_position_bias_table", "attention.biases"),
    ("attn.qkv", "attention.qkv"),
    ("attn.proj", "attention.out"),
    ("mlp.fc1", "mlp.up"),
    ("mlp.fc2", "mlp.down"),
)
_GRIDS = (("z", "template"), ("x", "search"))
KEYS = (
    *((f"backbone.stages.{{}}.blocks.{{}}.{theirs}", f"backbone.stages.{{}}.blocks.{{}}.{ours}") for theirs, ours in _BLOCK),
    ("backbone.stages.{}.pre_stage.proj", "backbone.stages.{}.start.project"),
    ("backbone.stages.{}.pre_stage.reduction", "backbone.stages.{}.start.reduce"),
    ("backbone.stages.{}.pre_stage.norm", "backbone.stages.{}.start.norm"),
    ("backbone.norm2", "backbone.norm"),
    *((f"encoder.layers.{{}}.{theirs}", f"encoder.layers.{{}}.{ours}") for theirs, ours in _BLOCK),
    *(
        (f"{part}.{grid}_untied_pos_enc.{theirs}", f"{part}.{name}.{ours}")
        for part in ("encoder", "decoder")
        for grid, name in _GRIDS
        for theirs, ours in GRID_KEYS
    ),
    ("encoder.rpe_bias_table.relative_position_bias_table", "encoder.relative.biases"),
    ("decoder.rpe_bias_table.relative_position_bias_table", "decoder.relative.biases"),
    ("decoder.layers.0.norm1_q", "decoder.norm_query"),
    ("decoder.layers.0.norm1_kv", "decoder.norm_memory"),
    ("decoder.layers.0.attn.q", "decoder.attention.query"),
    ("decoder.layers.0.attn.kv", "decoder.attention.keys_values"),
    ("decoder.layers.0.attn.proj", "decoder.attention.out"),
    ("decoder.layers.0.norm2", "decoder.norm"),
    ("decoder.layers.0.mlp.fc1", "decoder.mlp.up"),
    ("decoder.layers.0.mlp.fc2", "decoder.mlp.down"),
    ("out_norm", "norm"),
    ("head.cls_mlp", "score"),
    ("head.reg_mlp", "box"),
)
UNUSED = ("backbone.stages.*.relative_position_index",)  # tables that follow from the window's side


class Encoder(nn.Module):
    """Blocks in which template and search tokens read one another, with the same bias from their places."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        grids = [(side, side) for side in (arch.template_grid, arch.search_grid)]
        self.layers = nn.ModuleList(PlainBlock(arch.width, arch.heads) for _ in range(arch.encoder))
        self.template = GridPositions(arch.template_grid, arch.width, arch.heads)
        self.search = GridPositions(arch.search_grid, arch.width, arch.heads)
        self.relative = RelativeBias(grids, (0, 1), arch.heads)

    def bias(self) -> Tensor:
        """What is added to the logits: (H, T + S, T + S)."""
        queries, keys = (torch.cat([getattr(grid, what)() for grid in (self.template, self.search)], dim=1) for what in ("queries", "keys"))
        return queries @ keys.transpose(1, 2) + self.relative()

    def forward(self, tokens: Tensor) -> list[Tensor]:
        """Tokens (B, T + S, C), template first, after every layer."""
        bias, passed = self.bias().unsqueeze(0), []
        for layer in self.layers:
            tokens = layer(tokens, bias)
            passed.append(tokens)
        return passed


class Decoder(nn.Module):
    """One block in which search tokens read all tokens, and the motion token where there is one."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        grids = [(side, side) for side in (arch.template_grid, arch.search_grid)]
        self.norm_query, self.norm_memory = nn.LayerNorm(arch.width), nn.LayerNorm(arch.width)
        self.attention = CrossAttention(arch.width, arch.heads)
        self.norm = nn.LayerNorm(arch.width)
        self.mlp = Mlp(arch.width, 4 * arch.width)
        self.template = GridPositions(arch.template_grid, arch.width, arch.heads, asks=False)
        self.search = GridPositions(arch.search_grid, arch.width, arch.heads)
        self.relative = RelativeBias(grids, (1,), arch.heads)
        self.motion = GridPositions(1, arch.width, arch.heads, asks=False) if arch.history else None

    def bias(self) -> Tensor:
        """What is added to the logits: (H, S, [1 +] T + S)."""
        queries: Tensor = self.search.queries()
        placed: Tensor = queries @ torch.cat([self.template.keys(), self.search.keys()], dim=1).transpose(1, 2) + self.relative()
        if self.motion is None:
            return placed
        return torch.cat([queries @ self.motion.keys().transpose(1, 2), placed], dim=2)

    def forward(self, search: Tensor, memory: Tensor) -> Tensor:
        """Search tokens (B, S, C) that have read a memory: [motion,] template, search (B, [1 +] T + S, C)."""
        search = search + self.attention(self.norm_query(search), self.norm_memory(memory), self.bias())
        return search + self.mlp(self.norm(search))


class MotionToken(nn.Module):
    """Where the target was: every coordinate of past boxes as a cell of the crop, each cell a learned vector, all in one line."""

    def __init__(self, width: int, length: int, cells: int) -> None:
        super().__init__()
        self.cells = cells
        self.table = nn.Parameter(torch.randn(cells + 1, width // (4 * length)))  # the last one for a box that is not there

    def quantize(self, history: Tensor) -> Tensor:
        """Cells (B, K, 4) of x1, y1, x2, y2, int64: 0..cells - 1, cut off at the crop; `cells` where a box is not finite.

        Args:
            history: (B, K, 4) as cx, cy, w, h in 0..1 of the search crop.
        """
        half = history[..., 2:] / 2
        corners = torch.cat([history[..., :2] - half, history[..., :2] + half], dim=2)
        exists = corners.isfinite().all(dim=2, keepdim=True)
        cells = torch.where(exists, corners * self.cells, 0.0).floor().clamp(0, self.cells - 1)
        return torch.where(exists, cells, float(self.cells)).long()

    def forward(self, history: Tensor) -> Tensor:
        """One token (B, 1, C) of past boxes (B, K, 4), oldest first."""
        return self.table[self.quantize(history)].flatten(1).unsqueeze(1)


class Look(NamedTuple):
    """Everything that a network sees on its way.

    encoded  (B, T + S, C) after each layer of the encoder, template first
    decoded  (B, S, C) after the last norm
    score    (B, S) logits of the overlap that a token's box would have
    boxes    (B, S, 4) cx, cy, w, h in 0..1 of the search crop
    """

    encoded: list[Tensor]
    decoded: Tensor
    score: Tensor
    boxes: Tensor


class SwinTrack(nn.Module):
    """See the module's docstring."""

    window: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.window_share = arch.window
        self.backbone = Swin(arch.swin_width, arch.depths, arch.swin_heads, arch.swin_window)
        self.encoder = Encoder(arch)
        self.decoder = Decoder(arch)
        self.motion = MotionToken(arch.width, arch.history, arch.cells) if arch.history else None
        self.norm = nn.LayerNorm(arch.width)
        self.score = PerceptronHead(arch.width, arch.width, outputs=1, activation=functional.gelu)
        self.box = PerceptronHead(arch.width, arch.width, activation=functional.gelu)
        self.register_buffer("window", hanning2d(arch.search_grid, torch.device("cpu")).flatten(), persistent=False)

    def look(self, template: Tensor, search: Tensor, history: Tensor | None = None) -> Look:
        """The network after the backbone, with all that it sees on its way.

        Args:
            template: tokens (B, T, C).
            search: tokens (B, S, C).
            history: past boxes (B, K, 4) as cx, cy, w, h in 0..1 of the search crop; only with a motion token.
        """
        encoded = self.encoder(torch.cat([template, search], dim=1))
        memory = encoded[-1]
        if self.motion is not None and history is not None:
            memory = torch.cat([self.motion(history), memory], dim=1)
        decoded = self.norm(self.decoder(encoded[-1][:, template.shape[1] :], memory))
        return Look(encoded, decoded, self.score(decoded).squeeze(2), self.box(decoded).sigmoid())

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """State of one target from its template, float32 (B, 16 n, 16 n, 3): `tokens` (B, T, C)."""
        return {"tokens": self.backbone(normalize(template))}

    def step(self, search: Tensor, tokens: Tensor, history: Tensor | None = None) -> dict[str, Tensor]:
        """`box` (B, 4), and as `score` (B,) the windowed overlap that is foretold.

        Args:
            search: float32 (B, 16 G, 16 G, 3).
            tokens: (B, T, C).
            history: past boxes (B, K, 4) as cx, cy, w, h in 0..1 of the search crop; only with a motion token.
        """
        return self.decide(self.look(tokens, self.backbone(normalize(search)), history))

    def decide(self, seen: Look) -> dict[str, Tensor]:
        """What `step` says: the box of the token with the best windowed score."""
        score, best = (seen.score.sigmoid() * (1 - self.window_share) + self.window * self.window_share).max(dim=1)
        box = seen.boxes.gather(1, best.reshape(-1, 1, 1).expand(-1, 1, 4)).squeeze(1)
        return {"box": box, "score": score}


def build(arch: Arch) -> SwinTrack:
    """An untrained network.

    Raises:
        BadSpec: the last Swin stage is not as wide as the rest, or the motion token cannot be shared out among its boxes.
    """
    last = arch.swin_width * 2 ** (len(arch.depths) - 1)
    if last != arch.width:
        raise BadSpec(f"the last of {len(arch.depths)} Swin stages has {last} channels; expected width {arch.width}.")
    if arch.history and (arch.width % (4 * arch.history) or arch.cells < 1):
        raise BadSpec(
            f"a motion token of width {arch.width} for {arch.history} boxes in {arch.cells} cells; expected a multiple of {4 * arch.history} and at least one cell."
        )
    return SwinTrack(arch)
