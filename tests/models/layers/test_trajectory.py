from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from sightline.models.layers.trajectory import box_at, places  # noqa: E402  # after the check for torch

SIZE, BINS = 256, 400


def test_corners_lie_on_the_scale_half_a_pixel_up_and_left() -> None:
    box = torch.tensor([[[0.5 + 0.5 / SIZE, 0.25 + 0.5 / SIZE, 0.5, 0.25]]])
    torch.testing.assert_close(places(box, BINS, SIZE), (torch.tensor([[0.25, 0.125, 0.75, 0.375]]) + 0.5) * 399)


def test_boxes_stand_one_after_another() -> None:
    boxes = torch.rand(2, 3, 4)
    torch.testing.assert_close(places(boxes, BINS, SIZE)[:, 4:8], places(boxes[:, 1:2], BINS, SIZE))


def test_what_lies_more_than_half_a_crop_outside_is_cut_off_there() -> None:
    assert places(torch.tensor([[[0.5, 0.5, 9.0, 9.0]]]), BINS, SIZE).tolist() == [[0.0, 0.0, 798.0, 798.0]]


def test_a_box_is_found_again_between_its_corners() -> None:
    box = torch.tensor([[0.4, 0.6, 0.2, 0.3]])
    corners = places(box.unsqueeze(1), BINS, SIZE) / (BINS - 1) - 0.5
    torch.testing.assert_close(box_at(corners + 0.5 / SIZE), box)
