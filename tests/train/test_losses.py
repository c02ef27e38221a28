from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sightline.models.layers.boxes import xyxy_from_cxcywh, xyxy_from_xywh
from sightline.train.losses import focal_loss, giou, giou_loss, l1_loss
from sightline.train.targets import heatmap_target

BOX = st.tuples(*(st.floats(0.0625, 0.9375, width=32) for _ in range(4)))


@given(BOX, BOX)
def test_giou_lies_between_minus_one_and_the_overlap(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    value, overlap = giou(xyxy_from_xywh(torch.tensor([a])), xyxy_from_xywh(torch.tensor([b])))
    assert -1 <= float(value) <= float(overlap) + 1e-6
    assert float(overlap) <= 1 + 1e-6


def test_a_perfect_box_costs_nothing() -> None:
    corners = xyxy_from_cxcywh(torch.tensor([[0.5, 0.5, 0.2, 0.3]]))
    assert float(giou_loss(corners, corners)) == pytest.approx(0, abs=1e-6)
    assert float(l1_loss(corners, corners)) == 0


def test_boxes_far_apart_are_pulled_together_by_giou() -> None:
    box = torch.tensor([[0.2, 0.2, 0.1, 0.1]], requires_grad=True)
    giou_loss(xyxy_from_cxcywh(box), torch.tensor([[0.7, 0.7, 0.9, 0.9]])).backward()  # type: ignore[no-untyped-call]  # torch
    assert box.grad is not None
    assert bool((box.grad[0, :2] < 0).all())  # further right and down costs less


def test_focal_loss_is_smallest_for_the_truth() -> None:
    target = heatmap_target(torch.tensor([[0.4, 0.4, 0.2, 0.2]]), 16)
    right = target.clamp(1e-4, 1 - 1e-4).unsqueeze(1)
    elsewhere = right.roll(5, dims=3)
    assert focal_loss(right, target) < focal_loss(elsewhere, target)


def test_focal_loss_of_an_empty_map_punishes_every_peak() -> None:
    empty = torch.zeros(1, 16, 16)
    peak = torch.full((1, 1, 16, 16), 1e-4)
    assert float(focal_loss(peak, empty)) == pytest.approx(0, abs=1e-6)
    peak[0, 0, 3, 3] = 0.9
    assert focal_loss(peak, empty) > 1
