"""LoRAT: factors beside layers, the target's mask, and the way of its boxes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402  # after the check for torch

from sightline import models, zoo  # noqa: E402
from sightline.box import Box  # noqa: E402
from sightline.frame import Frame  # noqa: E402
from sightline.methods.network import NetworkMethod  # noqa: E402
from sightline.models.checkpoint import fill, state_for_authors  # noqa: E402
from sightline.models.lorat import target_mask  # noqa: E402
from sightline.models.session import TorchSession  # noqa: E402
from sightline.spec import Spec  # noqa: E402
from tests.models.stir import stirred  # noqa: E402


def small(name: str) -> Spec:
    spec = zoo.find(name)
    return replace(spec, arch=replace(spec.arch, depth=2, width=32, heads=2, rank=4 if spec.arch.rank else 0, scale=0.5))


def merged(tensors: dict[str, Tensor], scale: float) -> dict[str, Tensor]:
    """The tensors of a network whose factors are added to its layers."""
    whole = {key: value for key, value in tensors.items() if ".linear." not in key and ".lora." not in key}
    for key, value in tensors.items():
        if key.endswith(".linear.bias"):
            whole[key.replace(".linear", "")] = value
        if key.endswith(".linear.weight"):
            layer = key.removesuffix(".linear.weight")
            whole[f"{layer}.weight"] = value + scale * tensors[f"{layer}.lora.B"] @ tensors[f"{layer}.lora.A"]
    for kind in ("weight", "bias"):
        for i in range(2):
            parts = [whole.pop(f"blocks.{i}.attn.qkv.{part}.{kind}") for part in "qkv"]
            whole[f"blocks.{i}.attn.qkv.{kind}"] = torch.cat(parts)
    return whole


def test_the_merged_network_has_the_parameters_of_the_fact_sheet() -> None:
    with torch.device("meta"):
        network = models.build(zoo.find("lorat-b224"))
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(88.1e6, rel=1e-3)


def test_factors_apart_say_what_factors_added_to_the_layers_say() -> None:
    apart = stirred(models.build(small("lorat-b224-factors")))
    whole = models.build(small("lorat-b224"))
    fill(whole, merged(state_for_authors(apart, small("lorat-b224-factors")), scale=0.5), small("lorat-b224"))
    torch.manual_seed(0)
    tokens = torch.randn(1, 64 + 256, 32)
    torch.testing.assert_close(apart.encode(tokens)[-1], whole.encode(tokens)[-1], atol=1e-4, rtol=1e-4)  # type: ignore[operator]  # nn.Module's attributes
    for name, parameter in apart.named_parameters():
        if name.endswith("lora.A"):
            parameter.data.zero_()
    assert (apart.encode(tokens)[-1] - whole.encode(tokens)[-1]).abs().max() > 1e-3  # type: ignore[operator]  # nn.Module's attributes


@pytest.mark.parametrize(
    "corners,expected",
    [
        pytest.param((0.25, 0.375, 0.75, 0.75), (2, 3, 6, 6), id="on the grid"),
        pytest.param((0.3, 0.3, 0.6, 0.7), (2, 2, 5, 6), id="partly shown cells count"),
        pytest.param((-0.5, 0.5, 0.1, 1.5), (0, 4, 1, 8), id="over the edge"),
    ],
)
def test_the_mask_is_true_where_the_template_shows_the_target(corners: tuple[float, ...], expected: tuple[int, ...]) -> None:
    x1, y1, x2, y2 = corners
    left, top, right, bottom = expected
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[top:bottom, left:right] = True
    assert torch.equal(target_mask(torch.tensor([[(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]]), 8)[0], mask)


def test_boxes_are_reported_inside_the_frame_and_crops_have_the_colour_of_the_first_one_around_it() -> None:
    spec = small("lorat-b224")
    method = NetworkMethod(TorchSession(spec, stirred(models.build(spec))))
    frame = Frame(np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8))
    state = method.begin(frame, Box(0, 0, 40, 30))
    assert state.fill == pytest.approx(tuple(frame.image.mean(axis=(0, 1))))
    for _ in range(3):
        [(state, estimate)] = method.advance([frame], [state])
        box = estimate.box
        assert min(box.x, box.y, 160 - box.x - box.w, 120 - box.y - box.h) >= -1e-9
        assert estimate.region.size == 224
