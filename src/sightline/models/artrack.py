"""ARTrack: template and search tokens through a ViT; a decoder then writes the box as four words, behind those of past boxes.

Paper   Wei et al., CVPR 2023, Autoregressive Visual Tracking
Facts   docs/trackers/artrack.md      Spec  sightline/zoo/artrack.py      Golden  golden/artrack

A word is a place along a side of the search crop (`layers/trajectory.py`); two words more begin and end a sentence. Each word
reads those before it, so what they are read by, their keys and values, is kept, and the four steps stand one after another in the graph.

B batch, T template tokens, S search tokens, C channels, L layers, H heads, D = C / H, V words, K past boxes.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sightline.models.layers.boxes import cxcywh_from_xyxy
from sightline.models.layers.conv import Stem
from sightline.models.layers.decode import normalize
from sightline.models.layers.detr import ReadAttention, attention_keys
from sightline.models.layers.trajectory import BEYOND, Vocabulary, places
from sightline.models.layers.untied import GRID_KEYS, GridPositions, RelativeBias
from sightline.models.layers.vit import BLOCK_KEYS, Attention, Block, CrossAttention, KeysValues, Mlp
from sightline.zoo.artrack import Arch

__all__ = ["KEYS", "UNUSED", "ARTrack", "Sentence", "Writer", "build"]

_ENCODER, _DECODER = "pix_head.encoder", "pix_head.decoder"
_STREAMS = (("z", "x", "template"), ("x", "z", "search"))
_STREAM = (
    ("{own}_norm1", "norm1"),
    ("{own}_self_attn.qkv", "attention.qkv"),
    ("{own}_self_attn.proj", "attention.out"),
    ("{own}_norm2_1", "norm_first"),
    ("{own}_norm2_2", "norm_second"),
    ("{own}_{other}_cross_attention.q", "crossing.query"),
    ("{own}_{other}_cross_attention.kv", "crossing.keys_values"),
    ("{own}_{other}_cross_attention.proj", "crossing.out"),
    ("{own}_norm3", "norm3"),
    ("{own}_mlp.fc1", "mlp.up"),
    ("{own}_mlp.fc2", "mlp.down"),
)
KEYS = (
    ("backbone.patch_embed.proj", "stem.layers.0"),
    ("backbone.pos_embed_z", "template_positions"),
    ("backbone.pos_embed_x", "search_positions"),
    *((f"backbone.{theirs}", ours) for theirs, ours in BLOCK_KEYS),
    ("backbone.blocks", "blocks"),
    ("backbone.norm", "norm"),
    *(
        (f"{_ENCODER}.layers.{{}}.{theirs.format(own=own, other=other)}", f"encoder.layers.{{}}.{name}.{ours}")
        for own, other, name in _STREAMS
        for theirs, ours in _STREAM
    ),
    *((f"{_ENCODER}.{own}_pos_enc.{theirs}", f"encoder.{name}.{ours}") for own, _, name in _STREAMS for theirs, ours in GRID_KEYS),
    (f"{_ENCODER}.z_rel_pos_bias_table.relative_position_bias_table", "encoder.template_template.biases"),
    (f"{_ENCODER}.x_rel_pos_bias_table.relative_position_bias_table", "encoder.search_search.biases"),
    (f"{_ENCODER}.z_x_rel_pos_bias_table.relative_position_bias_table", "encoder.template_search.biases"),
    (f"{_ENCODER}.x_z_rel_pos_bias_table.relative_position_bias_table", "encoder.search_template.biases"),
    (f"{_DECODER}.layers.{{}}.norm_1", "writer.layers.{}.norm1"),
    *attention_keys(f"{_DECODER}.layers.{{}}.self_attn1", "writer.layers.{}.own"),
    (f"{_DECODER}.layers.{{}}.norm_2_query", "writer.layers.{}.norm_query"),
    (f"{_DECODER}.layers.{{}}.norm_2_memory", "writer.layers.{}.norm_memory"),
    *attention_keys(f"{_DECODER}.layers.{{}}.multihead_attn", "writer.layers.{}.other"),
    (f"{_DECODER}.layers.{{}}.norm_3", "writer.layers.{}.norm3"),
    (f"{_DECODER}.layers.{{}}.mlpz.fc1", "writer.layers.{}.mlp.up"),
    (f"{_DECODER}.layers.{{}}.mlpz.fc2", "writer.layers.{}.mlp.down"),
    (f"{_DECODER}.norm", "writer.norm"),
    ("pix_head.word_embeddings.weight", "writer.vocabulary.words"),
    ("pix_head.position_embeddings.weight", "writer.positions"),
    ("pix_head.prev_position_embeddings.weight", "writer.past_positions"),
    ("pix_head.output_bias", "writer.vocabulary.bias"),
)
# of the pre-training; and what the authors' network has and never reads
UNUSED = ("backbone.cls_token", "backbone.pos_embed", "pix_head.identity_search")

WORDS = 4  # of a box


class Stream(nn.Module):
    """What one of two lines of tokens goes through in one layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_first, self.norm_second = nn.LayerNorm(width), nn.LayerNorm(width)  # for the first and the second crossing
        self.crossing = CrossAttention(width, heads)
        self.norm3 = nn.LayerNorm(width)
        self.mlp = Mlp(width, 4 * width)

    def read_itself(self, x: Tensor, bias: Tensor) -> Tensor:
        """Tokens (B, N, C) that read one another, with a bias (H, N, N)."""
        return x + self.attention.biased(self.norm1(x), bias)


