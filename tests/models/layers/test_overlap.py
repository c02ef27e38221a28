from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from sightline.models.layers.overlap import Overlap, Pair, jitter  # noqa: E402  # after the check for torch
from sightline.models.layers.pool import pool_slope, precise_pool  # noqa: E402
from tests.models.stir import stirred  # noqa: E402


def test_the_slope_that_is_written_out_is_that_of_autograd() -> None:
    torch.manual_seed(0)
    maps, pull = torch.randn(2, 4, 9, 11).double(), torch.randn(2, 3, 4, 5, 3).double()
    boxes = torch.tensor([[1.2, 2.1, 6.3, 7.9], [-3.0, -2.5, 4.1, 3.3], [7.7, 0.3, 14.0, 5.5]]).double().repeat(2, 1, 1).requires_grad_()
    (expected,) = torch.autograd.grad((precise_pool(maps, boxes, (5, 3)) * pull).sum(), boxes)
    torch.testing.assert_close(pool_slope(maps, boxes.detach(), pull), expected)


def test_a_box_without_area_has_no_slope() -> None:
    boxes = torch.tensor([[[2.0, 2.0, 2.0, 5.0], [4.0, 4.0, 1.0, 2.0]]])
    assert (pool_slope(torch.randn(1, 2, 8, 8), boxes, torch.ones(1, 2, 2, 3, 3)) == 0).all()


def overlap() -> tuple[Overlap, Pair, Pair]:
    torch.manual_seed(0)
    network = stirred(Overlap((8, 16), steps=5)).eval()
    assert isinstance(network, Overlap)
    maps = network.prepare(Pair(torch.randn(1, 8, 36, 36), torch.randn(1, 16, 18, 18)))
    factors = network.modulation(Pair(torch.randn(1, 8, 36, 36), torch.randn(1, 16, 18, 18)), torch.tensor([[100.0, 110.0, 60.0, 50.0]]))
    return network, maps, factors


def test_what_is_said_of_a_box_changes_as_its_gradient_says() -> None:
    network, maps, factors = overlap()
    boxes = torch.tensor([[[100.0, 110.0, 60.0, 50.0], [90.5, 80.2, 40.0, 77.0]]]).requires_grad_()
    said, slope = network.rate(maps, factors, boxes)
    (expected,) = torch.autograd.grad(said.sum(), boxes)
    torch.testing.assert_close(slope, expected, rtol=1e-3, atol=1e-5)


def test_short_steps_lead_to_more_overlap() -> None:
    network, maps, factors = overlap()
    boxes = torch.tensor([[[100.0, 110.0, 60.0, 50.0]]])
    with torch.inference_mode():
        before, slope = network.rate(maps, factors, boxes)
        climbed, _ = network.climb(maps, factors, boxes, steps=3, length=1e-3 / float(slope.abs().max()))
        after, _ = network.rate(maps, factors, climbed)
    assert after > before


def test_where_no_box_is_sound_the_first_one_stays() -> None:
    network, maps, factors = overlap()
    with torch.inference_mode():
        network.say.weight.mul_(1e6)  # every step goes out of the crop
        first = torch.tensor([[100.0, 110.0, 60.0, 50.0]])
        assert torch.equal(network.refine(maps, factors, jitter(first, torch.rand(9, 4) - 0.5)), first)


def test_drawn_boxes_lie_around_the_first_and_are_not_tiny() -> None:
    draws = torch.rand(200, 4) - 0.5
    boxes = jitter(torch.tensor([[10.0, 20.0, 90.0, 10.0]]), draws)[0]
    assert boxes[0].tolist() == [10, 20, 90, 10]
    centre = boxes[:, :2] + boxes[:, 2:] / 2
    assert ((centre - torch.tensor([55.0, 25.0])).abs() <= 1.5 + 1e-4).all()  # 0.05 of 30
    assert (boxes[:, 2:] >= 10 / 3 - 1e-4).all()
    assert ((boxes[:, 2] - 90).abs() <= 7.5 + 1e-4).all()  # 0.25 of 30
