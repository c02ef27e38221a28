from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from sightline.models.artrackv2 import ARTrackV2, build  # noqa: E402  # after the check for torch
from sightline.models.layers.vit import Block  # noqa: E402
from sightline.zoo.artrackv2 import Arch  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SMALL = Arch(
    template_grid=2,
    search_grid=4,
    bins=25,
    history=2,
    depth=2,
    extension=1,
    width=32,
    heads=2,
    appearance_depth=1,
    appearance_width=32,
    appearance_heads=2,
)
NUM = 4 + 4 + 16 + 13  # tokens: template, appearance, search, words


def made() -> ARTrackV2:
    torch.manual_seed(0)
    network = stirred(build(SMALL)).eval()
    assert isinstance(network, ARTrackV2)
    return network


def noise(*shape: int, seed: int = 1) -> Any:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def may_read() -> Any:
    """Who reads whom, as the paper draws it: (N, N) bool."""
    template, appearance, search = slice(0, 4), slice(4, 8), slice(8, 24)
    allowed = torch.ones(NUM, NUM, dtype=torch.bool)
    allowed[:24] = False
    allowed[template, template] = True
    for kind in (appearance, search, slice(NUM - 1, NUM)):
        allowed[appearance, kind] = True
    for kind in (template, appearance, search):
        allowed[search, kind] = True
    return allowed


def test_reading_kind_by_kind_with_the_template_read_before_is_one_attention_under_a_mask() -> None:
    network = made()
    template, appearance, search = noise(2, 4, 32), noise(2, 4, 32, seed=2), noise(2, 16, 32, seed=3)
    past = torch.tensor([[3.0, 4.0, 9.0, 12.0] * 2, [1.5, 2.5, 30.5, 40.5] * 2])
    with torch.inference_mode():
        of_template, memory = network.read_template(template)
        look = network(search, memory, appearance, network.vocabulary.unseen(search), past)
        words = torch.cat([past.long(), torch.tensor([50, 51, 52, 53, 55]).repeat(2, 1)], dim=1)
        tokens = torch.cat(
            [
                template + network.template_positions + network.identity[:, :1],
                appearance + network.template_positions + network.identity[:, 1:2],
                search + network.search_positions + network.identity[:, 2:],
                network.vocabulary.read(words) + torch.cat([network.past_positions, network.command_positions]),
            ],
            dim=1,
        )
        for i, block in enumerate([*network.blocks, *network.extension]):
            assert isinstance(block, Block)
            queries, keys, values = block.attention.project(block.norm1(tokens))
            weights = (queries @ keys.transpose(2, 3) / 16**0.5).masked_fill(~may_read(), -torch.inf).softmax(dim=3)
            tokens = tokens + block.attention.merge(weights @ values)
            tokens = tokens + block.mlp(block.norm2(tokens))
            torch.testing.assert_close(torch.cat([of_template[i], look.stages[i]], dim=1), tokens, atol=1e-4, rtol=1e-4)
    assert look.seen.sum(dim=1).tolist() == [4 + 5, 4 + 5]


def test_a_corner_lies_halfway_between_the_likeliest_place_and_the_mean_of_all() -> None:
    logits = torch.full((1, 4, 56), -100.0)
    logits[:, :, 50:] = 0.0  # no places: they count in no mean
    for corner, (first, second) in enumerate([(15, 20), (17, 27), (32, 37), (33, 33)]):
        logits[0, corner, [first, second]] = torch.tensor([10.001, 10.0])
    cx, cy, w, h = made().decode(logits)[0].tolist()
    x1, y1, x2, y2 = (
        ((first + 0.5) / 24 + ((first + second) / 2 + 0.5) / 25) / 2 - 0.5 for first, second in [(15, 20), (17, 27), (32, 37), (33, 33)]
    )
    assert (cx, cy, w, h) == pytest.approx(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), abs=1e-4)


def test_the_appearance_of_a_frame_is_that_of_the_next() -> None:
    network = made()
    search, history = torch.full((1, 64, 64, 3), 90, dtype=torch.uint8), torch.tensor([[[0.5, 0.5, 0.2, 0.2]] * 2])
    with torch.inference_mode():
        state = network.init(torch.full((1, 32, 32, 3), 50, dtype=torch.uint8))
        given = {"keys": state["keys"], "values": state["values"], "history": history, "seen": state["next.seen"]}
        first = network.step(search, appearance=state["next.appearance"], **given)
        second = network.step(search, appearance=first["next.appearance"], **given)
    assert first["next.appearance"].shape == state["next.appearance"].shape == (1, 4, 32)
    assert (first["score"] - second["score"]).abs() > 1e-5
