"""VitTrack's parts: positions, corners, neck, prompt."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402  # after the check for torch

from sightline import models, zoo  # noqa: E402
from sightline.errors import BadSpec  # noqa: E402
from sightline.models.layers.decode import decode_corners  # noqa: E402
from sightline.models.layers.heads import CornerMaps  # noqa: E402
from sightline.models.layers.positions import sinusoid_table  # noqa: E402
from sightline.models.layers.prompts import Drawn, box_from_ratio, mark  # noqa: E402
from sightline.models.vittrack import VitTrack, build  # noqa: E402
from sightline.spec import Spec  # noqa: E402
from sightline.zoo.vittrack import Arch  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

TINY = Arch(depth=1, width=64, heads=1, head_width=32)


def network_of(arch: Arch) -> VitTrack:
    torch.manual_seed(0)
    network = stirred(build(arch).eval())
    assert isinstance(network, VitTrack)
    return network


def crop(side: int) -> Tensor:
    made: Tensor = torch.randint(0, 256, (1, side, side, 3), generator=torch.Generator().manual_seed(side), dtype=torch.uint8)
    return made


def test_the_table_of_positions_is_the_formula_behind_a_row_of_zeros() -> None:
    table = sinusoid_table(5, 8)
    assert table.shape == (6, 8)
    assert not table[0].any()
    for place in range(5):
        for channel in range(8):
            angle = place / 10000 ** (2 * (channel // 2) / 8)
            expected = math.sin(angle) if channel % 2 == 0 else math.cos(angle)
            assert table[1 + place, channel].item() == pytest.approx(expected, abs=1e-6)


def test_corners_that_are_certain_give_the_box_between_their_cells() -> None:
    maps = CornerMaps(peak(column=2, row=3), peak(column=10, row=7))
    box = decode_corners(maps)[0]
    assert box.tolist() == pytest.approx([6 / 16, 5 / 16, 8 / 16, 4 / 16], abs=1e-6)


def test_corners_that_are_torn_between_two_cells_lie_in_the_middle() -> None:
    torn = torch.maximum(peak(column=2, row=3), peak(column=6, row=3))
    box = decode_corners(CornerMaps(torn, peak(column=10, row=7)))[0]
    assert box.tolist() == pytest.approx([7 / 16, 5 / 16, 6 / 16, 4 / 16], abs=1e-6)


def peak(*, column: int, row: int) -> Tensor:
    logits: Tensor = torch.zeros(1, 1, 16, 16)
    logits[0, 0, row, column] = 1000.0
    return logits


@pytest.mark.parametrize(
    "head,low,high",
    [
        pytest.param("corner", 0, 0, id="corner"),
        pytest.param("corner_v2", 7.5, 7.5, id="corner_v2"),
        pytest.param("corner_v3", 0, 15, id="corner_v3"),
        pytest.param("corner_lite", 8, 8, id="corner_lite"),
    ],
)
def test_each_corner_head_counts_pixels_in_its_own_way(head: str, low: float, high: float) -> None:
    network = network_of(replace(TINY, head=head))  # type: ignore[arg-type]  # a table of names
    grid = torch.randn(1, 64, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        maps = network.head(grid)
        box = network.decode(grid)["box"][0]
    x1, y1 = expected_pixel(maps.top_left, low)
    x2, y2 = expected_pixel(maps.bottom_right, high)
    assert box.tolist() == pytest.approx([(x1 + x2) / 512, (y1 + y2) / 512, (x2 - x1) / 256, (y2 - y1) / 256], abs=1e-5)


def expected_pixel(logits: Tensor, shift: float) -> tuple[float, float]:
    """Mean x and y, where the cell in column i lies at pixel 16 i + shift."""
    values = np.exp(logits[0, 0].double().numpy())
    share, pixels = values / values.sum(), 16 * np.arange(16) + shift
    return float((share.sum(axis=0) * pixels).sum()), float((share.sum(axis=1) * pixels).sum())


def test_a_corner_head_sees_search_tokens_times_their_product_with_the_class_token() -> None:
    stage = torch.randn(1, 321, 64, generator=torch.Generator().manual_seed(2))
    plain, weighted = (network_of(replace(TINY, class_weight=on)).grid([stage]) for on in (False, True))
    cell = stage[0, 1 + 16 * 3 + 5]  # row 3, column 5: search tokens follow the class token, row by row
    torch.testing.assert_close(plain[0, :, 3, 5], cell)
    torch.testing.assert_close(weighted[0, :, 3, 5], cell * (cell @ stage[0, 0]))


def test_a_centre_head_sees_search_tokens_as_they_are() -> None:
    stage = torch.randn(1, 321, 64, generator=torch.Generator().manual_seed(2))
    grid = network_of(replace(TINY, head="center")).grid([stage])
    torch.testing.assert_close(grid[0, :, 3, 5], stage[0, 1 + 16 * 3 + 5])


@pytest.mark.parametrize("change", [{"depth": 6}, {"head": "center"}], ids=["too few blocks", "centre head"])
def test_a_neck_that_cannot_work_is_refused(change: dict[str, object]) -> None:
    arch = replace(TINY, **{"depth": 12, "neck": "pyramid"} | change)  # type: ignore[arg-type]  # a table of fields
    with pytest.raises(BadSpec, match="use neck 'none'"):
        build(arch)


def test_the_pyramid_adds_the_tokens_of_three_blocks() -> None:
    network = network_of(replace(TINY, depth=12, neck="pyramid"))
    stages = [torch.randn(1, 321, 64, generator=torch.Generator().manual_seed(i)) for i in range(12)]
    _, before = network.read(stages)
    for i in range(12):
        changed = [stage + 1.0 if j == i else stage for j, stage in enumerate(stages)]
        assert torch.equal(network.read(changed)[1], before) == (i not in (3, 7, 11))


def test_the_rectangle_is_a_line_of_three_pixels_with_the_shape_of_the_target() -> None:
    rectangle = Drawn("line")
    with torch.no_grad():
        rectangle.colour.copy_(torch.tensor([1.0, 2.0, 3.0]))
        rectangle.transparency.fill_(0.25)
        at = mark(box_from_ratio(torch.tensor([[0.5, 0.5, 0.8, 0.2]]), shift=-0.5 / 128), 128)
        drawn = rectangle.draw(torch.full((1, 3, 128, 128), 8.0), at)[0]
    # a target four times as wide as high: 128 x 32 pixels about the middle
    assert drawn[:, 64, 64].tolist() == [8.0, 8.0, 8.0]
    line = [row for row in range(64) if drawn[0, row, 64] != 8.0]
    assert line == [47, 48]  # 47.5 is the edge: rows less than 1.5 away, so 46 and 49 are not
    assert drawn[:, 47, 64].tolist() == pytest.approx([0.75 * colour + 0.25 * 8.0 for colour in (1.0, 2.0, 3.0)])


def test_the_prompt_changes_the_box_with_the_shape_of_the_target() -> None:
    network = network_of(replace(TINY, template_prompt="line"))
    template, search = crop(128), crop(256)
    with torch.inference_mode():
        wide, high, same = (network.step(search, **network.init(template, torch.tensor([target])))["box"] for target in WIDE_HIGH_SAME)
    assert not torch.allclose(wide, high, atol=1e-6)
    torch.testing.assert_close(wide, same)  # only width over height counts


WIDE_HIGH_SAME = ([0.5, 0.5, 0.8, 0.4], [0.5, 0.5, 0.4, 0.8], [0.4, 0.6, 0.4, 0.2])


@pytest.mark.parametrize("spec", zoo.FAMILIES["vittrack"].SPECS, ids=lambda spec: spec.name)
def test_a_spec_asks_for_what_its_network_needs(spec: Spec) -> None:
    assert (spec.score == "none") == (spec.arch.head != "center")
    assert ("target" in spec.feed) == (spec.arch.template_prompt != "none")
    assert ("extra" in spec.feed) == (spec.arch.second != "none")


# counted by the author without positions and with a centre head of 256 channels
PUBLISHED = {(3, 128): 2.689, (3, 256): 5.478, (6, 256): 7.848, (12, 256): 12.586, (4, 768): 36.4, (6, 768): 50.6, (12, 768): 93.1}


@pytest.mark.parametrize("depth,width", PUBLISHED)
def test_a_network_has_as_many_parameters_as_its_author_says(depth: int, width: int) -> None:
    spec = zoo.find("vittrack-d12c256-conv2x2-center")
    arch = replace(spec.arch, depth=depth, width=width, heads=width // 64)
    with torch.device("meta"):
        network = models.build(replace(spec, arch=arch))
    num = sum(parameter.numel() for name, parameter in network.named_parameters() if name != "positions")
    assert num / 1e6 == pytest.approx(PUBLISHED[depth, width], abs=0.06 if width == 768 else 0.002)
