"""ARTrackV2: past boxes and commands are tokens of the ViT, which writes a whole box at once, and what the target looks like now.

Paper   Bai et al., CVPR 2024, arXiv:2312.17133
Facts   docs/trackers/artrack.md      Spec  sightline/zoo/artrackv2.py      Golden  golden/artrackv2

The first template reads only itself, so `init` reads it once, for every block. Another one, the appearance, is drawn anew in every
frame, as tokens.

B batch, T tokens of a template, S search tokens, K past boxes, W = 4 K + 5 words: past boxes, four commands, one for the score.
C channels, L blocks, H heads, D = C / H, V words that there are.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.boxes import cxcywh_from_xyxy
from sightline.models.layers.conv import Stem
from sightline.models.layers.decode import normalize
from sightline.models.layers.heads import PerceptronHead
from sightline.models.layers.trajectory import BEYOND, Vocabulary, places
from sightline.models.layers.vit import BLOCK_KEYS, Block, KeysValues, PlainBlock, packed, unpacked
from sightline.zoo.artrackv2 import Arch

__all__ = ["KEYS", "UNUSED", "ARTrackV2", "Look", "build"]

_DRAWING = "cross_2_decoder"
KEYS = (
    ("backbone.patch_embed.proj", "stem.layers.0"),
    ("backbone.pos_embed_z1", "template_positions"),
    ("backbone.pos_embed_x", "search_positions"),
    *((f"backbone.{theirs}", ours) for theirs, ours in BLOCK_KEYS),
    ("backbone.blocks", "blocks"),
    *((f"backbone.{theirs}".replace("blocks", "extension"), ours.replace("blocks", "extension")) for theirs, ours in BLOCK_KEYS),
    ("backbone.extension", "extension"),
    ("backbone.norm", "norm"),
    ("backbone.word_embeddings.weight", "vocabulary.words"),
    ("backbone.output_bias", "vocabulary.bias"),
    ("backbone.position_embeddings.weight", "command_positions"),
    ("backbone.prev_position_embeddings.weight", "past_positions"),
    ("score_mlp.layers.0.0", "score.layers.0"),
    ("score_mlp.layers.1", "score.layers.1"),
    (f"{_DRAWING}.decoder_pos_embed", "appearance.positions"),
    (f"{_DRAWING}.decoder_embed", "appearance.embed"),
    *((f"{_DRAWING}.decoder_{theirs}", f"appearance.{ours}") for theirs, ours in BLOCK_KEYS),
    (f"{_DRAWING}.decoder_blocks", "appearance.blocks"),
    (f"{_DRAWING}.decoder_norm", "appearance.norm"),
    (f"{_DRAWING}.decoder_pred", "appearance.out"),
)
UNUSED = (
    "backbone.cls_token",  # of the pre-training
    "backbone.pos_embed",
    "backbone.pos_embed_z",  # the authors' network never reads them: both templates stand at the second one's positions
    "backbone.pos_embed_z0",
    f"{_DRAWING}.mask_token",  # hides tokens in training only
)

COMMANDS = (0, 1, 2, 3, 5)  # x1, y1, x2, y2 and the score, counted from the first word that is no place


class Look(NamedTuple):
    """Everything that a network sees on its way.

    stages      appearance, search and words (B, T + S + W, C) after every block
    commands    (B, 4, C) after the last norm
    logits      (B, 4, V) for x1, y1, x2, y2
    score       (B,)
    appearance  tokens (B, T, C), without positions, of the next frame
    seen        (B, V), 1 for every word that has been read so far, in this frame or an earlier one, else 0
    """

    stages: list[Tensor]
    commands: Tensor
    logits: Tensor
    score: Tensor
    appearance: Tensor
    seen: Tensor


class Appearance(nn.Module):
    """Draws what the target looks like from the tokens that have read the search region: a narrower ViT."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        width = arch.appearance_width
        self.embed = nn.Linear(arch.width, width)
        self.positions = nn.Parameter(torch.zeros(1, arch.template_grid**2, width))
        self.blocks = nn.Sequential(*(PlainBlock(width, arch.appearance_heads, eps=1e-6) for _ in range(arch.appearance_depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.out = nn.Linear(width, arch.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, C) to (B, T, C)."""
        return self.out(self.norm(self.blocks(self.embed(tokens) + self.positions)))


class ARTrackV2(nn.Module):
    """See the module's docstring."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.num_template, self.num_search = arch.template_grid**2, arch.search_grid**2
        self.stem = Stem(arch.width, "conv16")
        self.template_positions = nn.Parameter(torch.zeros(1, self.num_template, arch.width))
        self.search_positions = nn.Parameter(torch.zeros(1, self.num_search, arch.width))
        self.identity = nn.Parameter(torch.zeros(1, 3, arch.width))  # of the first template, the appearance, the search region
        self.vocabulary = Vocabulary(2 * arch.bins + 6, arch.width)
        self.past_positions = nn.Parameter(torch.randn(4 * arch.history, arch.width))
        self.command_positions = nn.Parameter(torch.randn(len(COMMANDS), arch.width))
        self.blocks = nn.ModuleList(Block(arch.width, arch.heads) for _ in range(arch.depth))
        self.extension = nn.ModuleList(Block(arch.width, arch.heads) for _ in range(arch.extension))
        self.norm = nn.LayerNorm(arch.width, eps=1e-6)
        self.score = PerceptronHead(arch.width, arch.width, depth=2, outputs=1)
        self.appearance = Appearance(arch)

    def read_template(self, template: Tensor) -> tuple[list[Tensor], list[KeysValues]]:
        """The first template's tokens (B, T, C), without positions, after every block, and what the others read of it there."""
        tokens = template + self.template_positions + self.identity[:, :1]
        stages, memory = [], []
        for block in self._all_blocks():
            tokens, own = block(tokens)
            stages.append(tokens)
            memory.append(own)
        return stages, memory

    def forward(self, search: Tensor, memory: list[KeysValues], appearance: Tensor, seen: Tensor, past: Tensor) -> Look:
        """The network after the first template, with all that it sees on its way.

        Args:
            search: tokens (B, S, C) without positions.
            memory: as `read_template` gives it.
            appearance: tokens (B, T, C) without positions.
            seen: (B, V), as `Look.seen` of the last frame.
            past: `places` (B, 4 K) of past boxes, oldest first.
        """
        first = 2 * self.arch.bins
        commands = torch.tensor(COMMANDS, device=past.device).repeat(past.shape[0], 1) + first
        words = torch.cat([past.long(), commands], dim=1)
        seen = seen.scatter(1, words, 1.0)
        tokens = torch.cat(
            [
                appearance + self.template_positions + self.identity[:, 1:2],
                search + self.search_positions + self.identity[:, 2:],
                self.vocabulary.read(words) + torch.cat([self.past_positions, self.command_positions]),
            ],
            dim=1,
        )
        stages = []
        for block, of_template in zip(self._all_blocks(), memory, strict=True):
            tokens = self._through(block, tokens, of_template)
            stages.append(tokens)
        found = self.norm(tokens[:, -5:-1])
        score = self.score(tokens[:, -1]).squeeze(1)
        return Look(stages, found, self.vocabulary.compare(found, seen), score, self.appearance(tokens[:, : self.num_template]), seen)

    def _through(self, block: Block, tokens: Tensor, template: KeysValues) -> Tensor:
        """One block: appearance, search and words (B, T + S + W, C), each kind of which reads others, and keys and values of the template."""
        queries, keys, values = block.attention.project(block.norm1(tokens))
        kinds = [self.num_template, self.num_search, tokens.shape[1] - self.num_template - self.num_search]
        of_appearance, of_search, of_words = torch.split(queries, kinds, dim=2)
        pictures = slice(kinds[0] + kinds[1])
        everything = tuple(torch.cat(pair, dim=2) for pair in zip(template, (keys, values), strict=True))
        read = [
            attend(of_appearance, *(torch.cat([tensor[:, :, pictures], tensor[:, :, -1:]], dim=2) for tensor in (keys, values))),
            attend(of_search, *(tensor[:, :, : -kinds[2]] for tensor in everything)),
            attend(of_words, *everything),
        ]
        tokens = tokens + block.attention.merge(torch.cat(read, dim=2))
        return tokens + block.mlp(block.norm2(tokens))

    def decode(self, logits: Tensor) -> Tensor:
        """Boxes (B, 4) as cx, cy, w, h in 0..1 of the search crop: every corner halfway between the likeliest place and the mean one."""
        bins = self.arch.bins
        words = logits.argmax(dim=2)
        likeliest = (words + 0.5) / (bins - 1) - BEYOND  # as published: places are centres of bins here, and 1 / (bins - 1) apart
        middles = (torch.arange(2 * bins, device=logits.device) + 0.5) / bins - BEYOND
        mean = (logits[..., : 2 * bins].softmax(dim=2) * middles).sum(dim=2)
        return cxcywh_from_xyxy((likeliest + mean) / 2)

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """State of a target from its template, uint8 (B, h, h, 3).

        `keys`, `values` (B, L, H, T, D) are what is read of it; its tokens are the first `appearance` (B, T, C); no word is `seen` (B, V).
        """
        tokens = self.stem(normalize(template))
        _, memory = self.read_template(tokens)
        return {**packed(memory), "next.appearance": tokens, "next.seen": self.vocabulary.unseen(tokens)}

    def step(self, search: Tensor, keys: Tensor, values: Tensor, appearance: Tensor, seen: Tensor, history: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4), `score` (B,), which the authors do not use, and the next `appearance` and `seen`.

        Args:
            search: uint8 (B, h, h, 3).
            keys: (B, L, H, T, D) of the first template.
            values: likewise.
            appearance: (B, T, C).
            seen: (B, V), 1 for words that were read in earlier frames, else 0.
            history: past boxes (B, K, 4) as cx, cy, w, h in 0..1 of the search crop.
        """
        past = places(history, self.arch.bins, search.shape[1])
        look: Look = self(self.stem(normalize(search)), unpacked(keys, values), appearance, seen, past)
        return {"box": self.decode(look.logits), "score": look.score, "next.appearance": look.appearance, "next.seen": look.seen}

    def _all_blocks(self) -> list[Block]:
        return [block for block in (*self.blocks, *self.extension) if isinstance(block, Block)]


def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """What queries (B, H, N, D) read of keys and values (B, H, M, D): (B, H, N, D)."""
    return functional.scaled_dot_product_attention(queries, keys, values)


def build(arch: Arch) -> ARTrackV2:
    """An untrained network."""
    return ARTrackV2(arch)
