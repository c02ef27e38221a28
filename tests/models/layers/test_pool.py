from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from sightline.models.layers.pool import precise_pool  # noqa: E402  # after the check for torch


def test_a_cell_holds_the_mean_of_the_bilinear_surface_over_its_part_of_the_box() -> None:
    maps = torch.randn(1, 3, 5, 7)
    box = torch.tensor([-0.7, 0.4, 4.1, 5.3])
    num = 400  # samples along each side of each part
    places = (torch.arange(2 * num).float() + 0.5) / (2 * num)
    across, down = box[0] + places * (box[2] - box[0]), box[1] + places * (box[3] - box[1])
    triangles = [(1 - (points[:, None] - torch.arange(cells)).abs()).clamp(min=0) for points, cells in ((down, 5), (across, 7))]
    surface = triangles[0] @ maps[0] @ triangles[1].T  # (3, 2 num, 2 num)
    expected = surface.unflatten(1, (2, num)).unflatten(3, (2, num)).mean(dim=(2, 4))
    torch.testing.assert_close(precise_pool(maps, box.reshape(1, 1, 4), (2, 2))[0, 0], expected, atol=1e-4, rtol=0)


def test_boxes_of_one_map_equal_each_alone() -> None:
    maps, corners = torch.randn(2, 3, 6, 6), torch.rand(2, 4, 2) * 3
    boxes = torch.cat([corners, corners + torch.rand(2, 4, 2) * 3], dim=2)
    together = precise_pool(maps, boxes, (3, 5))
    assert together.shape == (2, 4, 3, 3, 5)
    for i in range(4):
        torch.testing.assert_close(together[:, i : i + 1], precise_pool(maps, boxes[:, i : i + 1], (3, 5)))


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((1.0, 1.0, 1.0, 3.0), id="no width"),
        pytest.param((3.0, 1.0, 2.0, 3.0), id="corners that changed places"),
        pytest.param((3.0, 3.0, 2.0, 2.0), id="both corners, an area from two negative sides"),
        pytest.param((-9.0, -9.0, -5.0, -5.0), id="outside"),
    ],
)
def test_a_box_without_area_or_outside_gives_zeros_and_no_gradient(box: tuple[float, ...]) -> None:
    boxes = torch.tensor(box).reshape(1, 1, 4).requires_grad_()
    pooled = precise_pool(torch.ones(1, 1, 4, 4), boxes, (2, 2))
    assert not pooled.any()
    (gradient,) = torch.autograd.grad(pooled.sum(), boxes)
    assert not gradient.any()


@pytest.mark.parametrize("shift", [0.0, 0.37], ids=["edges on cells", "edges between cells"])
def test_the_gradient_of_a_box_is_the_slope_of_its_means(shift: float) -> None:
    torch.manual_seed(1)
    maps = torch.randn(1, 2, 6, 6, dtype=torch.float64)
    boxes = (torch.tensor([1.0, 1.0, 4.0, 5.0], dtype=torch.float64) + shift).reshape(1, 1, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: precise_pool(maps, given, (1, 2)), boxes)
