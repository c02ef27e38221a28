from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402  # after the check for torch
from torch.nn import functional  # noqa: E402  # after the check for torch

from sightline.models.layers.decode import normalize  # noqa: E402
from sightline.models.merlin import Merlin, build, vote  # noqa: E402
from sightline.zoo.merlin import Arch  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SMALL = Arch(width=32, tower=1, hidden=8)
PRIOR = torch.tensor([[0.5, 0.5, 0.2, 0.2]])


def network(arch: Arch = SMALL) -> Merlin:
    torch.manual_seed(0)
    made = stirred(build(arch)).requires_grad_(False)
    assert isinstance(made, Merlin)
    return made.eval()


def pixels(size: int) -> Tensor:
    torch.manual_seed(1)
    made: Tensor = torch.randint(0, 256, (1, size, size, 3), dtype=torch.uint8)
    return made


def test_what_is_compared_is_the_middle_of_the_template() -> None:
    merlin, template = network(), pixels(458)
    state = merlin.init(template, PRIOR)
    inner = template[:, 165:293, 165:293]
    torch.testing.assert_close(state["kernel"], merlin.extract(normalize(inner)))
    assert state["kernel"].shape == (1, 32, 8, 8)


def test_a_box_marked_larger_than_it_is_seen_makes_later_boxes_larger() -> None:
    merlin = network(replace(SMALL, correct=(0.0, 1.0)))
    template = pixels(458)
    kernel = merlin.init(template, PRIOR)["kernel"]
    look = functional.interpolate(normalize(template), (256, 256), mode="bilinear")
    x1, y1, x2, y2 = merlin.find(kernel, look).boxes_xyxy[0, :, 8 * 16 + 8].tolist()  # of the cell in the middle
    marked = torch.tensor([[(x1 + x2) / 2, (y1 + y2) / 2, 1.2 * (x2 - x1), 1.2 * (y2 - y1)]])
    meant = merlin.init(template, marked)["meant"]
    torch.testing.assert_close(torch.exp(meant[:, 2:]), torch.full((1, 2), 1.2))
    torch.testing.assert_close(meant[:, :2], torch.zeros(1, 2))


def test_a_first_look_at_another_thing_changes_nothing() -> None:
    meant = network().init(pixels(458), torch.tensor([[0.5, 0.5, 1e-3, 0.9]]))["meant"]
    assert meant.abs().max() == 0


def test_later_boxes_are_changed_as_the_first_was_meant() -> None:
    merlin = network(replace(SMALL, alike=0.999, penalty=0.0))  # the best box alone has a vote
    state = merlin.init(pixels(458), PRIOR)
    plain = merlin.choose(pixels(256), state["kernel"], torch.zeros(1, 4), PRIOR)
    changed = merlin.choose(pixels(256), state["kernel"], torch.tensor([[0.1, -0.2, 0.3, -0.1]]), PRIOR)
    ratio = changed[1][:, 2:] / plain[1][:, 2:]
    torch.testing.assert_close(torch.log(ratio), torch.tensor([[0.3, -0.1]]), atol=1e-5, rtol=0)
    torch.testing.assert_close((changed[1] - plain[1])[:, :2] / plain[1][:, 2:], torch.tensor([[0.1, -0.2]]), atol=1e-5, rtol=0)


def test_boxes_vote_that_overlap_the_best_one() -> None:
    boxes = torch.tensor([[[0.5, 0.5, 0.2, 0.2], [0.51, 0.5, 0.2, 0.2], [0.9, 0.5, 0.2, 0.2], [0.5, 0.5, 0.21, 0.2]]]).transpose(1, 2)
    scores = torch.tensor([[0.9, 0.9, 0.8, 0.1]])
    voted = vote(boxes, scores, torch.tensor([[0]]), 0.6)
    overlap = 0.19 / 0.21
    # the third is elsewhere, the fourth too weak
    torch.testing.assert_close(voted, torch.tensor([[(0.5 + 0.51 * overlap) / (1 + overlap), 0.5, 0.2, 0.2]]), atol=1e-6, rtol=0)


def test_the_score_depends_on_what_was_marked_and_the_box_on_it_only_by_the_template() -> None:
    merlin = network()
    state = merlin.init(pixels(458), PRIOR)
    one = merlin.step(pixels(256), prior=PRIOR, **state)
    other = merlin.step(pixels(256), prior=PRIOR, **{**state, "first": state["first"].flip(1)})
    torch.testing.assert_close(one["box"], other["box"])
    assert one["score"] != other["score"]
    assert 0 < float(one["score"]) < 1
