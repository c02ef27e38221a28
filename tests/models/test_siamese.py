"""What Siamese trackers share, against plain numpy and torch."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402  # after the check for torch
from torch.nn import functional  # noqa: E402

from sightline.models.layers.siamese import choose, correlate_channels, correlate_pixels, grid_points, hanning2d, smooth  # noqa: E402

CPU = torch.device("cpu")
POINTS = grid_points(4, 16, 32.0, CPU)


def maps(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Distances (2, 4, 4, 4) in pixels and scores (2, 4, 4)."""
    generator = torch.Generator().manual_seed(seed)
    return 5 + 20 * torch.rand(2, 4, 4, 4, generator=generator), torch.rand(2, 4, 4, generator=generator)


def test_correlations_equal_convolutions_with_the_template_as_kernel() -> None:
    generator = torch.Generator().manual_seed(0)
    template, search = torch.randn(2, 6, 4, 4, generator=generator), torch.randn(2, 6, 9, 9, generator=generator)
    for i in range(2):
        cells = template[i].flatten(1).T[:, :, None, None]
        torch.testing.assert_close(correlate_pixels(template, search)[i], functional.conv2d(search[i : i + 1], cells)[0])
        kernels = template[i].unsqueeze(1)
        grouped = functional.conv2d(search[i : i + 1], kernels, padding=1, groups=6)[0]
        torch.testing.assert_close(correlate_channels(template, search, 1)[i], grouped, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("side", [15, 16, 18])
def test_the_window_is_that_of_numpy(side: int) -> None:
    line = np.hanning(side)
    np.testing.assert_allclose(hanning2d(side, CPU).numpy(), np.outer(line, line), atol=1e-6)


def test_points_of_an_even_grid_lie_half_a_cell_left_of_the_middle() -> None:
    assert POINTS.tolist() == [0, 16, 32, 48]
    assert grid_points(3, 16, 32.0, CPU).tolist() == [16, 32, 48]


def test_without_penalty_and_window_the_largest_score_wins() -> None:
    distances, scores = maps()
    best = choose(distances, scores, POINTS)
    for i in range(2):
        row, column = divmod(int(scores[i].argmax()), 4)
        left, top, right, bottom = distances[i, :, row, column]
        x, y = POINTS[column], POINTS[row]
        torch.testing.assert_close(best.box[i], torch.stack([x - left, y - top, x + right, y + bottom]))
        assert best.score[i] == best.confidence[i] == scores[i].max()


def test_penalty_and_window_are_those_of_the_paper() -> None:
    distances, scores = maps(1)
    prior = torch.tensor([[20.0, 30.0], [40.0, 15.0]])
    best = choose(distances, scores, POINTS, prior=prior, penalty=0.3, window=0.4)
    window = np.outer(np.hanning(4), np.hanning(4))
    for i in range(2):
        left, top, right, bottom = distances[i].double().numpy()
        w, h, (w0, h0) = left + right, top + bottom, prior[i].tolist()
        extent, extent0 = (np.sqrt((a + (a + b) / 2) * (b + (a + b) / 2)) for a, b in ((w, h), (w0, h0)))
        size, shape = (np.maximum(ratio, 1 / ratio) for ratio in (extent / extent0, (w0 / h0) / (w / h)))
        confidence = np.exp(-0.3 * (size * shape - 1)) * scores[i].numpy()
        at = np.unravel_index(np.argmax(confidence * 0.6 + window * 0.4), (4, 4))
        assert float(best.confidence[i]) == pytest.approx(confidence[at], rel=1e-5)
        assert float(best.score[i]) == float(scores[i][at])
        assert float(best.box[i, 0]) == pytest.approx(float(POINTS[at[1]]) - left[at], rel=1e-5)


def test_a_box_without_extent_never_wins_and_spoils_no_other() -> None:
    distances, scores = maps()
    distances[:, :, 2, 1] = 0
    scores[:, 2, 1] = 1.0
    best = choose(distances, scores, POINTS, prior=torch.full((2, 2), 25.0), penalty=0.1)
    assert torch.isfinite(best.box).all()
    assert (best.confidence > 0).all()
    assert (best.box[:, 2] > best.box[:, 0]).all()


def test_sizes_move_by_their_rate() -> None:
    moved = smooth(torch.tensor([[40.0, 20.0]]), torch.tensor([[20.0, 20.0]]), torch.tensor([0.25]))
    assert moved.tolist() == [[25.0, 20.0]]
