"""Fixtures golden/efficienttrack: every block order, stem and width, and a whole tracker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from numpy.typing import NDArray

from sightline import zoo
from sightline.models.layers.onestream import OneStream
from sightline.spec import Spec
from sightline.zoo import efficienttrack, efficienttrack_ln
from tests.golden.follow import follow
from tests.golden.layouts import Shapes, count, one_thread, stem_of
from tests.golden.networks import filled
from tests.golden.vittrack_dist import stages

Array = NDArray[Any]


@one_thread()
def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, OneStream)
    if "init_box" in meta["arguments"]:
        return follow(network, spec, meta, inputs)
    outputs = stages(network, inputs)
    if spec.family == "efficienttrack":  # the authors' blocks have channels before tokens
        outputs |= {name: outputs[name].swapaxes(1, 2) for name in ("tokens_in", "block0")}
    return outputs


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network that a fixture's tensors belong to. The authors always use four heads."""
    keys: Shapes = meta["keys"]
    width, heads = keys["backbone.pos_embed_x"][-1], meta["arguments"].get("heads", 4)
    shape = {
        "stem": stem_of(keys),
        "depth": count(keys, "backbone.blocks"),
        "width": width,
        "heads": heads,
        "head_width": keys["box_head.conv1_ctr.0.weight"][0],
    }
    if "backbone.blocks.0.attn.qkv.weight" in keys:
        return replace(zoo.find("efficienttrack-afln-c128-d3"), arch=efficienttrack_ln.Arch(**shape))
    # in the variant with the 2x2 stem a key grows with the network
    key_width = width // (4 * heads) if shape["stem"] == "conv2x2" else 16
    order = cast("efficienttrack.Order", order_of(keys))
    return replace(zoo.find("efficienttrack-af-c128-d3"), arch=efficienttrack.Arch(order=order, key_width=key_width, **shape))


def order_of(keys: Shapes) -> str:
    """The letters of a block, from the tensors that it has."""
    block = {key.removeprefix("backbone.blocks.0.") for key in keys}
    before = "F" if any(key.startswith("ffn0.") for key in block) else ""
    after = "F" if any(key.startswith("ffn1.") for key in block) else ""
    mixer = "GA" if "mixer.m.qkvs.weight" in block else "A" if "mixer.m.qkv.weight" in block else ""
    return before + mixer + after
