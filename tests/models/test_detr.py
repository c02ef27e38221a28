from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from sightline.models.checkpoint import rename  # noqa: E402  # after the check for torch
from sightline.models.layers.detr import (  # noqa: E402
    PerTokenHead,
    ReadAttention,
    Reader,
    Verdicts,
    attention_keys,
    choose_token,
    sine_positions,
)
from sightline.models.layers.siamese import hanning2d  # noqa: E402
from tests.models.stir import stirred  # noqa: E402


def test_attention_is_that_of_torch_under_other_names() -> None:
    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(32, 4, batch_first=True)
    stirred(theirs)
    ours = ReadAttention(32, 4)
    ours.load_state_dict({rename(f"x.{key}", attention_keys("x", "y"))[2:]: value for key, value in theirs.state_dict().items()})
    queries, keys, values = torch.randn(2, 5, 32), torch.randn(2, 7, 32), torch.randn(2, 7, 32)
    torch.testing.assert_close(ours(queries, keys, values), theirs(queries, keys, values, need_weights=False)[0])


def test_positions_tell_row_and_column_apart() -> None:
    table = sine_positions(4, 16).reshape(4, 4, 16)
    assert torch.equal(table[1, 0, :8], table[1, 3, :8])  # one row
    assert torch.equal(table[0, 2, 8:], table[3, 2, 8:])  # one column
    assert float(table[0, 0, 0]) == pytest.approx(math.sin(2 * math.pi / 4), abs=1e-5)
    assert len(torch.unique(table.reshape(16, 16).round(decimals=4), dim=0)) == 16


def test_readers_add_positions_to_what_is_compared_only() -> None:
    reader = stirred(Reader(32, 4, 64)).eval()
    x, other = torch.randn(1, 3, 32), torch.randn(1, 5, 32)
    still, moved = (reader(x, torch.zeros(1, 3, 32), other, shift * torch.ones(1, 5, 32)) for shift in (0, 3))
    torch.testing.assert_close(still, moved)  # the same for all keys: the softmax does not see it, and the values have none


def test_the_window_decides_among_equals_and_not_against_the_sure() -> None:
    boxes = torch.arange(16 * 4).reshape(1, 16, 4).float()
    logits = torch.zeros(1, 16, 2)
    window = hanning2d(4, torch.device("cpu")).flatten()
    box, score = choose_token(Verdicts(logits, boxes), window, 0.5)
    assert box[0].tolist() == boxes[0, 5].tolist()
    assert float(score[0]) == 0.5
    logits[0, 0, 0] = 9.0
    assert choose_token(Verdicts(logits, boxes), window, 0.4)[0].tolist() == [boxes[0, 0].tolist()]


def test_a_head_says_two_logits_and_a_box_for_every_token() -> None:
    said = PerTokenHead(8)(torch.randn(2, 5, 8))
    assert (said.logits.shape, said.boxes.shape) == ((2, 5, 2), (2, 5, 4))
    assert ((said.boxes > 0) & (said.boxes < 1)).all()
