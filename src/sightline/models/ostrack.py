"""OSTrack: one stream through a plain ViT; search tokens that the template hardly looks at leave on the way.

Paper   Ye et al., ECCV 2022, arXiv:2203.11991
Facts   docs/trackers/ostrack.md      Spec  sightline/zoo/ostrack.py      Golden  golden/ostrack

ProContEXT (Lan et al., ICASSP 2023, arXiv:2210.15511; docs/trackers/procontext.md, golden/procontext) is the same network with
several templates: of the first frame and of a later one, each cut narrow and wide. It has no tensor more. ZoomTrack (Kou et al.,
NeurIPS 2023, arXiv:2310.10071; docs/trackers/zoomtrack.md, golden/zoomtrack) differs in the search crop alone (`sightline.bend`).
ViPT (Zhu et al., CVPR 2023, arXiv:2303.10826; docs/trackers/vipt.md, golden/vipt) looks at a second picture, and prompts tell
the network what the target is (docs/trackers/vittrack.md section 5, golden/ostrack_prompt): `models/layers/{visual_prompts,prompts}.py`.

B batch, P templates, F tokens of prompts, T template tokens of all templates, S search tokens (a G x G grid), K of them still there, C channels, H heads, D = C / H.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import BadSpec
from sightline.models.layers.boxes import xywh_from_cxcywh
from sightline.models.layers.conv import Stem, embed_pair
from sightline.models.layers.decode import decode_center, decode_corners, hann2d, normalize
from sightline.models.layers.eliminate import (
    Survivors,
    attended,
    centre_mask,
    eliminate,
    merge,
    query_weights,
    relevance,
    restore,
    target_mask,
)
from sightline.models.layers.heads import CENTER_KEYS, CORNER_KEYS, CenterHead, CenterMaps, CornerHead, CornerMaps, PerceptronHead, to_grid
from sightline.models.layers.lazy import find_center
from sightline.models.layers.orders import join, split
from sightline.models.layers.prompts import Marked, PromptPair, box_from_ratio, mark, prompt_keys
from sightline.models.layers.visual_prompts import Prompts, VisualPrompts
from sightline.models.layers.vit import BLOCK_KEYS, Block, attention_weights
from sightline.zoo.ostrack import Arch

__all__ = ["KEYS", "UNUSED", "Hints", "Look", "OSTrack", "Stage", "build"]

KEYS = (
    ("backbone.patch_embed.proj", "stem.layers.0"),
    ("backbone.pos_embed_z", "template_positions"),
    ("backbone.pos_embed_x", "search_positions"),
    ("backbone.template_segment_pos_embed", "template_segment"),
    ("backbone.search_segment_pos_embed", "search_segment"),
    *((f"backbone.{theirs}", ours) for theirs, ours in BLOCK_KEYS),
    ("backbone.blocks", "blocks"),
    ("backbone.norm", "norm"),
    ("backbone.patch_embed_prompt.proj", "second_stem.layers.0"),
    ("backbone.prompt_blocks.{}.conv0_0", "visual.blocks.{}.of_tokens"),
    ("backbone.prompt_blocks.{}.conv0_1", "visual.blocks.{}.of_prompts"),
    ("backbone.prompt_blocks.{}.conv1x1", "visual.blocks.{}.out"),
    ("backbone.prompt_blocks.{}.fovea.smooth", "visual.blocks.{}.sharpness"),
    ("backbone.prompt_norms", "visual.norms"),
    ("search_alpha", "search_picture"),
    *prompt_keys("template_preprocess", "prompts.template"),
    *prompt_keys("search_preprocess", "prompts.search"),
    *CENTER_KEYS,
    *CORNER_KEYS,
    ("box_head.layers", "head.layers"),
)
UNUSED = (
    "backbone.cls_token",  # of the pre-training
    "backbone.pos_embed",
    "*_preprocess.coord_?",  # column and row numbers
)


class Hints(NamedTuple):
    """What a network may be given beside the crops.

    second    normalised second pictures of the template crop (B P, 3, h, w) and of the search crop (B, 3, h, w)
    target    (B, 4), the target in the template crop, as x, y, w, h in 0..1
    mask      (B, 1, h, w), 1 on the target in the template crop, where it is known more closely than by `target`
    prior     (B, 4), the last box in the search crop, as x, y, w, h in 0..1
    """

    second: tuple[Tensor, Tensor] | None = None
    target: Tensor | None = None
    mask: Tensor | None = None
    prior: Tensor | None = None


class Part(NamedTuple):
    """One kind of crop before the first block: tokens of prompts (B, F, C) to go in front, its own (B, N, C), and what ViPT added to these."""

    front: list[Tensor]
    tokens: Tensor
    added: Tensor | None


class Line(NamedTuple):
    """Tokens (B, N, C) on their way through the blocks.

    tokens    in `Arch.order`
    front     how many stand before the search tokens, in the order "direct"
    places    (B, K), where in the grid the search tokens among them stand
    prompts   what was added last, with `Arch.second`
    removed   the places that eliminations took
    """

    tokens: Tensor
    front: int
    places: Tensor
    prompts: Prompts | None
    removed: tuple[Tensor, ...] = ()


class Embedded(NamedTuple):
    """Tokens before the first block: prompts (B, F, C) and template (B, T, C) together, search (B, S, C); and what ViPT added to them."""

    template: Tensor
    search: Tensor
    prompts: Prompts | None


class Stage(NamedTuple):
    """Tokens (B, N, C) after one block, in `Arch.order`, and where in the grid the search tokens among them stand: (B, K)."""

    tokens: Tensor
    places: Tensor


class Look(NamedTuple):
    """Everything that a network sees on its way.

    tokens    (B, N, C), into the first block
    stages    after each block
    removed   (B, R) places in the search grid, one tensor for each entry of `Arch.eliminate`, most relevant first
    features  (B, F + T + S, C) after the last norm, prompts and template first, row by row; zeros where a token was eliminated
    maps      what the head says about every cell; None with the head "perceptron"
    box       (B, 4) cx, cy, w, h in 0..1 of the search crop
    score     (B,); None without the head "center"
    """

    tokens: Tensor
    stages: list[Stage]
    removed: list[Tensor]
    features: Tensor
    maps: CenterMaps | CornerMaps | None
    box: Tensor
    score: Tensor | None


NO_HINTS = Hints()


class OSTrack(nn.Module):
    """See the module's docstring."""

    window: Tensor
    weights: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.keep = dict(zip(arch.eliminate, arch.keep, strict=True))
        self.stem = Stem(arch.width, "conv16", channels=6 if arch.second == "stack" else 3)
        self.second_stem = Stem(arch.width, "conv16") if arch.second in ("sum", "shallow", "deep") else None
        prompted = {"shallow": 1, "deep": arch.depth}.get(arch.second, 0)
        self.visual = VisualPrompts(arch.width, arch.bottleneck, depth=prompted, fovea=arch.fovea) if prompted else None
        if arch.learned_search:
            self.search_picture = nn.Parameter(torch.zeros(1, 3, 16 * arch.search_grid, 16 * arch.search_grid))
        self.prompts = PromptPair(
            arch.template_prompt, arch.search_prompt, width=arch.width, heads=arch.heads, grids=(arch.template_grid, arch.search_grid)
        )
        self.template_positions = nn.Parameter(torch.zeros(1, arch.template_grid**2, arch.width))
        self.search_positions = nn.Parameter(torch.zeros(1, arch.search_grid**2, arch.width))
        if arch.segments:
            self.template_segment = nn.Parameter(torch.zeros(1, 1, arch.width))
            self.search_segment = nn.Parameter(torch.zeros(1, 1, arch.width))
        self.blocks = nn.ModuleList(Block(arch.width, arch.heads) for _ in range(arch.depth))
        self.norm = nn.LayerNorm(arch.width, eps=1e-6)
        self.head: nn.Module
        if arch.head == "perceptron":
            self.head = PerceptronHead(arch.width, arch.width)
        else:
            self.head = (CenterHead if arch.head == "center" else CornerHead)(arch.width, arch.head_width)
        self.register_buffer("window", hann2d(arch.search_grid), persistent=False)
        self.num_template = arch.templates * arch.template_grid**2
        self.register_buffer("weights", query_weights(self.static_mask().repeat(1, arch.templates)), persistent=False)

    def static_mask(self) -> Tensor:
        """The tokens (1, T / P) of each template that decide about eliminations where they do not depend on the target."""
        if self.arch.queries in ("centre-point", "centre-box"):
            return centre_mask(self.arch.template_grid, single=self.arch.queries == "centre-point")
        return torch.ones(1, self.arch.template_grid**2, dtype=torch.bool)

    def embed(self, template: Tensor, search: Tensor, hints: Hints = NO_HINTS) -> Embedded:
        """Tokens of normalised crops (B P, 3, h, w), those of one target together, and (B, 3, h, w)."""
        seconds = hints.second or (None, None)
        target = None if hints.target is None else mark(hints.target, template.shape[-1], hints.mask)
        prior = None if hints.prior is None else mark(hints.prior, search.shape[-1])
        of_template = self.embed_template(template, target, seconds[0])
        return self.join(of_template, self.embed_search(search, prior, seconds[1]))

    def embed_template(self, template: Tensor, target: Marked | None = None, second: Tensor | None = None) -> Part:
        """Tokens (B P, T / P, C) of normalised templates (B P, 3, h, w), whose second pictures may be given."""
        if self.arch.shown != "extra":
            assert target is not None  # `Spec.feed` asks for it
            second = template * target.mask if self.arch.shown == "target" else target.mask.expand(-1, 3, -1, -1)
        template, front = self.prompts.on_template(template, target)
        tokens, added = self._patches(template, second)
        tokens = self.prompts.add(tokens + self.template_positions, target)
        return Part(front, tokens + self.template_segment if self.arch.segments else tokens, added)

    def embed_search(self, search: Tensor, prior: Marked | None = None, second: Tensor | None = None) -> Part:
        """Tokens (B, S, C) of a normalised search crop (B, 3, h, w), likewise."""
        if self.arch.shown != "extra":
            second = self.search_picture.expand_as(search) if self.arch.learned_search else torch.zeros_like(search)
        search, front = self.prompts.on_search(search, prior)
        tokens, added = self._patches(search, second)
        tokens = tokens + self.search_positions
        return Part(front, tokens + self.search_segment if self.arch.segments else tokens, added)

    def join(self, template: Part, search: Part) -> Embedded:
        """What both embeddings say, with the templates of one target behind one another."""
        tokens = template.tokens.reshape(search.tokens.shape[0], -1, self.arch.width)
        prompts = None if template.added is None or search.added is None else Prompts(template.added, search.added)
        return Embedded(torch.cat([*template.front, *search.front, tokens], dim=1), search.tokens, prompts)

    def _patches(self, picture: Tensor, second: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Tokens of crops without positions, and the prompts that were added to them."""
        assert (second is None) == (self.arch.second == "none")  # `Spec.feed` asks for it
        if self.visual is None or self.second_stem is None or second is None:
            return embed_pair(self.stem, self.second_stem, picture, second), None
        tokens = self.stem(picture)
        added = self.visual.first(tokens, self.second_stem(second))
        return tokens + added, added

    def encode(
        self, template: Tensor, search: Tensor, weights: Tensor, keep: float | None = None, prompts: Prompts | None = None
    ) -> tuple[Tensor, list[Stage], list[Tensor]]:
        """Tokens through all blocks, before the last norm.

        Args:
            template: (B, T, C), tokens of prompts in front.
            search: (B, S, C).
            weights: (1 or B, T) of these in eliminations, of sum 1.
            keep: the share that stays at every elimination, instead of `Arch.keep`.
            prompts: what was added to the tokens before.

        Returns:
            The line of tokens that entered, the tokens after every block, and the places removed at each elimination.
        """
        line = self._enter(template, search, prompts)
        entered, stages = line.tokens, []
        for i in range(len(self.blocks)):
            line = self._pass(i, line, weights, keep)
            stages.append(Stage(line.tokens, line.places))
        return entered, stages, list(line.removed)

    def _enter(self, template: Tensor, search: Tensor, prompts: Prompts | None) -> Line:
        places = torch.arange(search.shape[1], device=search.device).expand(search.shape[0], -1)
        return Line(join(template, search, self.arch.order), template.shape[1], places, prompts)

    def _pass(self, i: int, line: Line, weights: Tensor, keep: float | None) -> Line:
        """One block, and the elimination in it; arguments as in `encode`."""
        block, order = self._block(i), self.arch.order
        tokens, num_template, places, prompts, removed = self._prompted(i, line)
        queries, keys, values = block.attention.project(block.norm1(tokens))
        tokens = tokens + block.attention.merge(functional.scaled_dot_product_attention(queries, keys, values))
        if i in self.keep:
            reads = self._template_reads(queries, keys, num_template)
            template, search = split(tokens, num_template, order)
            left = self._leave(search, places, reads, weights, self.keep[i] if keep is None else keep)
            tokens, places, removed = join(template, left.tokens, order), left.places, (*removed, left.removed)
        return Line(tokens + block.mlp(block.norm2(tokens)), num_template, places, prompts, removed)

    def _prompted(self, i: int, line: Line) -> Line:
        """The tokens as they enter a block: with new prompts of a second picture, where there are any for it."""
        if self.visual is None or line.prompts is None or not 0 < i < self.visual.depth:
            return line
        pair = Prompts(*split(line.tokens, line.front, self.arch.order))
        pair, prompts = self.visual.later(i, pair, line.places, line.prompts)
        return line._replace(tokens=join(*pair, self.arch.order), prompts=prompts)

    def _block(self, i: int) -> Block:
        block = self.blocks[i]
        assert isinstance(block, Block)
        return block

    def find(self, embedded: Embedded, weights: Tensor, keep: float | None = None) -> tuple[Tensor, Tensor]:
        """Search tokens (B, K, C) that are left behind all blocks and the last norm, and where they stand: (B, K); arguments as in `encode`.

        What `encode` computes, but of the last block only what the head reads, unless something is eliminated there.
        """
        line, last = self._enter(*embedded), self.arch.depth - 1
        for i in range(last):
            line = self._pass(i, line, weights, keep)
        if last in self.keep:
            line = self._pass(last, line, weights, keep)
            search = split(line.tokens, line.front, self.arch.order)[1]
        else:
            line = self._prompted(last, line)
            template, search = split(line.tokens, line.front, self.arch.order)
            tokens = torch.cat([template, search], dim=1) if self.arch.order == "template-central" else line.tokens
            search = self._block(last)(tokens, kept=slice(tokens.shape[1] - search.shape[1], None))[0]
        return self.norm(search)[:, : line.places.shape[1]], line.places  # a merged token has no place

    def _leave(self, search: Tensor, places: Tensor, reads: Tensor, weights: Tensor, keep: float) -> Survivors:
        """One elimination among search tokens (B, K or K + 1, C) at places (B, K); a merged token stands behind them, and stays there."""
        num = places.shape[1]
        left = eliminate(search[:, :num], places, relevance(reads[..., :num], weights), keep)
        if self.arch.merge == "none" or not left.removed.shape[1]:
            return left._replace(tokens=torch.cat([left.tokens, search[:, num:]], dim=1))
        is_gone = torch.ones_like(search[..., 0], dtype=torch.bool)  # what was merged before is merged again
        is_gone[:, :num] = (places.unsqueeze(2) == left.removed.unsqueeze(1)).any(dim=2)
        merged = merge(search, attended(reads, weights, self.arch.merge), is_gone)
        return left._replace(tokens=torch.cat([left.tokens, merged], dim=1))

    def _template_reads(self, queries: Tensor, keys: Tensor, num_template: int) -> Tensor:
        """Attention (B, H, T, K) of template to search tokens, of queries and keys (B, H, N, D) of all."""
        template, _ = split(queries.transpose(1, 2), num_template, self.arch.order)  # (B, T, H, D)
        attention = attention_weights(template.transpose(1, 2), keys)  # (B, H, T, N)
        _, search = split(attention.permute(0, 3, 1, 2), num_template, self.arch.order)  # (B, K, H, T)
        return search.permute(0, 2, 3, 1)

    def look(
        self, template: Tensor, search: Tensor, weights: Tensor | None = None, keep: float | None = None, hints: Hints = NO_HINTS
    ) -> Look:
        """The network with all that it sees on its way.

        Args:
            template: normalised (B P, 3, h, w), those of one target together.
            search: normalised (B, 3, h, w).
            weights: (1 or B, T) of the template tokens in eliminations, of sum 1; None for what `Arch.queries` says.
            keep: the share that stays at every elimination, instead of `Arch.keep`.
            hints: what the network is given beside the crops.
        """
        embedded = self.embed(template, search, hints)
        return self.finish(*self.encode(embedded.template, embedded.search, self._padded(weights), keep, embedded.prompts))

    def _padded(self, weights: Tensor | None) -> Tensor:
        """The weights of all tokens before those of the search: prompts decide nothing."""
        return functional.pad(self.weights if weights is None else weights, (self.prompts.num, 0))

    def finish(self, tokens: Tensor, stages: list[Stage], removed: list[Tensor]) -> Look:
        """Norm, restored search tokens and head, for what `encode` returned."""
        template, survivors = split(self.norm(stages[-1].tokens), self.prompts.num + self.num_template, self.arch.order)
        survivors = survivors[:, : stages[-1].places.shape[1]]  # a merged token has no place
        search = restore(survivors, stages[-1].places, self.arch.search_grid**2)
        return Look(tokens, stages, removed, torch.cat([template, search], dim=1), *self._decode(search, survivors))

    def _decode(self, search: Tensor, survivors: Tensor) -> tuple[CenterMaps | CornerMaps | None, Tensor, Tensor | None]:
        """Maps, box and score from search tokens (B, S, C) with zeros, and without them (B, K, C)."""
        if self.arch.head == "perceptron":
            return None, torch.sigmoid(self.head(survivors.mean(dim=1))), None
        maps: CenterMaps | CornerMaps = self.head(to_grid(search))
        if isinstance(maps, CenterMaps):
            return maps, *decode_center(maps, self.window, windowed=self.arch.windowed_score)
        return maps, decode_corners(maps), None

    def init(
        self, template: Tensor, target: Tensor | None = None, template_extra: Tensor | None = None, *, mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """State of a target, of its templates together: `tokens` (B, F + T, C), those of prompts first.

        With ViPT also `added` (B, T, C), with `Arch.queries` "target" also the `weights` (B, T) of template tokens in eliminations.

        Args:
            template: uint8 (B, [scales,] 16 n, 16 n, 3).
            target: (B, 4), the box in it as cx, cy, w, h in 0..1, for prompts and with `Arch.queries` "target".
            template_extra: as `template`: a second picture of it, with `Arch.second`.
            mask: (B, 1, 16 n, 16 n) float, 1 on the target, for prompts that know it more closely than by its box.
        """
        at = None if target is None else mark(box_from_ratio(target), template.shape[-2], mask)
        second = None if template_extra is None else normalize(template_extra.flatten(0, -4))
        part = self.embed_template(normalize(template.flatten(0, -4)), at, second)
        state = {"tokens": torch.cat([*part.front, part.tokens.reshape(template.shape[0], -1, self.arch.width)], dim=1)}
        if part.added is not None:
            state["added"] = part.added
        if target is not None and self.arch.queries == "target":
            state["weights"] = query_weights(target_mask(xywh_from_cxcywh(target), template.shape[-2]))
        return state

    def step(
        self,
        search: Tensor,
        tokens: Tensor,
        added: Tensor | None = None,
        weights: Tensor | None = None,
        prior: Tensor | None = None,
        search_extra: Tensor | None = None,
        *,
        keep: float | None = None,
    ) -> dict[str, Tensor]:
        """`box` (B, 4), and `score` (B,) with the head "center".

        Args:
            search: uint8 or float32 in 0..255 (B, 16 G, 16 G, 3).
            tokens: (B, [changes,] F + T, C), as `init` gave them.
            added: (B, T, C), likewise.
            weights: (B, T), likewise.
            prior: (B, 4), the last box in the search crop as cx, cy, w, h in 0..1, for search prompts.
            search_extra: as `search`: a second picture of it, with `Arch.second`.
            keep: the share that stays at every elimination, instead of `Arch.keep`.
        """
        was = None if prior is None else mark(xywh_from_cxcywh(prior), search.shape[1])
        part = self.embed_search(normalize(search), was, None if search_extra is None else normalize(search_extra))
        embedded = self.join(Part([], tokens.flatten(1, -2), added), part)
        survivors, places = self.find(embedded, self._padded(weights), keep)
        return self._located(survivors, restore(survivors, places, self.arch.search_grid**2))

    def _located(self, survivors: Tensor, search: Tensor) -> dict[str, Tensor]:
        """What `step` returns, from search tokens (B, K, C), and (B, S, C) with zeros where one was eliminated."""
        if isinstance(self.head, CenterHead):
            box, score = find_center(self.head, to_grid(search), self.window, windowed=self.arch.windowed_score)
            return {"box": box, "score": score}
        if isinstance(self.head, PerceptronHead):
            return {"box": torch.sigmoid(self.head(survivors.mean(dim=1)))}
        return {"box": decode_corners(self.head(to_grid(search)))}


def build(arch: Arch) -> OSTrack:
    """An untrained network.

    Raises:
        BadSpec: several templates, prompts or a merged token where none can be; eliminations without a share in 0..1 each, twice at one block, or at one that is not there.
    """
    if len(arch.eliminate) != len(arch.keep) or not all(0 < keep <= 1 for keep in arch.keep):
        raise BadSpec(f"eliminations {arch.eliminate} keep {arch.keep}; expected one share above 0 and at most 1 for each.")
    if not all(0 <= i < arch.depth for i in arch.eliminate):
        raise BadSpec(f"eliminations {arch.eliminate} name a block that is not there; the network has blocks 0 to {arch.depth - 1}.")
    if len(set(arch.eliminate)) < len(arch.eliminate):
        raise BadSpec(f"eliminations {arch.eliminate} name a block twice; give each block once.")
    if arch.merge != "none" and (arch.order != "direct" or not arch.eliminate):
        raise BadSpec(
            f"merge {arch.merge!r} with order {arch.order!r} and eliminations {arch.eliminate}: it needs order 'direct' and an elimination."
        )
    if arch.templates > 1 and (arch.order == "partition" or arch.queries == "target"):
        raise BadSpec(
            f"{arch.templates} templates with order {arch.order!r} and queries {arch.queries!r}: neither 'partition' nor 'target' knows several."
        )
    network = OSTrack(arch)
    if (network.visual is not None or arch.shown != "extra" or arch.template_prompt != "none") and arch.templates > 1:
        raise BadSpec(f"{arch.templates} templates with prompts; they know one.")
    if network.prompts.num and (network.visual is not None or arch.order == "partition"):
        raise BadSpec(
            f"prompts {arch.template_prompt!r} and {arch.search_prompt!r} put tokens in front, which neither order 'partition' nor prompts of a second picture know."
        )
    if (arch.shown != "extra" and arch.second == "none") or (arch.learned_search and arch.shown == "extra"):
        raise BadSpec(f"second {arch.second!r} shows {arch.shown!r}, learned: {arch.learned_search}; there is no such second picture.")
    return network
