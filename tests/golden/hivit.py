"""What the runners of AQATrack and EVPTrack share: the backbone's shape from its tensors, its inner stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from sightline.models.layers.hivit import HiViT
from sightline.spec import Spec
from tests.golden.layouts import Shapes, count
from tests.golden.ostrack import PATCH


def shape_of(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of an `Arch` that the backbone and the head of a fixture tell."""
    keys: Shapes = meta["keys"]
    width = keys["backbone.pos_embed_x"][-1]
    merges = [int(key.split(".")[2]) for key in keys if key.endswith("reduction.weight")]
    first, second = sorted(merges)
    return {
        "template_grid": meta["arguments"]["template_size"] // PATCH,
        "search_grid": meta["arguments"]["search_size"] // PATCH,
        "width": width,
        "heads": width // 64,
        "depths": (first // 2, (second - first) // 2, count(keys, "backbone.blocks") - second - 1),
        "head_width": keys["box_head.conv1_ctr.0.weight"][0],
    }


def sized(spec: Spec, meta: Mapping[str, Any]) -> Spec:
    """The spec with the sizes of crops of a fixture."""
    arguments = meta["arguments"]
    return replace(
        spec,
        template=replace(spec.template, size=arguments["template_size"]),
        search=replace(spec.search, size=arguments["search_size"]),
    )


def stages_of(backbone: HiViT, pixels: Tensor, tokens: Tensor, stages: Sequence[Tensor], features: Tensor) -> dict[str, Tensor]:
    """The inner stages that a fixture may store: cells of a search crop by tokens, tokens into the transformer and on their way."""
    cells = backbone.split(pixels)
    batch, side, _, width = cells.shape
    of_tokens = cells.reshape(batch, side // 4, 4, side // 4, 4, width).transpose(2, 3).flatten(1, 2)  # (B, G G, 4, 4, C / 4)
    after = {f"after_main{i}": stage for i, stage in enumerate(stages)}
    return {"patch_embed": of_tokens, "tokens_in": tokens, "backbone_feat": features} | after
