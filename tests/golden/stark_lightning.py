"""Fixtures golden/stark of the Lightning network: the whole chain, and what follows its features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline import models, zoo
from sightline.models.checkpoint import fill, rename
from sightline.models.stark_lightning import KEYS, Lightning
from sightline.spec import Spec
from sightline.zoo.stark_lightning import Arch
from tests.golden.layouts import Shapes, count
from tests.golden.stark import padding_of

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = models.build(spec)
    assert isinstance(network, Lightning)
    tensors = {key: torch.from_numpy(value) for key, value in weights.items()}
    given = {name: torch.from_numpy(value) for name, value in inputs.items()}
    with torch.inference_mode():
        if "padding" in meta["arguments"]:
            fill(network, tensors, spec)
            outputs = whole(network, meta["arguments"]["padding"], given)
        else:
            fill_part(network, tensors)
            outputs = after_features(network, meta["arguments"]["padding_in_feature_cells"], given)
    return {name: value.numpy() for name, value in outputs.items()}


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors; what has none there, as published."""
    keys: Shapes = meta["keys"]
    published = zoo.find("stark-lightning")
    arch: Arch = replace(
        published.arch,
        template_grid=keys["pos_emb_z0.row_embed.weight"][0],
        search_grid=keys["pos_emb_x.row_embed.weight"][0],
        width=2 * keys["pos_emb_x.row_embed.weight"][1],
        heads=meta["arguments"]["heads"],
        hidden=meta["arguments"]["feedforward"],
    )
    if "backbone.body.stage0.rbr_dense.conv.weight" in keys:
        first = [f"backbone.body.stage{i}" for i in (1, 2, 3)]
        arch = replace(
            arch,
            stem=keys["backbone.body.stage0.rbr_dense.conv.weight"][0],
            widths=tuple(keys[f"{stage}.0.rbr_dense.conv.weight"][0] for stage in first),
            blocks=tuple(count(keys, stage) for stage in first),
        )
    return replace(published, arch=arch)


def fill_part(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Fill everything behind the features."""
    ours = {rename(key, KEYS): value for key, value in tensors.items()}
    left = network.load_state_dict(ours, strict=False)
    assert not left.unexpected_keys
    assert all(key.startswith(("backbone", "bottleneck")) or key.endswith("num_batches_tracked") for key in left.missing_keys)


def whole(network: Lightning, padding: Mapping[str, Any], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """From pictures to boxes."""
    masks = {name: padding_of(padding[name], (pixels.shape[2], pixels.shape[3])) for name, pixels in inputs.items()}
    tokens, mask = network.read(inputs["search"], masks["search"])
    template = network.keep(*network.read(inputs["template"], masks["template"]))
    _, box = network.decode(network.look(tokens, mask, template))
    return {
        "stage0_template": network.backbone[0](inputs["template"]),
        "backbone_template": network.backbone(inputs["template"]),
        "position_search": network.search_positions().transpose(0, 1),
        "bottleneck_search": tokens.transpose(0, 1),
        "mask_search": mask,
        "boxes": box,
    }


def after_features(network: Lightning, padding: Mapping[str, Any], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """From features, tokens x batch x channels, to boxes."""
    masks = {
        name: padding_of(padding[name], (positions.rows.shape[0],) * 2).flatten(1)
        for name, positions in (("template", network.template_positions), ("search", network.search_positions))
    }
    template = network.keep(inputs["features_template"].transpose(0, 1), masks["template"])
    tokens = network.look(inputs["features_search"].transpose(0, 1), masks["search"], template)
    maps, box = network.decode(tokens)
    return {
        "encoder_out": tokens.transpose(0, 1),
        "corner_tl": maps.top_left.squeeze(1),
        "corner_br": maps.bottom_right.squeeze(1),
        "boxes": box,
    }
