from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from sightline.models.layers.mixed import MixedTransformer  # noqa: E402  # after the check for torch
from sightline.models.layers.positions import grid_sines  # noqa: E402
from sightline.models.layers.vit import packed, unpacked  # noqa: E402
from tests.models.stir import stirred  # noqa: E402


def made() -> MixedTransformer:
    network = stirred(MixedTransformer(width=32, heads=2, depth=2, ratio=2, template_grid=2, search_grid=3)).eval()
    assert isinstance(network, MixedTransformer)
    return network


def test_templates_read_one_another_and_the_search_reads_both() -> None:
    network = made()
    templates, other, search = torch.randn(1, 8, 32), torch.randn(1, 8, 32), torch.randn(1, 9, 32)
    other[:, :4] = templates[:, :4]  # the second template differs
    with torch.inference_mode():
        read = [network.read_templates(tokens) for tokens in (templates, other)]
        found = [network.read_search(search, of.memory).stages[-1] for of in read]
    assert not torch.allclose(read[0].stages[-1][:, :4], read[1].stages[-1][:, :4], atol=1e-4)
    assert not torch.allclose(*found, atol=1e-4)


def test_an_empty_place_is_as_good_as_no_place() -> None:
    network = made()
    two, search = torch.randn(1, 8, 32), torch.randn(1, 9, 32)
    three = torch.cat([two, torch.randn(1, 4, 32)], dim=1)
    filled = torch.tensor([[True, True, False]])
    with torch.inference_mode():
        expected = network.read_templates(two)
        read = network.read_templates(three, filled)
        torch.testing.assert_close(read.stages[-1][:, :8], expected.stages[-1])
        found = network.read_search(search, read.memory, filled).stages[-1]
        torch.testing.assert_close(found, network.read_search(search, expected.memory).stages[-1])
        assert not torch.allclose(found, network.read_search(search, network.read_templates(three).memory).stages[-1], atol=1e-4)


def test_memory_survives_the_way_into_the_state_and_back() -> None:
    memory = [(torch.randn(1, 2, 3, 4), torch.randn(1, 2, 3, 4)) for _ in range(2)]
    for before, after in zip(memory, unpacked(**packed(memory)), strict=True):
        assert torch.equal(before[0], after[0])
        assert torch.equal(before[1], after[1])


def test_positions_hold_the_column_before_the_row() -> None:
    table = grid_sines(3, 8)[0]
    assert table.shape == (9, 8)
    column, row = 2, 1
    angles = [1.0, 0.01]  # 10000^0, 10000^(-1/2)
    expected = [wave(place * angle) for place in (column, row) for wave in (math.sin, math.cos) for angle in angles]
    torch.testing.assert_close(table[row * 3 + column], torch.tensor(expected))
