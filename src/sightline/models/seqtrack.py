"""SeqTrack: a ViT reads the search region with two templates; a decoder then writes the box as a sentence of four words.

Paper   Chen et al., CVPR 2023, arXiv:2304.14394
Facts   docs/trackers/seqtrack.md      Spec  sightline/zoo/seqtrack.py      Golden  golden/seqtrack

A word is one of `Arch.bins` places along a side of the search crop; two words more end and start a sentence. Each word reads
those before it, so what they are read by, their keys and values, is kept, and the four steps stand one after another in the graph.

B batch, P templates, S search tokens (and as many of each template), C channels, L layers of the decoder, H heads, D = C / H, V words.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sightline.models.layers.conv import Stem
from sightline.models.layers.decode import normalize
from sightline.models.layers.detr import Reader, attention_keys
from sightline.models.layers.heads import PerceptronHead
from sightline.models.layers.positions import sinusoid_table
from sightline.models.layers.vit import BLOCK_KEYS, Block, KeysValues
from sightline.zoo.seqtrack import Arch

__all__ = ["KEYS", "UNUSED", "Decoder", "Sentence", "SeqTrack", "build"]

BODY = "encoder.body"
LAYER = "decoder.body.layers.{}"
KEYS = (
    (f"{BODY}.patch_embed.proj", "stem.layers.0"),
    (f"{BODY}.pos_embed", "positions"),
    *((f"{BODY}.{theirs}", ours) for theirs, ours in BLOCK_KEYS),
    (f"{BODY}.blocks", "blocks"),
    (f"{BODY}.norm", "norm"),
    ("pos_embed", "decoder.memory_positions"),
    ("decoder.embedding.word_embeddings", "decoder.words"),
    ("decoder.embedding.position_embeddings.weight", "decoder.positions"),
    ("decoder.embedding.LayerNorm", "decoder.norm_in"),
    *attention_keys(f"{LAYER}.self_attn", "decoder.layers.{}.own"),
    *attention_keys(f"{LAYER}.multihead_attn", "decoder.layers.{}.other"),
    (f"{LAYER}.linear1", "decoder.layers.{}.feed.up"),
    (f"{LAYER}.linear2", "decoder.layers.{}.feed.down"),
    ("decoder.body.layers", "decoder.layers"),
    ("decoder.body.norm", "decoder.norm"),
    ("vocab_embed.layers", "decoder.head.layers"),
)
UNUSED: tuple[str, ...] = ()

WORDS = 4  # of a box: cx, cy, w, h


class Sentence(NamedTuple):
    """What the decoder has written: words (B, 4) int64, and how likely each was (B, 4), in 0..1."""

    words: Tensor
    likelihood: Tensor


class Decoder(nn.Module):
    """Writes a box, each word with all before it and the search tokens in view (section 3.2)."""

    window: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        width = arch.layer_width
        self.bins, self.start = arch.bins, arch.bins + 1
        self.words = nn.Embedding(arch.bins + 2, width)
        self.positions = nn.Parameter(torch.zeros(WORDS + 1, width))
        self.memory_positions = nn.Parameter(sinusoid_table(arch.grid**2, width)[1:].unsqueeze(0))
        self.norm_in = nn.LayerNorm(width)
        self.layers = nn.ModuleList(Reader(width, arch.layer_heads, arch.layer_hidden, reads_itself=True) for _ in range(arch.layers))
        self.norm = nn.LayerNorm(width)
        self.head = PerceptronHead(width, width, outputs=arch.bins + 2)
        flat = torch.ones(WORDS, arch.bins)
        if arch.window:
            flat[:2] = torch.hann_window(arch.bins, periodic=False, dtype=torch.float64).float()  # of the centre
        self.register_buffer("window", flat, persistent=False)

    def read(self, search: Tensor) -> list[KeysValues]:
        """Keys and values (B, H, S, D) of search tokens (B, S, C) for every layer."""
        placed = search + self.memory_positions
        return [(layer.other.split(placed, "keys"), layer.other.split(search, "values")) for layer in self._layers()]

    def say(self, word: Tensor, place: int, said: list[KeysValues], memory: list[KeysValues]) -> tuple[Tensor, list[KeysValues]]:
        """One step.

        Args:
            word: (B,) int64, the last word that was written.
            place: of it in the sentence, the start being 0.
            said: keys and values (B, H, n, D) of all words before it, for every layer; empty at the start.
            memory: of the search tokens, as `read` gives them.

        Returns:
            Logits (B, V) of the next word, and `said` with this word.
        """
        x, position = self.norm_in(self.words(word)).unsqueeze(1), self.positions[place]  # (B, 1, C)
        lengthened = []
        for i, (layer, (keys, values)) in enumerate(zip(self._layers(), memory, strict=True)):
            own = layer.own.split(x + position, "keys"), layer.own.split(x, "values")
            past = (torch.cat([said[i][0], own[0]], dim=2), torch.cat([said[i][1], own[1]], dim=2)) if said else own
            lengthened.append(past)
            x = layer.norm1(x + layer.own.read(layer.own.split(x + position, "queries"), *past))
            x = layer.norm2(x + layer.other.read(layer.other.split(x + position, "queries"), keys, values))
            x = layer.norm3(x + layer.feed(x))
        return self.head(self.norm(x))[:, 0], lengthened

    def forward(self, search: Tensor) -> Sentence:
        """The likeliest word at every step, given search tokens (B, S, C); only bins are words of a box."""
        memory, said = self.read(search), list[KeysValues]()
        word = torch.full_like(search[:, 0, 0], self.start, dtype=torch.int64)
        words, likelihoods = [], []
        for place in range(WORDS):
            logits, said = self.say(word, place, said, memory)
            likelihood = logits.softmax(dim=1)[:, : self.bins] * self.window[place]
            word = likelihood.argmax(dim=1)
            words.append(word)
            likelihoods.append(likelihood.amax(dim=1))
        return Sentence(torch.stack(words, dim=1), torch.stack(likelihoods, dim=1))

    def _layers(self) -> list[Reader]:
        return [layer for layer in self.layers if isinstance(layer, Reader)]


class SeqTrack(nn.Module):
    """See the module's docstring."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.num_search = arch.grid**2
        self.stem = Stem(arch.width, "conv16")
        self.positions = nn.Parameter(torch.zeros(1, 2 * self.num_search, arch.width))
        self.blocks = nn.ModuleList(Block(arch.width, arch.heads) for _ in range(arch.depth))
        self.norm = nn.LayerNorm(arch.width, eps=1e-6)
        self.bottleneck = nn.Linear(arch.width, arch.layer_width)
        self.decoder = Decoder(arch)

    def embed_search(self, search: Tensor) -> Tensor:
        """Tokens (B, S, C) of a normalised search crop (B, 3, h, h)."""
        return self.stem(search) + self.positions[:, : self.num_search]

    def embed_template(self, template: Tensor) -> Tensor:
        """Tokens (B, S, C) of one normalised template (B, 3, h, h); all templates have the same positions."""
        return self.stem(template) + self.positions[:, self.num_search :]

    def encode(self, tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Tokens (B, (1 + P) S, C), search first, after the last norm, and after every block."""
        stages = []
        for block in self.blocks:
            tokens, _ = block(tokens)
            stages.append(tokens)
        return self.norm(tokens), stages

    def find(self, tokens: Tensor) -> Tensor:
        """Search tokens (B, S, C) of tokens as in `encode`, after the last norm."""
        *before, last = self.blocks
        for block in before:
            tokens, _ = block(tokens)
        return self.norm(last(tokens, kept=slice(self.num_search))[0])

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """`tokens` (B, S, C) of a template, uint8 (B, h, h, 3)."""
        return {"tokens": self.embed_template(normalize(template))}

    def step(self, search: Tensor, tokens: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4), and `score` (B,), ten times the sum of the four likelihoods, by which templates change.

        Args:
            search: uint8 (B, h, h, 3).
            tokens: (B, [templates,] S, C).
        """
        read = self.embed_search(normalize(search))
        features = self.find(torch.cat([read, tokens.reshape(read.shape[0], -1, read.shape[2])], dim=1))
        sentence: Sentence = self.decoder(self.bottleneck(features))
        return {"box": sentence.words.float() / (self.arch.bins - 1), "score": 10 * sentence.likelihood.sum(dim=1)}


def build(arch: Arch) -> SeqTrack:
    """An untrained network."""
    return SeqTrack(arch)