class EncoderLayer(nn.Module):
    """Template and search tokens read themselves, then the template the search, then the search the template that has."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.template, self.search = Stream(width, heads), Stream(width, heads)

    def forward(self, z: Tensor, x: Tensor, biases: Biases) -> tuple[Tensor, Tensor]:
        """Template (B, T, C) and search tokens (B, S, C)."""
        template, search = self.template, self.search
        z, x = template.read_itself(z, biases.template_template), search.read_itself(x, biases.search_search)
        z = z + template.crossing(template.norm_first(z), search.norm_first(x), biases.template_search)
        x = x + search.crossing(search.norm_second(x), template.norm_second(z), biases.search_template)
        return z + template.mlp(template.norm3(z)), x + search.mlp(search.norm3(x))


class Biases(NamedTuple):
    """What is added to the logits of attention (H, N, M), by who reads whom."""

    template_template: Tensor
    template_search: Tensor
    search_template: Tensor
    search_search: Tensor


class Encoder(nn.Module):
    """Layers in which both lines of tokens read each other, with the same bias from their places."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(arch.width, arch.heads) for _ in range(arch.encoder))
        grids = [(side, side) for side in (arch.template_grid, arch.search_grid)]
        self.template = GridPositions(arch.template_grid, arch.width, arch.heads)
        self.search = GridPositions(arch.search_grid, arch.width, arch.heads)
        self.template_template = RelativeBias(grids, (0,), arch.heads, keys=(0,))
        self.template_search = RelativeBias(grids, (0,), arch.heads, keys=(1,))
        self.search_template = RelativeBias(grids, (1,), arch.heads, keys=(0,))
        self.search_search = RelativeBias(grids, (1,), arch.heads, keys=(1,))

    def biases(self) -> Biases:
        """From the places of both grids alone."""
        queries, keys = (self.template.queries(), self.search.queries()), (self.template.keys(), self.search.keys())
        relative = self.template_template(), self.template_search(), self.search_template(), self.search_search()
        apart = (query @ key.transpose(1, 2) for query in queries for key in keys)
        return Biases(*(absolute + bias for absolute, bias in zip(apart, relative, strict=True)))

    def forward(self, template: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
        """Template (B, T, C) and search tokens (B, S, C)."""
        biases = self.biases()
        for layer in self.layers:
            template, search = layer(template, search, biases)
        return template, search


class Sentence(NamedTuple):
    """What the decoder has written.

    words       (B, 4) int64
    likelihood  (B, 4) of each, in 0..1
    logits      (B, 4, V), each before the word
    seen        (B, V), 1 for every word that has been read so far, in this frame or an earlier one, else 0
    """

    words: Tensor
    likelihood: Tensor
    logits: Tensor
    seen: Tensor


class WriterLayer(nn.Module):
    """Words that read one another, then the picture, then a perceptron."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.own = ReadAttention(width, heads)
        self.norm_query, self.norm_memory = nn.LayerNorm(width), nn.LayerNorm(width)
        self.other = ReadAttention(width, heads)
        self.norm3 = nn.LayerNorm(width)
        self.mlp = Mlp(width, 4 * width)

    def read(self, memory: Tensor, positions: Tensor) -> KeysValues:
        """Keys and values (B, H, M, D) of tokens (B, M, C) of the picture, at positions (1, M, C)."""
        # as published: values are of tokens as they are, keys of normalised ones
        return self.other.split(self.norm_memory(memory) + positions, "keys"), self.other.split(memory, "values")

    def forward(self, x: Tensor, positions: Tensor, said: KeysValues | None, memory: KeysValues) -> tuple[Tensor, KeysValues]:
        """Words (B, n, C) at positions (n, C), none of which reads a later one, and keys and values of all words so far."""
        placed = self.norm1(x) + positions
        keys, values = self.own.split(placed, "keys"), self.own.split(x, "values")
        if said is not None:
            keys, values = torch.cat([said[0], keys], dim=2), torch.cat([said[1], values], dim=2)
        x = x + self.own.read(self.own.split(placed, "queries"), keys, values, ordered=said is None)
        x = x + self.other.read(self.other.split(self.norm_query(x) + positions, "queries"), *memory)
        return x + self.mlp(self.norm3(x)), (keys, values)


class Writer(nn.Module):
    """Writes a box, each word with all before it and the picture in view (section 3.3)."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.start, self.is_live = 2 * arch.bins, not arch.history
        self.vocabulary = Vocabulary(2 * arch.bins + 2, arch.width)
        self.positions = nn.Parameter(torch.randn(WORDS + 1, arch.width))
        if arch.history:
            self.past_positions = nn.Parameter(torch.randn(WORDS * arch.history, arch.width))
        self.layers = nn.ModuleList(WriterLayer(arch.width, arch.heads) for _ in range(arch.decoder))
        self.norm = nn.LayerNorm(arch.width)

    def read(self, memory: Tensor, positions: Tensor) -> list[KeysValues]:
        """Keys and values of tokens of the picture for every layer; arguments as `WriterLayer.read`."""
        return [layer.read(memory, positions) for layer in self._layers()]

    def say(
        self, words: Tensor, positions: Tensor, said: list[KeysValues], memory: list[KeysValues], seen: Tensor
    ) -> tuple[Tensor, list[KeysValues]]:
        """One step.

        Args:
            words: (B, n) int64, those written last.
            positions: (n, C) of them.
            said: keys and values of all words before them, for every layer; empty at the start.
            memory: of the picture, as `read` gives them.
            seen: (B, V), as in `Vocabulary.compare`.

        Returns:
            Logits (B, V) of the next word, and `said` with these words.
        """
        x, lengthened = self.vocabulary.read(words), []
        for i, (layer, read) in enumerate(zip(self._layers(), memory, strict=True)):
            x, past = layer(x, positions, said[i] if said else None, read)
            lengthened.append(past)
        return self.vocabulary.compare(self.norm(x[:, -1:]), seen)[:, 0], lengthened

    def forward(self, memory: Tensor, positions: Tensor, past: Tensor | None, seen: Tensor) -> Sentence:
        """The likeliest word at every step.

        Args:
            memory: tokens of the picture (B, M, C).
            positions: (1, M, C) of them.
            past: `places` (B, 4 K) of past boxes, oldest first; None without a history.
            seen: (B, V), as `Sentence.seen` of the last frame.
        """
        read, said = self.read(memory, positions), list[KeysValues]()
        words, at = torch.full_like(memory[:, :1, 0], self.start, dtype=torch.int64), self.positions[:1]
        if past is not None:
            words, at = torch.cat([past.long(), words], dim=1), torch.cat([self.past_positions, at])
        after = seen
        all_logits: list[Tensor] = []
        for place in range(1, WORDS + 1):
            after = after.scatter(1, words, 1.0)
            logits, said = self.say(words, at, said, read, after if self.is_live else seen)
            words, at = logits.argmax(dim=1, keepdim=True), self.positions[place : place + 1]
            all_logits.append(logits)
        logits = torch.stack(all_logits, dim=1)
        likelihood, chosen = logits.softmax(dim=2).max(dim=2)
        return Sentence(chosen, likelihood, logits, after)

    def _layers(self) -> list[WriterLayer]:
        return [layer for layer in self.layers if isinstance(layer, WriterLayer)]


class ARTrack(nn.Module):
    """See the module's docstring."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.stem = Stem(arch.width, "conv16")
        self.template_positions = nn.Parameter(torch.zeros(1, arch.template_grid**2, arch.width))
        self.search_positions = nn.Parameter(torch.zeros(1, arch.search_grid**2, arch.width))
        self.identity = nn.Parameter(torch.zeros(1, 2, arch.width))
        self.blocks = nn.ModuleList(Block(arch.width, arch.heads) for _ in range(arch.depth))
        self.norm = nn.LayerNorm(arch.width, eps=1e-6)
        self.encoder = Encoder(arch)
        self.writer = Writer(arch)

    def positions(self) -> Tensor:
        """Of all tokens, template first, and in which picture they are: (1, T + S, C)."""
        return torch.cat([self.template_positions + self.identity[:, :1], self.search_positions + self.identity[:, 1:]], dim=1)

    def encode(self, tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Tokens (B, T + S, C) with positions, template first, after the last norm of the ViT, and after each of its blocks."""
        stages = []
        for block in self.blocks:
            tokens, _ = block(tokens)
            stages.append(tokens)
        return self.norm(tokens), stages

    def fuse(self, tokens: Tensor) -> Tensor:
        """Encoded tokens (B, T + S, C), template first, through the head's encoder."""
        num = self.arch.template_grid**2
        return torch.cat(self.encoder(tokens[:, :num], tokens[:, num:]), dim=1)

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """Of a target: its template's `tokens` (B, T, C), without positions; and no word is `seen` (B, V)."""
        tokens = self.stem(normalize(template))
        return {"tokens": tokens, "next.seen": self.writer.vocabulary.unseen(tokens)}

    def step(self, search: Tensor, tokens: Tensor, seen: Tensor, history: Tensor | None = None) -> dict[str, Tensor]:
        """`box` (B, 4), which words are `seen` now, and as `score` (B,) the mean likelihood of the four words; the authors report none.

        Args:
            search: uint8 (B, h, h, 3).
            tokens: (B, T, C).
            seen: (B, V), 1 for words that were read in earlier frames, else 0.
            history: past boxes (B, K, 4) as cx, cy, w, h in 0..1 of the search crop; only with `Arch.history`.
        """
        positions = self.positions()
        encoded, _ = self.encode(torch.cat([tokens, self.stem(normalize(search))], dim=1) + positions)
        past = None if history is None else places(history, self.arch.bins, search.shape[1])
        sentence: Sentence = self.writer(self.fuse(encoded), positions, past, seen)
        box = cxcywh_from_xyxy(sentence.words.float() / (self.arch.bins - 1) - BEYOND)
        return {"box": box, "score": sentence.likelihood.mean(dim=1), "next.seen": sentence.seen}


def build(arch: Arch) -> ARTrack:
    """An untrained network."""
    return ARTrack(arch)
