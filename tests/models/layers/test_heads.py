from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from sightline.models.layers.heads import PRIOR, CenterBoxHead, CenterHead  # noqa: E402
from sightline.train.losses import focal_loss  # noqa: E402


@pytest.mark.parametrize("kind", [CenterHead, CenterBoxHead])
def test_an_untrained_head_expects_that_few_cells_are_a_centre(kind: Callable[[int, int], nn.Module]) -> None:
    torch.manual_seed(0)
    score = kind(16, 32)(torch.randn(4, 16, 16, 16)).score
    assert score.mean().item() == pytest.approx(PRIOR, rel=0.5)


def test_the_cells_beside_a_centre_do_not_drown_it_in_the_first_loss() -> None:
    torch.manual_seed(0)
    target = torch.zeros(4, 16, 16)
    target[:, 8, 8] = 1
    score = CenterHead(16, 32)(torch.randn(4, 16, 16, 16)).score
    at_centre = -torch.log(score[:, 0, 8, 8]).mean().item()
    assert focal_loss(score, target).item() < 1.5 * at_centre
