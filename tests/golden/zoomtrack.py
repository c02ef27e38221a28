"""Fixtures golden/zoomtrack: OSTrack's network on bent search crops, as a whole tracker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from sightline import zoo
from sightline.models.ostrack import OSTrack
from sightline.spec import Spec, Zoom
from tests.golden.follow import follow
from tests.golden.layouts import Shapes, count
from tests.golden.networks import filled

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    return follow(filled(spec, weights, OSTrack), spec, meta, inputs)


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments."""
    keys: Shapes = meta["keys"]
    arguments = meta["arguments"]
    published = zoo.find("zoomtrack-b256")
    width = keys["backbone.pos_embed_x"][-1]
    arch = replace(
        published.arch,
        depth=count(keys, "backbone.blocks"),
        width=width,
        heads=width // 64,
        head_width=keys["box_head.conv1_ctr.0.weight"][0],
        eliminate=tuple(arguments["ce_loc"]),
        keep=tuple(arguments["ce_keep"]),
    )
    zoom = Zoom(factor=arguments["zoom_factor"], cells=arguments["grid"][0] - 1, bandwidth=arguments["bandwidth_scale"])
    return replace(published, arch=arch, search=replace(published.search, zoom=zoom))
