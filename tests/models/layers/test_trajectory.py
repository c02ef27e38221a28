from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from sightline.models.layers.boxes import cxcywh_from_xyxy  # noqa: E402  # after the check for torch
from sightline.models.layers.trajectory import Vocabulary, places  # noqa: E402

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
    torch.testing.assert_close(cxcywh_from_xyxy(corners + 0.5 / SIZE), box)


def vocabulary() -> Vocabulary:
    """Three words of length 4, 1 and 0.5."""
    made = Vocabulary(3, 4)
    with torch.no_grad():
        made.words.copy_(torch.eye(3, 4) * torch.tensor([[4.0], [1.0], [0.5]]))
        made.bias.copy_(torch.tensor([0.1, 0.2, 0.3]))
    return made


def test_words_longer_than_one_are_read_with_length_one() -> None:
    read = vocabulary().read(torch.tensor([[0, 1], [2, 0]]))
    torch.testing.assert_close(read.norm(dim=2), torch.tensor([[1.0, 1.0], [0.5, 1.0]]))


def test_they_are_written_as_long_as_they_are_until_they_have_been_read() -> None:
    seen = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    logits = vocabulary().compare(torch.ones(2, 1, 4), seen)[:, 0]
    torch.testing.assert_close(logits, torch.tensor([[4.1, 1.2, 0.8], [1.1, 1.2, 0.8]]))


def test_nothing_has_been_read_in_the_beginning() -> None:
    assert vocabulary().unseen(torch.zeros(2, 7)).tolist() == [[0.0] * 3] * 2
