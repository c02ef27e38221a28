from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from sightline.train.tokens import target_cells, token_losses  # noqa: E402  # after the check for torch


def test_a_box_smaller_than_a_cell_still_has_one() -> None:
    boxes = torch.tensor([[0.4995, 0.4995, 0.5005, 0.5005], [0.3, 0.3, 0.3, 0.3], [0.0, 0.0, 1.0, 1.0]])
    assert target_cells(boxes, 8).sum(dim=(1, 2)).tolist() == [1, 1, 64]


def test_as_published_a_box_over_the_upper_left_corner_has_no_cells_and_costs_nothing() -> None:
    box = torch.tensor([[0.1, 0.1, 0.6, 0.6]])
    assert not target_cells(torch.tensor([[-0.2, -0.2, 0.4, 0.4]]), 16).any()
    _, l1, giou = token_losses(torch.zeros(1, 256, 2), torch.rand(1, 256, 4), box)
    assert float(l1) == float(giou) == 0


def test_the_true_answer_costs_nothing_in_boxes_and_little_in_classes() -> None:
    target = torch.tensor([[0.5, 0.5, 0.5, 0.25]])
    corners = torch.tensor([[0.25, 0.375, 0.75, 0.625]])
    on_target = target_cells(corners, 16).flatten(1)
    logits = torch.stack([on_target.float(), (~on_target).float()], dim=2) * 20
    entropy, l1, giou = token_losses(logits, target.unsqueeze(1).expand(1, 256, 4), target)
    assert entropy < 1e-6
    assert l1 == 0
    assert giou == pytest.approx(0, abs=1e-6)
    assert token_losses(-logits, target.unsqueeze(1).expand(1, 256, 4), target)[0] > 10
