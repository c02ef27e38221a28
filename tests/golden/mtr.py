"""Fixtures golden/mtr: masked pre-training on a pair of crops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from sightline.models.checkpoint import rename
from sightline.train.pretrain.masks import Mask, patches_of, reconstruction_loss, visible_tokens
from sightline.train.pretrain.network import KEYS, Arch, Autoencoder
from tests.golden.layouts import count, stem_of

Array = NDArray[Any]
MASKS: dict[str, Mask] = {"RANDOM": "random", "SPACE_RANDOM": "space_random"}
FIXED = {"positions", "decoder_positions"}


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    arguments = meta["arguments"]
    network = filled(arch_of(meta), weights)
    crops = [torch.from_numpy(inputs[name]) for name in ("image0", "image1")]
    visible = visible_tokens(torch.from_numpy(inputs["noise"]), MASKS[arguments["mask"]], arguments["mask_ratio"], network.arch.counts)
    with torch.inference_mode():
        latent, drawn = network(crops, visible)
    target = torch.cat([patches_of(crop) for crop in crops], dim=1)
    normalise = arguments["norm_pix"]
    outputs = {
        "latent_class": latent[:, 0],
        "latent_sum": latent[:, 1:].sum(dim=1),
        "mask": (~visible).float(),
        "pred": drawn,
        "loss": reconstruction_loss(drawn, target, visible, normalise=normalise).reshape(1),
        "loss_other_norm": reconstruction_loss(drawn, target, visible, normalise=not normalise).reshape(1),
        "patchify0": patches_of(crops[0]),
    }
    return {name: output.numpy() for name, output in outputs.items()}


def arch_of(meta: Mapping[str, Any]) -> Arch:
    """The network of a fixture: shape from its tensors, heads from its arguments."""
    keys, arguments = meta["keys"], meta["arguments"]
    side = arguments["image"] // 16
    return Arch(
        depth=count(keys, "blocks"),
        width=keys["cls_token"][-1],
        heads=arguments["heads"],
        stem=stem_of(keys),
        eps=1e-5,
        sides=(side, side),
        positions="line",
        decoder_depth=count(keys, "decoder_blocks"),
        decoder_width=keys["mask_token"][-1],
        decoder_heads=arguments["decoder_heads"],
    )


def filled(arch: Arch, weights: Mapping[str, Array]) -> Autoencoder:
    """A network with all of a fixture's tensors in it; the tables of positions are its own."""
    network = Autoencoder(arch).eval()
    tensors = {rename(key, KEYS): torch.from_numpy(value) for key, value in weights.items()}
    missing, unknown = network.load_state_dict(tensors, strict=False)
    assert not unknown
    assert {name for name in missing if not name.endswith("num_batches_tracked")} <= FIXED
    return network
