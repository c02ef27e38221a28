from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from sightline.models.layers.resnet import ResNet  # noqa: E402  # after the check for torch


@pytest.mark.parametrize(
    "depth,options,channels,side",
    [
        pytest.param(18, {}, 256, 4, id="18"),
        pytest.param(34, {"num_stages": 2}, 128, 8, id="34, two stages"),
        pytest.param(50, {"last_stride": 1, "last_dilation": 2}, 1024, 8, id="50, stride 8"),
        pytest.param(18, {"num_stages": 4}, 512, 2, id="18, all stages"),
        pytest.param(18, {"num_stages": 1}, 64, 16, id="18, one stage"),
    ],
)
def test_stages_make_maps_of_these_sizes(depth: Any, options: dict[str, Any], channels: int, side: int) -> None:
    network = ResNet(depth, **options).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 64, 64)).shape == (1, channels, side, side)
    assert network.channels == channels


def test_101_layers_are_more_blocks_in_the_third_stage() -> None:
    with torch.device("meta"):
        keys = ResNet(101).state_dict()
    assert "layer3.22.conv3.weight" in keys
    assert "layer3.0.downsample.0.weight" in keys
    assert "layer3.1.downsample.0.weight" not in keys
