"""Fixtures that run a whole tracker: ours over the same frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sightline.box import Box
from sightline.frame import Frame
from sightline.methods.network import NetworkMethod
from sightline.models.session import TorchSession
from sightline.spec import Spec

Array = NDArray[Any]


def follow(network: nn.Module, spec: Spec, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """`boxes` (T, 4) as x, y, w, h in pixels and `scores` (T,) of a network, set on the first frame of a fixture."""
    arguments = meta["arguments"]
    if arguments["init_box_format"] != "xywh":
        raise ValueError(f"boxes of format {arguments['init_box_format']!r} are not read here")
    template = replace(spec.template, factor=arguments.get("template_factor", spec.template.factor))
    search = replace(spec.search, factor=arguments.get("search_factor", spec.search.factor))
    method = NetworkMethod(TorchSession(replace(spec, template=template, search=search), network))
    pictures, box = frames(meta, inputs), Box(*arguments["init_box"])
    state = replace(method.begin(next(pictures), box), age=arguments.get("first_frame_number", 1) - 1)
    estimates = []
    for picture in pictures:
        [(state, estimate)] = method.advance([picture], [state])
        estimates.append(estimate)
    boxes, scores = [estimate.box for estimate in estimates], [estimate.score for estimate in estimates]
    if arguments["first_row"] == "given":
        boxes = [box, *boxes]
    return {"boxes": np.array(boxes, np.float32), "scores": np.array(scores, np.float32)}


def frames(meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> Iterator[Frame]:
    """The frames of a fixture, RGB, in order; of six channels the last three are a second picture."""
    arguments = meta["arguments"]
    step = 1 if arguments["channels"] == "rgb" else -1
    for i, image in enumerate(
        _made(arguments["sequence"], inputs) if "sequence" in arguments else map(inputs.__getitem__, arguments["frames"])
    ):
        first, *second = (np.ascontiguousarray(image[..., group : group + 3][..., ::step]) for group in range(0, image.shape[-1], 3))
        yield Frame(first, i, extra=second[0] if second else None)


def _made(sequence: Mapping[str, Any], inputs: Mapping[str, Array]) -> Iterator[Array]:
    """Frames as the README of the fixtures says: the background shifted i times, or with an object that moves over it."""
    if sequence["kind"] not in ("roll", "paste"):
        raise ValueError(f"no sequence of kind {sequence['kind']!r} here")
    background = inputs[sequence["background"]]
    for i in range(sequence["frames"]):
        if sequence["kind"] == "roll":
            down, right = (int(value) for value in inputs[sequence["shift"]])
            yield np.roll(background, (i * down, i * right), axis=(0, 1))
            continue
        picture, thing, way = background.copy(), inputs[sequence["object"]], inputs[sequence["trajectory"]].item()
        x, y = way["x0"] + way["dx"] * i, way["y0"] + way["dy"] * i
        picture[y : y + thing.shape[0], x : x + thing.shape[1]] = thing
        yield picture
