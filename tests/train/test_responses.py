from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from sightline.train.responses import balanced, focal, hard_negatives, harmonized, response_labels  # noqa: E402  # after the check for torch

LABELS = response_labels(15, stride=8, positive=16, negative=32)


def test_labels_are_a_diamond_with_a_ring_that_does_not_count() -> None:
    assert int((LABELS == 1).sum()) == 13
    assert int((LABELS == 0.5).sum()) == 12
    assert LABELS[0, 0, 7].tolist() == [0, 0, 0, 0, 0.5, 1, 1, 1, 1, 1, 0.5, 0, 0, 0, 0]


def test_an_even_map_has_its_middle_between_four_cells() -> None:
    labels = response_labels(16, stride=8, positive=16)
    assert torch.equal(labels, labels.flip((2, 3)))
    assert int(labels.sum()) == 12


def test_cells_with_and_without_the_target_weigh_alike() -> None:
    logits = torch.zeros_like(LABELS)
    logits[LABELS == 1] = 50.0  # these cost nothing
    assert float(balanced(logits, LABELS)) == pytest.approx(0.5 * 0.693147, rel=1e-4)
    assert float(balanced(logits, LABELS, negative=3.0)) == pytest.approx(0.75 * 0.693147, rel=1e-4)


def test_the_ring_does_not_count() -> None:
    logits = torch.randn(LABELS.shape, generator=torch.Generator().manual_seed(0))
    other = torch.where(LABELS == 0.5, logits + 5, logits)
    assert float(balanced(logits, LABELS)) == pytest.approx(float(balanced(other, LABELS)))
    assert float(hard_negatives(logits, LABELS)) == pytest.approx(float(hard_negatives(other, LABELS)))


def test_focus_is_on_what_is_wrong() -> None:
    logits = torch.where(LABELS == 1, 5.0, -5.0)
    logits[0, 0, 0, 0] = 3.0
    assert focal(logits, LABELS) > balanced(logits, LABELS)


def test_only_the_largest_logits_without_a_target_are_hard() -> None:
    logits = torch.full_like(LABELS, -50.0)
    logits[LABELS == 1] = 50.0
    logits[0, 0, 0, :2] = 0.0  # two hard ones among 13 + 39
    assert float(hard_negatives(logits, LABELS)) == pytest.approx(2 * 0.693147 / 52, rel=1e-4)


def test_a_gradient_shared_by_many_cells_weighs_less_and_is_remembered() -> None:
    logits = torch.full_like(LABELS, -50.0)
    logits[0, 0, 7, 7] = 0.0
    loss, counts = harmonized(logits, (LABELS == 1).float())
    assert int(counts.sum()) == LABELS.numel()
    _, mixed = harmonized(torch.zeros_like(LABELS), LABELS, before=counts, momentum=0.5)
    assert float(mixed.sum()) == pytest.approx(LABELS.numel())
    assert torch.isfinite(loss)
