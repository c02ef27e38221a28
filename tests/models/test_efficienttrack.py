"""EfficientTrack's blocks: what each letter does."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the check for torch

from sightline import models, zoo  # noqa: E402
from sightline.models.efficienttrack import Block, Feed, GroupMixer, Mixer  # noqa: E402
from sightline.models.layers.conv import ConvNorm, PointNorm  # noqa: E402
from sightline.models.layers.vit import Block as PreNormBlock  # noqa: E402
from sightline.models.layers.vit import PlainBlock  # noqa: E402
from sightline.zoo.efficienttrack import Order  # noqa: E402
from tests.models.stir import stirred  # noqa: E402


def tokens(num: int = 10, width: int = 64) -> Tensor:
    made: Tensor = torch.randn(2, num, width, generator=torch.Generator().manual_seed(num))
    return made


def block_of(order: Order) -> Block:
    torch.manual_seed(0)
    block = stirred(Block(order, 64, 4, 16).eval())
    assert isinstance(block, Block)
    return block


@pytest.mark.parametrize(
    "order,kinds,hidden",
    [
        pytest.param("A", [Mixer], 0, id="A"),
        pytest.param("F", [Feed], 4, id="F"),
        pytest.param("AF", [Mixer, Feed], 4, id="AF"),
        pytest.param("FAF", [Feed, Mixer, Feed], 2, id="FAF"),
        pytest.param("GAF", [GroupMixer, Feed], 4, id="GAF"),
        pytest.param("FGAF", [Feed, GroupMixer, Feed], 2, id="FGAF"),
    ],
)
def test_a_block_adds_the_branches_that_its_letters_spell_in_their_order(order: Order, kinds: list[type], hidden: int) -> None:
    block = block_of(order)
    branches = list(block.children())
    assert [type(branch) for branch in branches] == kinds
    assert all(branch.state_dict()["layer1.conv.weight"].shape[0] == hidden * 64 for branch in branches if isinstance(branch, Feed))
    x = tokens()
    with torch.inference_mode():
        said, expected = block(x), x
        for branch in branches:
            expected = expected + branch(expected)
    torch.testing.assert_close(said, expected)
    assert not torch.allclose(said, x)


@pytest.mark.parametrize("order,mixes", [("F", False), ("A", True), ("GAF", True)], ids=["F", "A", "GAF"])
def test_only_attention_carries_something_from_one_token_to_another(order: Order, mixes: bool) -> None:
    x = tokens()
    changed = x.clone()
    changed[:, 0] += 1.0
    with torch.inference_mode():
        before, after = block_of(order)(x), block_of(order)(changed)
    assert torch.equal(before[:, 1:], after[:, 1:]) != mixes


def test_a_group_reads_its_own_channels_only() -> None:
    torch.manual_seed(0)
    mixer = GroupMixer(64, 4, 16).eval()
    mixer.register_module("out", nn.Identity())  # what heads read, before the channels are mixed again
    x = tokens()
    changed = x.clone()
    changed[..., :16] += 1.0  # the first of four groups
    with torch.inference_mode():
        before, after = mixer(x), mixer(changed)
    assert not torch.equal(before[..., :16], after[..., :16])
    assert torch.equal(before[..., 16:], after[..., 16:])


@pytest.mark.parametrize("width,key_width,value_width", [(256, 16, 64), (128, 16, 32), (128, 8, 32), (768, 48, 192), (96, 16, 16)])
def test_a_value_is_as_wide_as_the_multiple_of_a_key_that_fits_its_group(width: int, key_width: int, value_width: int) -> None:
    mixer = GroupMixer(width, 4, key_width)
    assert mixer.parts == (key_width, key_width, value_width)
    assert mixer(tokens(5, width)).shape == (2, 5, width)


@pytest.mark.parametrize("branches", ["AF", "A", "F"])
def test_a_plain_block_is_the_pre_norm_block_or_one_half_of_it(branches: str) -> None:
    torch.manual_seed(0)
    whole = stirred(PreNormBlock(64, 4, eps=1e-5))
    plain = PlainBlock(64, 4, branches=branches)
    plain.load_state_dict({name: value for name, value in whole.state_dict().items() if name in plain.state_dict()})
    assert isinstance(whole, PreNormBlock)
    with torch.inference_mode():
        if "A" not in branches:
            whole.attention.out.weight.zero_()
            whole.attention.out.bias.zero_()
        if "F" not in branches:
            whole.mlp.down.weight.zero_()
            whole.mlp.down.bias.zero_()
        torch.testing.assert_close(plain(tokens()), whole(tokens())[0])


# counted by the author without positions, and with batch norms fused into their convolutions where there is no bias
PUBLISHED = {
    "efficienttrack-af-c256-d3": 3.932,
    "efficienttrack-faf-c256-d3": 3.932,
    "efficienttrack-gaf-c256-d3": 3.417,
    "efficienttrack-fgaf-c256-d3": 3.417,
    "efficienttrack-fgaf-c256-d2": 2.800,
    "efficienttrack-fgaf-c256-d4": 4.035,
    "efficienttrack-af-c128-d3": 1.426,
    "efficienttrack-gaf-c128-d3": 1.303,
    "efficienttrack-fgaf-c128-d3": 1.304,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_network_has_as_many_parameters_as_its_author_says(name: str) -> None:
    with torch.device("meta"):
        network = models.build(zoo.find(name))
    num = sum(parameter.numel() for key, parameter in network.named_parameters() if not key.endswith("positions"))
    for module in network.modules():
        tensors = module.state_dict()
        if isinstance(module, (ConvNorm, PointNorm)) and "conv.bias" not in tensors:
            num -= tensors["norm.weight"].numel()
    assert num / 1e6 == pytest.approx(PUBLISHED[name], abs=0.0006)


@pytest.mark.parametrize("name,published", [("efficienttrack-afln-c128-d3", 1.428), ("efficienttrack-afln-c256-d3", 3.936)])
def test_the_plain_network_has_as_many_parameters_as_its_author_says(name: str, published: float) -> None:
    with torch.device("meta"):
        network = models.build(zoo.find(name))
    num = sum(parameter.numel() for key, parameter in network.named_parameters() if not key.endswith("positions"))
    assert num / 1e6 == pytest.approx(published, abs=0.0006)  # norms not fused
