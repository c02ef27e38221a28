from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from sightline.train.overlap import covered_cells, overlap_losses  # noqa: E402  # after the check for torch


def test_a_box_covers_the_cells_that_it_touches_and_one_at_least() -> None:
    boxes = torch.tensor([[0.25, 0.0, 0.6, 0.2], [0.9, 0.9, 0.9, 0.9], [-0.5, 1.1, -0.2, 1.3]])
    covered = covered_cells(boxes, 4)
    assert covered[0].nonzero().tolist() == [[0, 1], [0, 2]]  # row, column
    assert covered[1].nonzero().tolist() == [[3, 3]]
    assert covered[2].nonzero().tolist() == [[3, 0]]  # cut off at the crop


def test_a_right_answer_costs_nothing_and_a_wrong_one_something() -> None:
    target = torch.tensor([[0.25, 0.25, 0.5, 0.5]])
    boxes = torch.tensor([0.375, 0.375, 0.25, 0.25]).expand(1, 4, 4, 4)
    right = covered_cells(target, 4).float()
    varifocal, giou, quality = overlap_losses(right, boxes, target)
    assert quality.equal(right)
    assert (varifocal.item(), giou.item()) == pytest.approx((0, 0), abs=1e-5)
    for score, found in ((1 - right, boxes), (right, boxes + 0.1)):
        assert sum(loss.item() for loss in overlap_losses(score.clamp(0.01, 0.99), found, target)[:2]) > 0.1


def test_the_box_loss_does_not_teach_the_score() -> None:
    score = torch.full((1, 4, 4), 0.5, requires_grad=True)
    boxes = torch.full((1, 4, 4, 4), 0.4, requires_grad=True)
    _, loss, _ = overlap_losses(score, boxes, torch.tensor([[0.25, 0.25, 0.7, 0.6]]))
    of_score, of_boxes = torch.autograd.grad(loss, [score, boxes], allow_unused=True)
    assert of_score is None
    assert of_boxes.abs().sum() > 0
